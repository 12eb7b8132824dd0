"""Text on a terminal: harmless, and readable."""

import re

import pytest

from aistore.cli.text import human_size, iso_time, neutralise, one_line, plural


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 猫", "plain, é, 猫"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("exe\u202egpj", "exe\\u202egpj"),
        ("byte\udcff", "byte\\xff"),
        ("half\ud83d", "half\\ud83d"),
        ("\x7f\x00\x08", "\\x7f\\x00\\x08"),
    ],
)
def test_what_steers_a_terminal_becomes_visible(text, shown):
    assert neutralise(text) == shown


def test_line_ends_can_be_kept():
    assert neutralise("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def test_every_control_character_is_neutralised():
    text = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    assert not re.search("[\x00-\x1f\x7f-\x9f]", neutralise(text))


def test_a_message_is_one_line():
    assert one_line("a\n  b\r\nc\x1b") == "a b c\\x1b"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536, "1.5KiB"),
        (1024**2 - 1, "1MiB"),
        (5 * 1024**3, "5GiB"),
        (2**70, "1024EiB"),
    ],
)
def test_sizes(size, shown):
    assert human_size(size) == shown


def test_times_and_counts():
    assert iso_time("1795262589593608047") == "2026-11-21T12:03:09Z"
    assert iso_time("21 Nov 26") == "21 Nov 26"
    assert plural(1, "object") == "1 object"
    assert plural(1200, "object") == "1,200 objects"
