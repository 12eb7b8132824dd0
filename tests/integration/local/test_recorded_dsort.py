"""Recorded exchanges of dSort, sent again: the same answer, or a known difference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shards import make_shard
from wire import Wire, differences, recorded, shape, target_of
from wire_dsort import over
from wire_jobs import put

# By the recording's source -> why ours differs. One that no longer differs must leave the list.
KNOWN = {
    "dsort": "a start without dsorter_type is refused there by an accident of the protocol between its nodes",
    "sdk_np": "recorded on a cluster that was built without dSort",
}
RUN: dict[str, Any] = {
    "input_bck": {"name": "dsort-recorded"},
    "input_format": {"template": "in-{0..1}"},
    "input_extension": ".tar",
    "output_bck": {"name": "dsort-recorded-out"},
    "output_format": "out-{0..9}",
    "description": "recorded",
}


def _exchanges() -> list[Any]:
    return [pytest.param(record, id=f"{record['src']}-{record['n']}") for record in recorded("dsort")]


def _stage(wire: Wire, spec: dict[str, Any]) -> None:
    """Make what a recorded specification reads."""
    bucket = spec["input_bck"]["name"]
    wire.create(bucket)
    prefix = spec["input_format"]["template"].partition("{")[0]
    members = [(f"r{number}.{kind}", b"7") for number in range(3) for kind in ("txt", "loss", "cls")]
    put(wire, bucket, {f"{prefix}{number}.tar": make_shard(".tar", members) for number in range(10)})
    if spec.get("ekm_file"):
        put(wire, bucket, {"ekm-file.json": b'{"out-%d": ["r"]}'})
        spec["ekm_file"] = spec["ekm_file"].replace("http://PROXY_CTRL", wire.endpoint)
        spec["ekm_file"] = spec["ekm_file"].replace("http://PROXY", wire.endpoint)


def _run(wire: Wire, *, fails: bool) -> str:
    """A run that is over, of the recorded kind."""
    wire.create("dsort-recorded")
    members = [(f"r{number}.txt", b"x" * 100) for number in range(4)]
    shards = {f"in-{number}.tar": make_shard(".tar", members) for number in range(2)}
    put(wire, "dsort-recorded", shards)
    algorithm = {"kind": "content", "extension": ".nope", "content_key_type": "int"} if fails else {}
    run_id = wire.ok("POST", "/v1/sort", {**RUN, "algorithm": algorithm}).body.decode()
    over(wire, run_id)
    return run_id


def _errors() -> list[Any]:
    found = [record for record in recorded("errors") if record["via"] == "raw"]
    return [
        pytest.param(record, id=record["case"].removeprefix("dsort: ").replace(" ", "-"))
        for record in found
        if record["case"].startswith("dsort: ")
    ]


@pytest.mark.parametrize("record", _errors())
def test_recorded_error(wire: Wire, record: dict[str, Any]) -> None:
    wire.create("errbck")
    request = record["request"]
    body = request["body"].encode() if isinstance(request["body"], str) else request["body"]
    answer = wire(request["method"], request["path"], body, {"Content-Type": "application/json"})
    if "exception" in record:
        # The cluster dropped the connection.
        assert answer.status == 400
        assert "[dsort] parse-spec: " in answer.error["message"] or "template" in answer.error["message"]
        return
    found = differences(record["status"], record["resp_headers"], record["body"], answer, all_headers=False)
    assert not found, (found, answer)


def test_the_list_is_shaped_like_the_recorded_one(wire: Wire) -> None:
    [record] = [r for r in recorded("errors") if r["case"] == "dsort: metrics unknown id"]
    _run(wire, fails=False)
    ours = json.loads(wire.ok("GET", "/v1/sort").body)[-1]
    _same(shape(record["body"]["json"][0]), shape(ours))


def _is_aborted(record: dict[str, Any]) -> bool:
    states = (record["response"]["body"].get("json") or {}).values()
    return any(isinstance(state, dict) and state.get("aborted") for state in states)


@pytest.mark.parametrize("record", _exchanges())
def test_recorded_exchange(wire: Wire, record: dict[str, Any]) -> None:
    request, response = record["request"], record["response"]
    message = request["body"]["json"] if request["body"] else None
    target = target_of(request)
    if request["method"] == "POST":
        _stage(wire, message)
    elif request["method"] == "GET":
        target = target_of(request, uuid=_run(wire, fails=_is_aborted(record)))
    elif "uuid" in dict(request["query"]):
        target = target_of(request, uuid="")
    answer = wire(request["method"], target, message, {"Content-Type": "application/json"})
    found = differences(response["status"], response["headers"], response["body"], answer)
    if found and record["src"] in KNOWN:
        assert answer.status == 200
        return
    assert not found, (found, answer)
    if request["method"] == "GET":
        _same_fields(response["body"]["json"], json.loads(answer.body))
    elif request["method"] == "POST":
        over(wire, answer.body.decode())


def _same_fields(want: dict[str, Any], got: dict[str, Any]) -> None:
    """Every target's state has the same fields; which phases were reached differs from run to run."""
    states = [shape(state) for state in want.values()], [shape(state) for state in got.values()]
    for theirs, ours in zip(*states, strict=True):
        _same(theirs, ours)


def _same(want: Any, got: Any) -> None:
    if isinstance(want, dict):
        optional = {"errors", "warnings", "started_meta_sorting", "started_shard_creation"}
        optional |= {"finished_shard_creation"}
        assert set(want) - optional == set(got) - optional
        for key in set(want) & set(got):
            _same(want[key], got[key])
    else:
        assert want == got
