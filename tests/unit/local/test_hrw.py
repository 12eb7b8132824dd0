"""Placement against vectors recorded on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path

from aistore.local import hrw

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "hrw_vectors.json").read_text())


def test_recorded_vectors() -> None:
    names = list(VECTORS["nodes"])
    digests = [hrw.digest(name) for name in names]
    assert digests == [int(VECTORS["nodes"][name]) for name in names]
    for vector in VECTORS["vectors"]:
        assert hrw.digest(vector["uname"]) == int(vector["uname_digest"])
        assert names[hrw.owner(vector["uname"], digests)] == vector["owner"]


def test_a_name_that_is_not_utf8_has_an_owner() -> None:
    assert hrw.owner("ais/@#/b/\udcff", [1, 2, 3]) in {0, 1, 2}
