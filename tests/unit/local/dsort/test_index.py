"""The index, and the run as a whole on values: nothing is lost, and the order is right."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistore.local.dsort.index import MemberRef, RecordIndex
from aistore.local.dsort.keys import Grouper, KeyMaker, encode
from aistore.local.dsort.payload import Sources
from aistore.local.dsort.plan import FillPlan
from aistore.local.dsort.spec import Algorithm
from aistore.local.errors import InvalidRequest
from aistore.local.jobs.template import parse_template
from aistore.local.store.spool import Reservation

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/."), min_size=1, max_size=4)


class Unlimited(Reservation):
    """A disk that has room for everything."""

    def __init__(self) -> None:
        self.size = 0

    def grow(self, size: int) -> None:
        self.size += size

    def room(self) -> int:
        return 1 << 40

    def close(self) -> None:
        self.size = 0


FILES = st.lists(st.tuples(NAMES, st.sampled_from([".a", ".b", ".c"]), st.integers(0, 50)), max_size=12)


@settings(deadline=None, max_examples=50)
@given(st.lists(FILES, max_size=4), st.booleans(), st.integers(1, 200))
def test_the_output_is_exactly_the_input_in_order(
    shards: list[list[tuple[str, str, int]]], decreasing: bool, size: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index = RecordIndex(Path(folder, "index"), 1 << 20, lambda: False, Unlimited())
        keys = KeyMaker(Algorithm("alphanumeric"))
        expected: list[tuple[bytes, list[MemberRef]]] = []
        first = 0
        for source, files in enumerate(shards):
            grouper = Grouper(first)
            mine: dict[int, list[MemberRef]] = {}
            with index.writing():
                for offset, (base, extension, length) in enumerate(files):
                    ref = MemberRef(base + extension, length, 0, source, offset)
                    head = grouper.add(ref.name, length)
                    index.add_member(head.id, ref)
                    mine.setdefault(head.id, []).append(ref)
                index.add_records((head, keys.key(head)) for head in grouper.heads.values())
            expected += [(encode(mine[number][0].name), mine[number]) for number in sorted(mine)]
            first += len(grouper.heads)
        totals = index.finish()
        assert totals == (len(expected), sum(length for files in shards for *_, length in files))
        plan = FillPlan(parse_template("o-%d"), ".tar", size)
        index.place(plan.place, decreasing=decreasing)
        found = [ref for shard in range(len(plan.names)) for ref in index.members(shard)]
        # Both sorts are stable: records of one name keep the order of the shards.
        expected.sort(key=lambda item: item[0], reverse=decreasing)
        assert found == [ref for _, refs in expected for ref in refs]
        index.close()


def test_names_that_are_not_utf_8_make_the_round_trip(tmp_path: Path) -> None:
    index = RecordIndex(tmp_path / "index", 1 << 20, lambda: False, Unlimited())
    name = b"\xff\x00.x".decode("utf-8", "surrogateescape")
    grouper = Grouper(0)
    head = grouper.add(name, 1)
    index.add_member(head.id, MemberRef(name, 1, 2, 3, 4))
    index.add_records([(head, 0)])
    index.finish()
    index.place(lambda _: 0, decreasing=False)
    assert list(index.members(0)) == [(name, 1, 2, 3, 4)]
    assert index.find_duplicate() is None
    index.add_member(1, MemberRef(name, 1, 2, 3, 4))
    assert index.find_duplicate() == name
    index.close()


def test_many_sources_are_read_with_few_open(tmp_path: Path) -> None:
    files = []
    for number in range(100):
        (tmp_path / str(number)).write_bytes(b"head" + b"%03d" % number)
        files.append((str(number), str(tmp_path / str(number))))
    sources = Sources(files)
    for number in (*range(100), 0, 99):
        assert b"".join(sources.read(number, 4, 3)) == b"%03d" % number
    assert len(sources._open) <= 32
    with pytest.raises(InvalidRequest, match="7 is cut off"):
        list(sources.read(7, 4, 4))
    (tmp_path / "50").unlink()
    with pytest.raises(InvalidRequest, match="50 was replaced or removed while it was being sorted"):
        list(sources.read(50, 0, 1))
    sources.close()
