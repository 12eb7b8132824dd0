"""Specifications; what is refused is tested where it is answered."""

from __future__ import annotations

from typing import Any

import pytest

from aistore.local.dsort.spec import MAX_MEMORY, parse_spec
from aistore.local.errors import InvalidRequest
from aistore.wire.archive.formats import Format

LEAST: dict[str, Any] = {
    "input_bck": {"name": "b"},
    "input_format": {"template": "in-{0..3}"},
    "input_extension": ".tar",
    "output_format": "out-{0..9}",
}


def test_defaults() -> None:
    spec = parse_spec(LEAST)
    assert spec.output_bck == spec.input_bck
    assert spec.input_template is not None
    assert list(spec.input_template.names()) == [f"in-{number}.tar" for number in range(4)]
    assert (spec.output_extension, spec.output_kind) == (".tar", Format.TAR)
    assert spec.algorithm == ("alphanumeric", False, 0, "", "")
    assert spec.reactions == ("ignore", "ignore", "abort", "abort")
    assert (spec.shard_size, spec.memory, spec.dry_run) == (0, MAX_MEMORY, False)


def test_nulls_are_defaults() -> None:
    optional = ("output_bck", "output_extension", "output_shard_size", "algorithm", "description", "ekm_file")
    nulls = dict.fromkeys((*optional, "ekm_file_sep", "max_mem_usage", "dsorter_type", "dry_run", "Config"))
    assert parse_spec({**LEAST, **nulls}) == parse_spec(LEAST)


def test_names_are_completed_and_win_over_a_template() -> None:
    given = {"objnames": ["a", "b.tar"], "template": "ignored"}
    spec = parse_spec({**LEAST, "input_format": given})
    assert spec.input_names == ("a.tar", "b.tar")
    assert spec.input_template is None


def test_the_extension_of_the_template_suffices() -> None:
    changes = {"input_format": {"template": "in-@02.tar.lz4"}, "input_extension": ""}
    spec = parse_spec({**LEAST, **changes})
    assert spec.input_template is not None
    assert list(spec.input_template.names())[2] == "in-02.tar.lz4"
    assert spec.output_kind is Format.LZ4


@pytest.mark.parametrize(
    ("text", "size"), [("1KB", 1024), ("10KiB", 10240), ("1.5mb", 3 << 19), ("2048", 2048), ("1G", 1 << 30)]
)
def test_sizes_are_binary(text: str, size: int) -> None:
    assert parse_spec({**LEAST, "output_shard_size": text}).shard_size == size


def test_memory() -> None:
    assert parse_spec({**LEAST, "max_mem_usage": "1MB"}).memory == 1 << 20
    assert parse_spec({**LEAST, "max_mem_usage": "8GB"}).memory == MAX_MEMORY
    assert parse_spec({**LEAST, "Config": {"default_max_mem_usage": "2MB"}}).memory == 2 << 20
    for text in ("0%", "x%", "lots"):
        with pytest.raises(InvalidRequest, match="max_mem_usage"):
            parse_spec({**LEAST, "max_mem_usage": text})


@pytest.mark.parametrize(
    "value", [None, [], "spec", {"input_bck": {"name": "b"}, "input_format": "in-{0..1}"}]
)
def test_other_shapes_are_refused(value: object) -> None:
    with pytest.raises(InvalidRequest, match="parse-spec"):
        parse_spec(value)
