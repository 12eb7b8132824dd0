"""What bucket properties may be changed to."""

from __future__ import annotations

from typing import Any

import pytest

from aistore.local import bucket_props
from aistore.local.errors import LocalError


def _change(changes: Any, targets: int = 2) -> dict[str, Any]:
    return bucket_props.merge_props(bucket_props.new_props("ais"), changes, targets)


def test_a_change_keeps_everything_else() -> None:
    props = _change({"checksum": {"type": "md5"}, "access": "1", "lru": None, "force": True})
    assert props["checksum"] == {**bucket_props.DEFAULTS["checksum"], "type": "md5"}
    assert props["access"] == "1"
    assert "force" not in props
    assert bucket_props.DEFAULTS["checksum"]["type"] == "xxhash2"


def test_each_bucket_has_a_number_of_its_own_with_the_local_bit() -> None:
    first, second = bucket_props.new_props("ais"), bucket_props.new_props("ais")
    assert first["bid"] != second["bid"]
    assert int(first["bid"]) >> 63 == 1


def test_reset_keeps_the_identity() -> None:
    props = _change({"versioning": {"enabled": False}})
    fresh = bucket_props.reset_props(props)
    assert fresh["versioning"]["enabled"] is True
    assert (fresh["bid"], fresh["created"]) == (props["bid"], props["created"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nosuch": 1}, "found unknown field: nosuch"),
        ({"checksum": {"nosuch": 1}}, "checksum: found unknown field: nosuch"),
        ({"checksum": "md5"}, "checksum: expecting an object"),
        ({"checksum": {"type": "foo"}}, 'invalid checksum type "foo"'),
        ({"versioning": {"enabled": "yes"}}, r"versioning\.enabled: expecting a value like True"),
        ({"mirror": {"enabled": True, "copies": 99}}, r"invalid mirror\.copies: 99"),
        ({"mirror": {"enabled": True}}, "exceeds the number of mountpaths"),
        ({"ec": {"enabled": True}}, "requires at least 5 targets"),
        ({"access": "x"}, "access: expecting a decimal number"),
        ({"access": -1}, "access: expecting a decimal number"),
        ({"write_policy": {"md": "later"}}, "invalid write policy 'later'"),
        ({"backend_bck": {"name": "b", "provider": "aws"}}, "AWS backend is missing"),
        ([], "expecting an object, got list"),
    ],
)
def test_refused(changes: Any, message: str) -> None:
    with pytest.raises(LocalError, match=message):
        _change(changes)
