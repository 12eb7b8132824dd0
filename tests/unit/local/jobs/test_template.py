"""Templates of object names: the cases that were probed on a real cluster."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.errors import InvalidRequest
from aistore.local.jobs.template import parse_template


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a-{0..2}", ["a-0", "a-1", "a-2"]),
        ("a-{8..11}", ["a-8", "a-9", "a-10", "a-11"]),
        ("a-{00..10..10}", ["a-00", "a-10"]),
        ("a-{0001..0003}-z", ["a-0001-z", "a-0002-z", "a-0003-z"]),
        ("a-{0..1}-x-{0..1}", ["a-0-x-0", "a-0-x-1", "a-1-x-0", "a-1-x-1"]),
        ("a-@02", ["a-00", "a-01", "a-02"]),
        ("a-@1-x-@0", ["a-0-x-0", "a-1-x-0"]),
    ],
)
def test_ranges_are_expanded_the_last_varying_fastest(text, names):
    assert list(parse_template(text).names()) == names


def test_a_width_of_one_digit_pads_nothing():
    assert list(parse_template("a-{0..10}").names())[-1] == "a-10"


def test_fmt_begins_at_zero_and_never_ends():
    template = parse_template("a-%02d-s")
    assert template.is_unbounded
    assert list(itertools.islice(template.names(), 2)) == ["a-00-s", "a-01-s"]


@pytest.mark.parametrize(
    ("text", "prefix"), [("dir/", "dir/"), ("dir/*", "dir/"), ("*", ""), ("a-{0..2", "a-{0..2"), ("x}", "x}")]
)
def test_anything_else_is_a_prefix(text, prefix):
    template = parse_template(text)
    assert template.is_prefix
    assert template.prefix == prefix


@pytest.mark.parametrize(
    ("text", "tcode", "message"),
    [
        ("a-{2..0}", "errTemplateInvalid", "'start' cannot be greater than 'end'"),
        ("a-{x}", "errTemplateInvalid", "expecting e.g."),
        ("a-{-1..2}", "errTemplateInvalid", "'start' is negative"),
        ("a-{0..2..0}", "errTemplateInvalid", "'step' is non-positive"),
        ("a-{a..c}", "NumError", "strconv.ParseInt"),
        ("a-@", "NumError", "strconv.ParseInt"),
        ("a-%", "errTemplateInvalid", "'fmt'"),
        ("a-%3d", "errTemplateInvalid", "'fmt'"),
    ],
)
def test_malformed_ranges_are_refused_as_on_the_cluster(text, tcode, message):
    with pytest.raises(InvalidRequest, match=message) as caught:
        parse_template(text)
    assert caught.value.tcode == tcode


@given(st.text(alphabet="ab{}.0123@%d-*/", max_size=20))
def test_any_text_is_a_template_or_one_of_our_errors(text):
    with contextlib.suppress(InvalidRequest):
        parse_template(text)


@pytest.mark.parametrize(
    "text",
    [
        "a-{0.." + "9" * 5000 + "}",
        "a-{0..9223372036854775808}",
        "a-{0..٣}",
        "a-@" + "9" * 5000,
        "a-%0" + "9" * 5000 + "d",
        "a-%09999999d",
        "a-{" + "0" * 9000 + ".." + "0" * 9000 + "1}",
        "{0..0}" * 101,
        "@0-" * 101,
    ],
)
def test_what_takes_much_memory_or_is_no_number_is_refused(text):
    with pytest.raises(InvalidRequest):
        parse_template(text)
