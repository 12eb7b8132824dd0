"""The cluster's view of itself, metrics, and configuration, over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire import Wire

from aistore.local import hrw


def _get(wire: Wire, target: str, **headers: str) -> Any:
    return json.loads(wire.ok("GET", target, headers=headers).body)


def test_cluster_map(wire: Wire) -> None:
    smap = _get(wire, "/v1/daemon?what=smap")
    assert smap["proxy_si"]["public_net"]["direct_url"] == wire.endpoint
    assert len(smap["tmap"]) == 2
    for node_id, node in {**smap["pmap"], **smap["tmap"]}.items():
        assert node["daemon_id"] == node_id
        assert node["id_digest"] == hrw.digest(node_id)
    assert smap == _get(wire, "/v1/cluster?what=smap")
    for target in smap["tmap"].values():
        base = target["public_net"]["direct_url"]
        assert json.loads(wire("GET", "/v1/daemon?what=smap", base=base).body) == smap
        assert wire("GET", "/v1/health", base=base).status == 200
        assert "ais-node-uptime" not in wire("GET", "/v1/health", base=base).headers


@pytest.mark.parametrize(
    "what", ["smap", "bmd", "snode", "smapvote", "config", "node_stats", "node_status", "sysinfo"]
)
def test_every_view_of_every_node(wire: Wire, what: str) -> None:
    smap = _get(wire, "/v1/daemon?what=smap")
    direct = _get(wire, f"/v1/daemon?what={what}")
    for node_id in (*smap["pmap"], *smap["tmap"]):
        header = {"Ais-Node-Id": node_id}
        answer = json.loads(wire.ok("GET", f"/v1/reverse/daemon?what={what}", headers=header).body)
        assert set(direct) - {"fs_used", "fs_capacity", "pct_fs_used"} <= set(answer)


def test_bucket_metadata_counts_versions(wire: Wire) -> None:
    before = int(_get(wire, "/v1/daemon?what=bmd")["version"])
    wire.create("seen")
    bmd = _get(wire, "/v1/daemon?what=bmd")
    assert "seen" in bmd["providers"]["ais"]["@#"]
    assert int(bmd["version"]) > before
    wire.destroy("seen")


def test_metrics_count_requests_and_bytes(wire: Wire) -> None:
    wire.create("counted")
    wire.ok("PUT", "/v1/objects/counted/o", b"x" * 1000)
    smap = _get(wire, "/v1/daemon?what=smap")
    text = ""
    for target in smap["tmap"].values():
        answer = wire("GET", "/metrics", base=target["public_net"]["direct_url"])
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        text += answer.body.decode()
    lines = [line for line in text.splitlines() if line.startswith("ais_target_put_bytes_total")]
    assert sum(int(line.split()[-1]) for line in lines) >= 1000
    assert "# TYPE ais_target_put_count counter" in text


def test_configuration(wire: Wire) -> None:
    wire.ok("PUT", "/v1/cluster", {"action": "set-config", "value": {"lru": {"enabled": True}}})
    assert _get(wire, "/v1/cluster?what=cluster_config")["lru"]["enabled"] is True
    wire.ok("PUT", "/v1/cluster/set-config?lru.enabled=false")
    assert _get(wire, "/v1/cluster?what=cluster_config")["lru"]["enabled"] is False
    wire.ok("PUT", "/v1/cluster", {"action": "reset-config"})
    assert wire("PUT", "/v1/cluster", {"action": "shutdown"}).status == 501
    assert wire("PUT", "/v1/cluster", {"action": "nosuch"}).status == 400


def test_summary_by_prefix(wire: Wire) -> None:
    wire.create("summed")
    for name, size in (("a/1", 10), ("a/2", 30), ("b", 1000)):
        wire.ok("PUT", f"/v1/objects/summed/{name}", b"x" * size)
    message = {"action": "summary-bck", "value": {"prefix": "a/"}}
    begun = wire("GET", "/v1/buckets/summed", message)
    assert begun.status == 202
    message["value"] = {"uuid": begun.body.decode()}
    summary = json.loads(wire.ok("GET", "/v1/buckets/summed", message).body)[0]
    assert summary["ObjCount"]["obj_count_present"] == "2"
    assert summary["ObjSize"] == {"obj_min_size": 10, "obj_avg_size": 20, "obj_max_size": 30}
    everything = wire("GET", "/v1/buckets", {"action": "summary-bck", "value": {}})
    assert everything.status == 202
