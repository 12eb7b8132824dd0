"""Command-line options."""

from __future__ import annotations

import pytest

from aistore.local.options import Options, parse, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1048576", 1 << 20), ("64MiB", 64 << 20), ("10GB", 10**10), ("1.5k", 1500), ("2 TiB", 2 << 40)],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "10 parsecs", "9" * 400, "9" * 5000, "٣"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_defaults() -> None:
    assert parse([]) == Options()


@pytest.mark.parametrize("argv", [["--port", "70000"], ["--targets", "0"], ["--quota", "much"], ["--nosuch"]])
def test_bad_options_print_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(argv)
    assert "usage: python -m aistore.local" in capsys.readouterr().err
