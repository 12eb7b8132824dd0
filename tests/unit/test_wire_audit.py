"""Every recorded exchange is made again by a named test, or listed here with the reason why it is not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from recordings import WIRE, records
from replay import batch, control, errors, etl, objects

TESTS = Path(__file__).parents[1]

REPLAYED = {
    "unit/test_control_wire.py::test_recorded_call": control.chosen,
    "unit/obj/test_object_wire.py::test_request_is_the_recorded_one": objects.chosen,
    "unit/batch/test_batch_wire.py::test_request_and_answer_are_the_recorded_ones": batch.chosen,
    "unit/etl/test_etl_wire.py::test_recorded_call": lambda: [row for call in etl.chains() for row in call],
    "unit/test_errors_wire.py::test_fails_as_recorded": errors.failed_calls,
    "unit/test_errors_wire.py::test_is_refused_before_a_request": errors.refused_calls,
    "unit/test_errors_wire.py::test_error_answer_is_understood": errors.answers,
}
"""Test -> what selects its exchanges."""

# Exchanges by file and lines.
NOT_REPLAYED = {
    "a bucket name that is refused before any request (test_refusals.py)": (
        "bucket 1-3 7-9 13-15 64-68",
        "https 1-2 4-5 8-9 38-40",
    ),
    "an object name that is refused before any request (test_refusals.py)": ("object 103",),
    "nobody listened: is_ready() gives False (test_cluster.py)": ("cluster 3-4", "https 51-52"),
    "a file is sent whole, when it is closed, not appended to piece by piece (test_object_writing.py)": (
        "object 72",
        "https 117 128-131 137",
    ),
    "a part is one PUT, not an append (test_object_writing.py)": ("multipart 23-24", "https 127 140"),
    "only a part of the key map was kept (test_dsort.py)": ("object 87-88",),
    "made by hand: the SDK has no call for it": ("etl-client 480-481 520 527-529 536 539",),
    "the server gave no answer within the time": ("etl-client 542",),
    "only a part of the command was kept": ("etl-nok8s 4 7",),
    "rows of etl-client.jsonl once more, which the local cluster answers (test_recorded_rooms.py)": (
        "etl-client-api 1-108",
    ),
    "made by a target or an ETL server; ours play that part (test_wire_replay.py, test_wire_pipelines.py)": (
        "etl-target-to-server 1-584",
        "etl-webserver-local 1-39",
    ),
    "made by boto3; the local cluster answers (test_recorded_s3.py)": ("s3 1-51",),
    "made by hand, and accepted: what the cluster does not check": (
        "errors 7-9 49-51 53 56 74 77-79 88-90 112 122 137 139 146-147 153 159 174 221 224-225 229 250-251 "
        "254-255 258-259 263 266 276-277 280 282 304 312 316",
    ),
    "made by hand, and the connection was closed, or a node went down": (
        "errors 86-87 101 269-271 273-275 278 303",
    ),
    "looks at what came of a name that is refused, or was cut in the recording": ("errors 94-95 97-98",),
    "of an answer to a listing or a batch only a summary was kept": ("errors 59 260-261",),
}
"""Reason -> exchanges."""


def _lines(listed: str) -> Iterator[str]:
    name, *ranges = listed.split()
    for item in ranges:
        first, _, last = item.partition("-")
        yield from (f"{name}:{number}" for number in range(int(first), int(last or first) + 1))


def test_every_exchange_is_replayed_or_explained():
    replayed = {record["where"] for chosen in REPLAYED.values() for record in chosen()}
    explained = [where for listed in NOT_REPLAYED.values() for item in listed for where in _lines(item)]
    recorded = {record["where"] for file in WIRE.glob("*.jsonl") for record in records(file.stem)}
    assert sorted(recorded - replayed - set(explained)) == []
    assert sorted(set(explained) - recorded) == []
    assert sorted(replayed & set(explained)) == []
    assert len(explained) == len(set(explained))


@pytest.mark.parametrize("test", REPLAYED)
def test_what_replays_exists_and_takes_its_exchanges_from_there(test):
    file, _, name = test.partition("::")
    source = (TESTS / file).read_text()
    chosen = REPLAYED[test].__name__
    selects = "chains" if chosen == "<lambda>" else chosen
    assert re.search(rf"parametrize\([^\n]*\.{selects}\(\)[^\n]*\)\s*\ndef {name}\(", source)


def test_tests_named_in_reasons_exist():
    named = {name for reason in NOT_REPLAYED for name in re.findall(r"test_\w+\.py", reason)}
    assert sorted(named - {path.name for path in TESTS.rglob("test_*.py")}) == []
