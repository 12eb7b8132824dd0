"""Jobs that keep a cluster in order: done, or refused, never silently neither."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shards import make_shard
from wire import Answer, Wire
from wire_jobs import act, ended, names, put, run

from aistore.local import LocalCluster


@pytest.fixture
def src(wire: Wire) -> str:
    wire.destroy("kept")
    wire.create("kept")
    put(wire, "kept", {f"{number}.txt": b"x" * 10 for number in range(5)})
    return "kept"


def start(wire: Wire, kind: str, **about: Any) -> Answer:
    return wire("PUT", "/v1/cluster", {"action": "start", "value": {"Kind": kind, **about}})


def snapshots(wire: Wire, job_id: str) -> dict[str, list[dict[str, Any]]]:
    return json.loads(wire.ok("GET", "/v1/cluster?what=qryxstats", {"id": job_id}).body)


def counted(wire: Wire, job_id: str) -> int:
    return sum(int(found[0]["stats"]["loc-objs"]) for found in snapshots(wire, job_id).values())


def test_a_rebalance_is_numbered_and_has_nothing_to_move(wire: Wire, src: str) -> None:
    first, second = (start(wire, "rebalance").body.decode() for _ in range(2))
    assert int(second[1:]) == int(first[1:]) + 1
    assert first[0] == "g"
    status = ended(wire, second)
    assert (status["err"], status["aborted"]) == ("", False)
    assert counted(wire, second) == 0


def test_a_resilver_is_of_one_target(wire: Wire) -> None:
    nodes = list(json.loads(wire.ok("GET", "/v1/daemon?what=smap").body)["tmap"])
    job_id = start(wire, "resilver", DaemonID=nodes[1]).body.decode()
    ended(wire, job_id)
    assert list(snapshots(wire, job_id)) == [nodes[1]]
    assert start(wire, "resilver").status == 501
    assert start(wire, "resilver", DaemonID="nope").status == 404


def test_a_cleanup_waits_until_the_files_are_gone(wire: Wire, cluster: LocalCluster, src: str) -> None:
    put(wire, src, {f"{number}.txt": b"y" for number in range(5)})
    wire.ok("DELETE", f"/v1/objects/{src}/0.txt")
    wire.create("dropped")
    put(wire, "dropped", {"a.dropped": b"z"})
    wire.destroy("dropped")
    status = ended(wire, start(wire, "cleanup").body.decode())
    assert status["kind"] == "cleanup-store"
    assert len(list(cluster.dir.glob("t*/*/*/*.txt"))) == len(names(wire, src)) == 4
    assert not list(cluster.dir.glob("t*/*/*/*.dropped"))
    [what] = {found[0]["ctlmsg"] for found in snapshots(wire, status["uuid"]).values()}
    assert what.startswith("removed ")


@pytest.mark.parametrize("kind", ["load-lom-cache", "warm-up-metadata"])
def test_warming_up_looks_at_every_object(wire: Wire, src: str, kind: str) -> None:
    job_id = start(wire, kind, Bck={"name": src}).body.decode()
    ended(wire, job_id)
    assert counted(wire, job_id) == 5


def test_one_copy_is_what_there_is(wire: Wire, src: str) -> None:
    assert counted(wire, run(wire, "POST", src, "make-n-copies", "1")["uuid"]) == 5
    for copies in (2, "3"):
        answer = act(wire, "POST", src, "make-n-copies", copies)
        assert answer.status == 400
        assert "exceeds the number of mountpaths" in answer.error["message"]
    assert start(wire, "mirror", Bck={"name": src}).status == 400
    for wrong in (0, None, "x", 33, True):
        assert act(wire, "POST", src, "make-n-copies", wrong).status == 400


def test_erasure_coding_needs_more_targets(wire: Wire, src: str) -> None:
    slices = {"data_slices": 2, "parity_slices": 1}
    for answer in (
        act(wire, "POST", src, "ec-encode", slices),
        act(wire, "POST", src, "ec-encode", None),
        start(wire, "ec-encode", Bck={"name": src}),
    ):
        assert (answer.status, answer.error["tcode"]) == (400, "ErrNotEnoughTargets")
    assert "data_slices must be" in act(wire, "POST", src, "ec-encode", {"data_slices": -1}).error["message"]


def test_rechunking_is_refused(wire: Wire, src: str) -> None:
    assert act(wire, "POST", src, "rechunk", {"chunk-size": "1MiB"}).status == 501
    assert start(wire, "rechunk", Bck={"name": src}).status == 501
    assert start(wire, "rechunk").status == 400


def test_lru_is_refused_where_it_would_have_to_evict(wire: Wire, src: str) -> None:
    assert ended(wire, start(wire, "lru", Bck={"name": src}).body.decode())["err"] == ""
    change = {"action": "set-bprops", "value": {"lru": {"enabled": True}}}
    wire.ok("PATCH", f"/v1/buckets/{src}", change)
    assert start(wire, "lru", Bck={"name": src}).status == 501
    assert start(wire, "lru").status == 501
    wire.destroy(src)


def test_blob_downloads_are_for_remote_buckets(wire: Wire, src: str) -> None:
    message = {"action": "blob-download", "name": "0.txt", "value": {"latest-ver": False}}
    answer = wire("POST", f"/v1/objects/{src}?provider=ais", message)
    assert (answer.status, answer.error["tcode"]) == (400, "ErrNotRemoteBck")
    assert answer.error["message"] == f"blob-download: expecting remote bucket (have ais://{src})"
    assert start(wire, "blob-download", Bck={"name": src}).error["tcode"] == "ErrNotRemoteBck"


def test_not_like_the_cluster_a_blob_get_of_an_object_that_is_here_gives_it(wire: Wire, src: str) -> None:
    """A cluster answers 200 without a byte."""
    headers = {"Ais-Blob-Download": "true", "Ais-Blob-Chunk": "1mb"}
    assert wire("GET", f"/v1/objects/{src}/0.txt", None, headers).body == b"x" * 10


def summary(wire: Wire, bucket: str, **value: Any) -> dict[str, str]:
    answer = act(wire, "GET", bucket, "summary-shard", value)
    assert answer.status == 202
    job_id = answer.body.decode()
    ended(wire, job_id)
    return json.loads(
        wire.ok("GET", f"/v1/buckets/{bucket}", {"action": "summary-shard", "value": {"uuid": job_id}}).body
    )


def test_indexes_of_shards(wire: Wire, src: str) -> None:
    tar = make_shard(".tar", [(f"{number}", b"m") for number in range(7)])
    put(wire, src, {"in-0.tar": tar, "in-1.tar": tar, "out-0.tar": tar, "in-2.zip": b"no tar"})
    before = summary(wire, src)
    assert (before["tar-objs"], before["shards"]) == ("3", "0")
    status = run(wire, "POST", src, "index-shard", {"prefix": "in-", "num-workers": 0, "skip-verify": False})
    assert status["err"] == ""
    assert counted(wire, status["uuid"]) == 2
    assert summary(wire, src) == {
        "tar-objs": "3",
        "tar-size": str(3 * len(tar)),
        "shards": "2",
        "shard-size": str(2 * len(tar)),
        "archived-objs": "14",
        "stale-indexes": "0",
        "invalid-indexes": "0",
    }
    assert summary(wire, src, prefix="out")["shards"] == "0"
    put(wire, src, {"in-3.tar": b"damaged" * 100})
    assert "in-3.tar" in run(wire, "POST", src, "index-shard", {})["err"]


def test_summaries_of_shards_that_do_not_exist(wire: Wire, src: str) -> None:
    assert act(wire, "GET", src, "summary-shard", {"uuid": "nope"}).status == 404
    assert act(wire, "GET", src, "summary-shard", {"prefix": 7}).status == 400
    assert act(wire, "POST", src, "index-shard", "x").status == 400
