"""Jobs on many objects, asked for as raw requests."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from wire import Wire
from wire_jobs import act, ended, get, names, put, quote_bck, run

from aistore.local import LocalCluster


def snapshots(wire: Wire, job_id: str) -> list[dict[str, Any]]:
    answer = json.loads(wire.ok("GET", "/v1/cluster?what=qryxstats", {"id": job_id}).body)
    return [snapshot for found in answer.values() for snapshot in found]


@pytest.fixture
def src(wire: Wire) -> str:
    for bucket in ("src", "dst", "new"):
        wire.destroy(bucket)
    wire.create("src")
    wire.create("dst")
    put(wire, "src", {f"d/{n:02d}.txt": b"x" * n for n in range(12)})
    return "src"


def test_copying_a_bucket_makes_the_destination_and_counts(wire: Wire, src: str) -> None:
    value = {"prepend": "new-", "prefix": "d/", "ext": {"txt": "up"}}
    status = run(wire, "POST", src, "copy-bck", value, f"?bck_to={quote_bck('new')}")
    assert status["err"] == ""
    assert names(wire, "new") == [f"new-d/{n:02d}.up" for n in range(12)]
    assert get(wire, "new", "new-d/07.up") == b"x" * 7
    found = snapshots(wire, status["uuid"])
    assert len(found) == 2
    assert sum(int(snapshot["stats"]["loc-objs"]) for snapshot in found) == 12
    assert sum(int(snapshot["stats"]["loc-bytes"]) for snapshot in found) == sum(range(12))
    moved = [sum(int(snapshot["stats"][key]) for snapshot in found) for key in ("out-objs", "in-objs")]
    assert moved[0] == moved[1]


def test_a_dry_run_copies_nothing(wire: Wire, src: str) -> None:
    status = run(wire, "POST", src, "copy-bck", {"dry_run": True}, f"?bck_to={quote_bck('dst')}")
    assert status["err"] == ""
    assert names(wire, "dst") == []
    assert sum(int(snapshot["stats"]["loc-objs"]) for snapshot in snapshots(wire, status["uuid"])) == 12


def test_not_like_the_cluster_each_request_has_its_own_options(wire: Wire, src: str) -> None:
    """On a cluster the options of the first of two requests between the same buckets hold for both."""
    to = {"tobck": {"name": "dst"}}
    first = act(wire, "POST", src, "copy-listrange", {"objnames": ["d/01.txt"], "prepend": "a-", **to}).body
    second = act(wire, "POST", src, "copy-listrange", {"objnames": ["d/02.txt"], "dry_run": True, **to}).body
    third = act(
        wire, "POST", src, "copy-listrange", {"template": "d/{03..04}.txt", "prepend": "c-", **to}
    ).body
    for job_id in (first, second, third):
        ended(wire, job_id.decode())
    assert names(wire, "dst") == ["a-d/01.txt", "c-d/03.txt", "c-d/04.txt"]


def test_copying_within_a_bucket_does_not_feed_on_itself(wire: Wire, src: str) -> None:
    value = {"template": "*", "prepend": "d/x", "tobck": {"name": src}}
    assert run(wire, "POST", src, "copy-listrange", value)["err"] == ""
    assert len(names(wire, src)) == 24


def test_a_missing_name_of_a_list_ends_a_copy_unless_it_is_told_to_go_on(wire: Wire, src: str) -> None:
    value = {"objnames": ["nope", "d/01.txt"], "tobck": {"name": "dst"}}
    status = run(wire, "POST", src, "copy-listrange", value)
    assert status["aborted"]
    assert "nope" in status["err"]
    status = run(wire, "POST", src, "copy-listrange", {**value, "coer": True})
    assert not status["aborted"]
    assert "nope" in status["err"]
    assert names(wire, "dst") == ["d/01.txt"]


def test_deleting_goes_on_past_missing_names_and_says_so(wire: Wire, src: str) -> None:
    status = run(wire, "DELETE", src, "delete-listrange", {"objnames": ["d/01.txt", "nope", "d/02.txt"]})
    assert "ais://src/nope does not exist" in status["err"]
    assert len(names(wire, src)) == 10
    assert run(wire, "DELETE", src, "delete-listrange", {"template": "d/{03..99}.txt"})["err"] == ""
    assert names(wire, src) == ["d/00.txt"]


@pytest.mark.parametrize("value", [None, {}, {"objnames": []}, {"template": ""}])
def test_an_empty_selection_deletes_nothing(wire: Wire, src: str, value: Any) -> None:  # defect 44
    assert act(wire, "DELETE", src, "delete-listrange", value).status == 400
    assert len(names(wire, src)) == 12


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4"])
def test_objects_go_into_an_archive_in_order_and_more_are_appended(wire: Wire, src: str, suffix: str) -> None:
    shard = f"shard{suffix}"
    value = {"objnames": ["d/03.txt", "d/01.txt"], "archname": shard, "tobck": {"name": "dst"}}
    assert run(wire, "PUT", src, "archive", value)["err"] == ""
    more = {
        "template": "d/{04..05}.txt",
        "archname": shard,
        "tobck": {"name": "dst"},
        "aate": True,
        "isbn": True,
    }
    assert run(wire, "PUT", src, "archive", more)["err"] == ""
    expected = {"d/03.txt": b"xxx", "d/01.txt": b"x", "src/d/04.txt": b"xxxx", "src/d/05.txt": b"xxxxx"}
    for name, data in expected.items():
        assert wire.ok("GET", f"/v1/objects/dst/{shard}?archpath={name}").body == data
    data = io.BytesIO(get(wire, "dst", shard))
    if suffix == ".zip":
        with zipfile.ZipFile(data) as archive:
            assert archive.namelist() == list(expected)
    elif suffix != ".tar.lz4":
        with tarfile.open(fileobj=data) as archive:
            assert archive.getnames() == list(expected)


def test_an_archive_with_a_missing_object_is_not_made_unless_told_to_go_on(wire: Wire, src: str) -> None:
    value = {"objnames": ["d/01.txt", "nope"], "archname": "a.tar", "tobck": {"name": "dst"}}
    assert "nope" in run(wire, "PUT", src, "archive", value)["err"]
    assert names(wire, "dst") == []
    run(wire, "PUT", src, "archive", {**value, "coer": True, "bnonly": True})
    with tarfile.open(fileobj=io.BytesIO(get(wire, "dst", "a.tar"))) as archive:
        assert archive.getnames() == ["01.txt"]


def test_appends_at_the_same_time_lose_nothing(wire: Wire, src: str) -> None:
    jobs = [
        act(
            wire, "PUT", src, "archive", {"objnames": [f"d/{n:02d}.txt"], "archname": "a.tar", "aate": True}
        ).body
        for n in range(8)
    ]
    for job_id in jobs:
        assert ended(wire, job_id.decode())["err"] == ""
    with tarfile.open(fileobj=io.BytesIO(get(wire, src, "a.tar"))) as archive:
        assert sorted(archive.getnames()) == [f"d/{n:02d}.txt" for n in range(8)]


@pytest.mark.parametrize(
    ("method", "action", "value", "query", "status", "message"),
    [
        ("POST", "copy-bck", {}, "", 400, "missing"),
        ("POST", "copy-bck", {}, f"?bck_to={quote_bck('src')}", 400, "onto itself"),
        ("POST", "copy-bck", {"num-workers": "x"}, f"?bck_to={quote_bck('dst')}", 400, "num-workers"),
        ("POST", "copy-listrange", {"objnames": ["a"]}, "", 400, "bucket name is missing"),
        (
            "POST",
            "copy-listrange",
            {"template": "a{2..1}", "tobck": {"name": "dst"}},
            "",
            400,
            "cannot be greater",
        ),
        (
            "POST",
            "copy-listrange",
            {"objnames": ["../a"], "tobck": {"name": "dst"}},
            "",
            400,
            "invalid object name",
        ),
        (
            "POST",
            "copy-listrange",
            {"objnames": ["a"], "tobck": {"name": "x", "provider": "aws"}},
            "",
            501,
            "no cloud",
        ),
        ("PUT", "archive", {"objnames": ["a"], "archname": "a.bogus"}, "", 400, "unknown file extension"),
        (
            "PUT",
            "archive",
            {"objnames": ["a"], "archname": "a.tar", "mime": ".zip"},
            "",
            400,
            "mime mismatch",
        ),
        (
            "PUT",
            "archive",
            {"objnames": ["a"], "archname": "a.tar", "tobck": {"name": "nope"}},
            "",
            404,
            "does not exist",
        ),
        ("DELETE", "evict-listrange", {"objnames": ["a"]}, "", 400, "expecting remote bucket"),
        ("POST", "prefetch-listrange", {"objnames": ["a"]}, "", 400, "expecting remote bucket"),
        ("POST", "move-bck", None, f"?bck_to={quote_bck('dst')}", 400, "already exists"),
    ],
)
def test_wrong_requests_are_refused_and_start_nothing(
    wire: Wire, src: str, method: str, action: str, value: Any, query: str, status: int, message: str
) -> None:
    answer = act(wire, method, src, action, value, query)
    assert answer.status == status
    assert message in answer.error["message"]


def test_renaming_a_bucket_keeps_its_objects(wire: Wire, src: str) -> None:
    assert run(wire, "POST", src, "move-bck", None, f"?bck_to={quote_bck('new')}")["err"] == ""
    assert wire("HEAD", "/v1/buckets/src").status == 404
    assert get(wire, "new", "d/03.txt") == b"xxx"
    wire.destroy("new")


def test_queries_by_id_kind_bucket_and_state(wire: Wire, src: str) -> None:
    status = run(wire, "POST", src, "copy-bck", {}, f"?bck_to={quote_bck('dst')}")
    for query in (
        {"ID": status["uuid"]},
        {"id": status["uuid"], "kind": "copy-bucket"},
        {"kind": "copy-bck"},
    ):
        found = json.loads(wire.ok("GET", "/v1/cluster?what=status", query).body)
        assert found["uuid"] == status["uuid"]
    listed = json.loads(wire.ok("GET", "/v1/cluster?what=status_all", {"kind": "copy-bck"}).body)
    assert status["uuid"] in [entry["uuid"] for entry in listed]
    assert json.loads(wire.ok("GET", "/v1/cluster?what=status_all", {"kind": "lru"}).body) is None
    running = json.loads(wire.ok("GET", "/v1/cluster?what=running_all", {}).body)
    assert f"copy-bck[{status['uuid']}]" not in running
    found = json.loads(
        wire.ok("GET", "/v1/cluster?what=qryxstats", {"kind": "copy-bck", "bck": {"name": "dst"}}).body
    )
    assert found


@pytest.mark.parametrize(
    ("what", "query", "status"),
    [
        ("status", {"id": "nosuch"}, 404),
        ("status", {}, 400),
        ("status", {"kind": "nosuch"}, 400),
        ("qryxstats", {"id": "nosuch"}, 400),
        ("qryxstats", {"id": "abcdefghij"}, 404),
        ("qryxstats", {"kind": "nosuch"}, 400),
        ("qryxstats", None, 400),
        ("running_all", None, 400),
        ("status", [], 400),
    ],
)
def test_wrong_queries(wire: Wire, what: str, query: Any, status: int) -> None:
    assert wire("GET", f"/v1/cluster?what={what}", query).status == status


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"kind": "lru"}, 200),
        ({"kind": "cleanup"}, 200),
        ({"kind": "rebalance"}, 200),
        ({"kind": "nosuch"}, 400),
        ({"kind": "copy-bck"}, 400),
        ({"kind": "load-lom-cache"}, 400),
        ({"kind": "resilver"}, 501),
        ({}, 400),
    ],
)
def test_what_can_be_started_by_itself(wire: Wire, value: Any, status: int) -> None:
    answer = wire("PUT", "/v1/cluster", {"action": "start", "value": value})
    assert answer.status == status
    if status == 200:
        assert ended(wire, answer.body.decode())["err"] == ""


def test_stopping(wire: Wire) -> None:
    def stop(value: Any) -> int:
        return wire("PUT", "/v1/cluster", {"action": "stop", "value": value}).status

    assert stop({"id": "abcdefghij"}) == 200
    assert stop({"id": "nosuch"}) == 400
    assert stop({}) == 400


def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    with LocalCluster(targets=2, dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("src")
        put(wire, "src", {"a": b"x"})
        done = run(wire, "POST", "src", "copy-bck", {}, f"?bck_to={quote_bck('dst')}")
    with LocalCluster(targets=2, dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        assert json.loads(wire.ok("GET", "/v1/cluster?what=status", {"id": done["uuid"]}).body) == done
