"""Names, ranges and templates: what travels, and which names they stand for (the cluster's grammar)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, InvalidObjectRangeIndex
from aistore.sdk.multiobj import ObjectNames, ObjectRange, ObjectTemplate


class TestNames:
    def test_is_a_list(self):
        names = ObjectNames(name for name in "ab")
        assert (list(names), len(names), names.get_value()) == (["a", "b"], 2, {"objnames": ["a", "b"]})
        assert str(names) == "['a', 'b']"  # defect 15
        assert repr(names) == "ObjectNames(['a', 'b'])"
        assert names == ObjectNames(["a", "b"]) != ObjectNames(["a"])
        assert hash(names) == hash(ObjectNames(["a", "b"]))

    @pytest.mark.parametrize("names", ["abc", b"abc", [1], [None]])
    def test_one_string_is_not_a_list_of_names(self, names):
        with pytest.raises(InvalidArgumentType):
            ObjectNames(names)

    def test_empty_name(self):
        with pytest.raises(InvalidArgument, match="empty"):
            ObjectNames(["a", ""])


class TestTemplates:
    @pytest.mark.parametrize(
        ("template", "names"),
        [
            ("a{0..3}", "a0 a1 a2 a3"),
            ("a{00..10..5}", "a00 a05 a10"),
            ("a{0..10..5}", "a0 a5 a10"),
            ("a{08..11}.tar", "a08.tar a09.tar a10.tar a11.tar"),
            ("a{9..0011}", "a9 a10 a11"),
            ("a-{0..1}-x-{0..1}", "a-0-x-0 a-0-x-1 a-1-x-0 a-1-x-1"),
            ("a-@02", "a-00 a-01 a-02"),
            ("a-@1-x-@0", "a-0-x-0 a-1-x-0"),
            ("a{b,c}", "ab ac"),
            ("prefix", "prefix"),
            ("a{0..2", "a{0..2"),
        ],
    )
    def test_expansion(self, template, names):
        assert list(ObjectTemplate(template)) == names.split()

    @given(
        prefix=st.sampled_from(["", "p-", "dir/"]),
        ranges=st.lists(
            st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(1, 4), st.integers(1, 4)),
            max_size=3,
        ),
        suffix=st.sampled_from(["", ".tar"]),
    )
    def test_ranges_multiply(self, prefix, ranges, suffix):
        parts, numbers = [], []
        for start, count, step, width in ranges:
            first, last = str(start).zfill(width), str(start + count).zfill(width)
            parts.append(f"{{{first}..{last}..{step}}}")
            pad = min(len(first), len(last))
            numbers.append([str(n).zfill(pad) for n in range(start, start + count + 1, step)])
        wanted = [prefix + "_".join(combination) + suffix for combination in itertools.product(*numbers)]
        assert list(ObjectTemplate(prefix + "_".join(parts) + suffix)) == wanted

    @pytest.mark.parametrize(
        ("template", "named"),
        [
            ("a{2..0}", "go up"),
            ("a{-1..2}", "go up"),
            ("a{0..2..0}", "step"),
            ("a{x}", "like"),
            ("a{b,c}", "like"),
            ("a-@", "'@'"),
            ("a@b", "'@'"),
            ("a-%", "'%'"),
            ("a-%3d", "'%'"),
            ("%d%d", "'%'"),
        ],
    )
    def test_what_the_cluster_refuses_never_leaves(self, template, named):
        with pytest.raises(InvalidArgument, match=named):
            ObjectTemplate(template).get_value()

    @pytest.mark.parametrize("template", ["a{0..2}", "a@02", "a%d", "a%03d.tar", "prefix", "dir/*", "a{0..2"])
    def test_value(self, template):
        assert ObjectTemplate(template).get_value() == {"template": template}

    def test_names_without_end_cannot_be_listed(self):
        with pytest.raises(InvalidArgument, match="no end"):
            iter(ObjectTemplate("a%03d"))

    def test_is_a_value(self):
        template = ObjectTemplate("a{0..2}")
        assert template == ObjectTemplate("a{0..2}") != ObjectTemplate("a")
        assert hash(template) == hash(ObjectTemplate("a{0..2}"))
        assert (str(template), repr(template)) == ("a{0..2}", "ObjectTemplate('a{0..2}')")


class TestRanges:
    def test_value_and_names(self):
        span = ObjectRange("p-", 8, 12, 3, 2, ".tar")
        assert str(span) == "p-{008..012..2}.tar"
        assert span.get_value() == {"template": "p-{008..012..2}.tar"}
        assert list(span) == ["p-008.tar", "p-010.tar", "p-012.tar"]
        assert span == ObjectRange.from_string("p-{008..012..2}.tar")
        assert hash(span) == hash(ObjectRange.from_string("p-{008..012..2}.tar"))
        assert repr(span) == "ObjectRange('p-{008..012..2}.tar')"

    def test_one_index(self):  # defect 15
        assert list(ObjectRange("p", 0, 0)) == ["p0"]

    def test_mere_prefix(self):
        span = ObjectRange("p-")
        assert span.get_value() == {"template": "p-"}
        for error in (RuntimeError, ValueError):
            with pytest.raises(error, match="no indices"):
                list(span)

    @given(st.integers(0, 500), st.integers(0, 50), st.integers(0, 5), st.integers(1, 7))
    def test_round_trip(self, start, count, pad, step):
        if pad and len(str(start)) > pad:
            pad = len(str(start))
        span = ObjectRange("dir/p", start, start + count, pad, step, ".x")
        assert list(ObjectRange.from_string(str(span))) == list(span)
        assert list(span) == [f"dir/p{str(n).zfill(pad)}.x" for n in range(start, start + count + 1, step)]

    @pytest.mark.parametrize(
        "arguments",
        [
            (0, None),
            (None, 3),
            (5, 3),
            (100, 200, 2),
            (-1, 3),
            (0, 3, -1),
            (0, 3, 0, 0),
            (0, 3, 0, -1),
            (0.5, 3),
            (0, True),
        ],
    )
    def test_indices_that_make_no_range(self, arguments):
        with pytest.raises(InvalidObjectRangeIndex):
            ObjectRange("p", *arguments)

    def test_suffix_without_indices(self):
        with pytest.raises(ValueError, match="Suffix"):
            ObjectRange("p", suffix=".tar")

    @pytest.mark.parametrize("text", ["a", "a{x..y}", "a{1..}", "a{1-2}"])
    def test_malformed_text(self, text):
        with pytest.raises(ValueError, match="Invalid range string"):
            ObjectRange.from_string(text)
