"""Records and their keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.dsort.keys import Grouper, Head, KeyMaker, content_key, split_member
from aistore.local.dsort.spec import Algorithm
from aistore.local.errors import InvalidRequest

PATHS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "d/a", "d.x/a", "a.b"]), st.sampled_from(["", ".cls", ".txt"]))
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", ("a", ".txt")),
        ("d.x/a", ("d.x/a", "")),
        ("d/a.seg.png", ("d/a.seg", ".png")),
        ("d/.hidden", ("d/.hidden", "")),
        ("", ("", "")),
    ],
)
def test_a_record_is_named_by_the_path_without_its_extension(path: str, expected: tuple[str, str]) -> None:
    assert split_member(path) == expected


@given(PATHS, st.integers(0, 100))
def test_grouping_counts_every_file_once(parts: list[tuple[str, str]], first: int) -> None:
    grouper = Grouper(first)
    ids = [grouper.add(base + extension, 10).id for base, extension in parts]
    heads = list(grouper.heads.values())
    assert sum(head.count for head in heads) == len(parts)
    assert sum(head.size for head in heads) == 10 * len(parts)
    assert [head.id for head in heads] == list(range(first, first + len(heads)))
    for (base, extension), number in zip(parts, ids, strict=True):
        head = grouper.heads[split_member(base + extension)[0]]
        assert head.id == number
        assert split_member(head.name)[0] == split_member(base + extension)[0]


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b"42", "int", 42),
        (b" -7\n", "int", -7),
        (b"1.5\n", "float", 1.5),
        (b"-inf", "float", float("-inf")),
        (b" text\n", "string", b" text\n"),
        (b"", "string", b""),
    ],
)
def test_content_keys(data: bytes, kind: str, expected: object) -> None:
    assert content_key(data, kind, "a.cls") == expected


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "int"),
        (b"1.5", "int"),
        (b"1_000", "int"),
        (b"9223372036854775808", "int"),
        (b"9" * 5000, "int"),
        (b"1_0.5", "float"),
        (b"nan", "float"),
        (b"x\xff", "float"),
    ],
)
def test_contents_that_are_no_keys(data: bytes, kind: str) -> None:
    with pytest.raises(InvalidRequest, match=f"a.cls is not of type {kind}"):
        content_key(data, kind, "a.cls")


@given(st.lists(st.text(max_size=5), max_size=20))
def test_names_sort_by_their_bytes(names: list[str]) -> None:
    maker = KeyMaker(Algorithm("alphanumeric"))
    keys = sorted(maker.key(Head(0, name)) for name in names)  # type: ignore[type-var]
    assert keys == sorted(name.encode("utf-8", "surrogateescape") for name in names)


def test_a_shuffle_repeats_with_its_seed() -> None:
    def keys(seed: int) -> list[object]:
        maker = KeyMaker(Algorithm("shuffle", seed=seed))
        return [maker.key(Head(number, "same")) for number in range(50)]

    assert keys(1) == keys(1) != keys(2)
    assert len(set(keys(1))) == 50


def test_a_record_without_its_key_file() -> None:
    maker = KeyMaker(Algorithm("content", extension=".cls", key_type="int"))
    assert maker.is_content("d/a.cls")
    assert not maker.is_content("d/a.txt")
    with pytest.raises(InvalidRequest, match=r"record 'a.txt' has no file with extension .cls"):
        maker.key(Head(0, "a.txt"))
