"""Which record goes to which output shard."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aistore.local.dsort.key_map import KeyMap
from aistore.local.dsort.plan import FillPlan, MappedPlan, SortedRecord
from aistore.local.dsort.spec import Reactions, SortSpec, parse_spec
from aistore.local.errors import InvalidRequest
from aistore.local.jobs.template import parse_template

SIZES = st.lists(st.integers(0, 300), max_size=60)
ENDLESS = parse_template("o-%03d")


def records(sizes: list[int]) -> list[SortedRecord]:
    return [SortedRecord(f"r{number}.x", size, 1) for number, size in enumerate(sizes)]


def spec(**reactions: str) -> SortSpec:
    made = parse_spec(
        {
            "input_bck": {"name": "b"},
            "input_format": {"objnames": ["a"]},
            "input_extension": ".tar",
            "ekm_file": "http://x/v1/objects/b/o",
            "output_shard_size": "1KB",
        }
    )
    return made._replace(reactions=Reactions(**reactions), key_map_separator="=")


def key_map(rules: dict[str, list[str]], **reactions: str) -> tuple[KeyMap, list[str]]:
    warnings: list[str] = []
    made = KeyMap(spec(**reactions), warnings.append)
    made.add_json(json.dumps(rules).encode())
    return made, warnings


@given(SIZES, st.integers(1, 500))
def test_shards_are_filled_in_order_and_not_beyond_their_size(sizes: list[int], size: int) -> None:
    plan = FillPlan(ENDLESS, ".tar", size)
    shards = [plan.place(record) for record in records(sizes)]
    assert shards == sorted(shards)  # type: ignore[type-var]
    assert sorted(set(shards)) == list(range(len(plan.names)))  # type: ignore[type-var]
    assert plan.names == [f"o-{number:03}.tar" for number in range(len(plan.names))]
    filled = [sum(s for s, shard in zip(sizes, shards, strict=True) if shard == n) for n in set(shards)]
    for number, total in enumerate(filled):
        own = [one for one, shard in zip(sizes, shards, strict=True) if shard == number and one]
        assert total - sum(own[-1:]) < size
        assert total >= size or number == len(filled) - 1


@given(SIZES.filter(bool), st.integers(1, 20))
@example([1, 0], 1)
def test_a_size_made_from_the_number_of_names_needs_no_more_names(sizes: list[int], count: int) -> None:
    size = max(1, -(-sum(sizes) // count))
    plan = FillPlan(parse_template(f"o-{{1..{count}}}"), ".tar", size)
    for record in records(sizes):
        plan.place(record)
    assert len(plan.names) <= count


def test_running_out_of_names() -> None:
    plan = FillPlan(parse_template("o-{0..1}.tgz"), ".tar", 1)
    assert [plan.place(record) for record in records([1, 1])] == [0, 1]
    assert plan.names == ["o-0.tgz", "o-1.tgz"]
    with pytest.raises(InvalidRequest, match=r"exceeds expected number of shards \(2\)"):
        plan.place(SortedRecord("x", 1, 1))


def test_two_shards_of_one_name_are_refused() -> None:
    plan = FillPlan(parse_template("o{1..11}{1..11}"), ".tar", 1)
    record = SortedRecord("x", 1, 1)
    for _ in range(110):
        plan.place(record)
    with pytest.raises(InvalidRequest, match=r"two output shards would have the name o111\.tar"):
        plan.place(record)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2000)), max_size=60))
def test_each_template_of_a_key_map_fills_shards_of_its_own(items: list[tuple[str, int]]) -> None:
    made, _ = key_map({"a-%d": ["^a"], "rest-%d.tar": ["^b", "^c"]})
    plan = MappedPlan(made, ".tar", 1000)
    filled: dict[int, int] = {}
    last: dict[str, int] = {}
    for letter, size in items:
        shard = plan.place(SortedRecord(letter, size, 1))
        assert shard is not None
        name = plan.names[shard]
        template = name.partition("-")[0]
        assert template == ("a" if letter == "a" else "rest")
        if template in last and shard != last[template]:
            assert filled[last[template]] > 1000
        assert filled.get(shard, 0) <= 1000
        filled[shard] = filled.get(shard, 0) + size + 512
        last[template] = shard
    assert len(filled) == len(plan.names) == len(set(plan.names))


@pytest.mark.parametrize(("name", "why"), [("x.txt", "no match"), ("ab.txt", "multiple matches")])
def test_exactly_one_rule_must_match(name: str, why: str) -> None:
    rules = {"a-%d": ["a"], "b-%d": ["b"]}
    made, _ = key_map(rules)
    assert made.find("a.txt") == "a-%d"
    with pytest.raises(InvalidRequest, match=f'record "{name}" in external key map: {why} found'):
        made.find(name)
    made, warnings = key_map(rules, missing_key="warn")
    assert made.find(name) is None
    assert why in warnings[0]
    made, warnings = key_map(rules, missing_key="ignore")
    assert made.find(name) is None
    assert not warnings


def test_lines() -> None:
    made = KeyMap(spec(), lambda _: None)
    made.add_lines(b"^a = x-%d\r\n\n b=y-%d")
    assert (made.find("a"), made.find("b")) == ("x-%d", "y-%d")
    with pytest.raises(InvalidRequest, match=r"malformed line \(1\) in external key map: c=d=e"):
        made.add_lines(b"c=d=e")


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a-%d": "x"}', b'{"a-%d": [1]}', b'{"a-{": ["("]}'])
def test_maps_that_are_none(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"external key map"):
        KeyMap(spec(), lambda _: None).add_json(text)
