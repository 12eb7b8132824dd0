"""KEY=VALUE on a command line, and patterns."""

import pytest

from aistore.cli.exits import CliError
from aistore.cli.selection import Patterns
from aistore.cli.settings import flatten, parse_settings, parse_variables


def test_settings_nest_and_have_types():
    given = ["mirror.enabled=true", "mirror.copies=2", "checksum.type=md5", "x=", "y=a=b"]
    values = {
        "mirror": {"enabled": True, "copies": 2},
        "checksum": {"type": "md5"},
        "x": "",
        "y": "a=b",
    }
    assert parse_settings(given) == values
    assert dict(flatten(values))["mirror.enabled"] == "true"


@pytest.mark.parametrize("text", ["mirror", "=1", "a..b=1", ".a=1"])
def test_what_is_no_setting(text):
    with pytest.raises(CliError, match="expected KEY=VALUE"):
        parse_settings([text])


def test_contradictions():
    with pytest.raises(CliError, match="contradicts"):
        parse_settings(["a=1", "a.b=2"])


def test_variables_stay_text():
    assert parse_variables(["N=1", "A=b=c"]) == {"N": "1", "A": "b=c"}
    with pytest.raises(CliError, match="NAME=VALUE"):
        parse_variables(["N"])


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        ((), (), ["a.jpg", "b.txt", "sub/c.jpg"]),
        (("*.jpg",), (), ["a.jpg", "sub/c.jpg"]),
        ((), ("sub/*",), ["a.jpg", "b.txt"]),
        (("*.jpg", "b*"), ("a*",), ["b.txt", "sub/c.jpg"]),
    ],
)
def test_patterns(include, exclude, wanted):
    names = ["a.jpg", "b.txt", "sub/c.jpg"]
    assert [name for name in names if Patterns(include, exclude).match(name)] == wanted
