"""Options of copies and transforms."""

from __future__ import annotations

import pytest

from aistore.local.errors import InvalidName, InvalidRequest
from aistore.local.jobs.transfer import parse_options


@pytest.mark.parametrize(
    ("name", "ext", "prepend", "result"),
    [
        ("a.jpg", {"jpg": "txt"}, "", "a.txt"),
        ("a.jpg", {".jpg": ".txt"}, "out/", "out/a.txt"),
        ("in-00.tar", {"tar": "t2"}, "", "in-00.t2"),
        ("a.tar.gz", {"gz": "x"}, "", "a.tar.x"),
        ("a.jpg", {"png": "txt"}, "p-", "p-a.jpg"),
        ("d.jpg/noext", {"jpg/noext": "txt"}, "", "d.jpg/noext"),
        ("noext", {"noext": "txt"}, "", "noext"),
    ],
)
def test_results_are_named_by_extension_then_prefix(name, ext, prepend, result):
    assert parse_options({"ext": ext, "prepend": prepend}, "copy-bck").rename(name) == result


@pytest.mark.parametrize(
    "value",
    [
        {"num-workers": -2},
        {"num-workers": "4"},
        {"num-workers": True},
        {"num-workers": 10_000},
        {"ext": ["a"]},
        {"ext": {"a": 1}},
        {"prefix": 1},
        {"prepend": "../"},
        {"prepend": "x", "synchronize": True},
        "x",
    ],
)
def test_wrong_options_are_refused(value):
    with pytest.raises((InvalidRequest, InvalidName)):
        parse_options(value, "copy-bck")


def test_no_options_are_the_defaults():
    options = parse_options(None, "copy-bck")
    assert (options.dry_run, options.workers, options.keep_going, options.recursive) == (
        False,
        0,
        False,
        True,
    )
