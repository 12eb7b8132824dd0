"""The cluster: requests, readiness, nodes asked at the same time."""

import socket
import threading
from typing import List, Optional  # noqa: UP035 - what programs' tests compare with

import pytest
import requests
from recording_client import RecordingClient, answer

from aistore.sdk.cluster import Cluster
from aistore.sdk.enums import LogSeverity, NodeFilter
from aistore.sdk.errors import (
    AISConnectionRefused,
    AISError,
    ErrInvalidResponse,
    ErrServerFailure,
    InvalidBckProvider,
)
from aistore.sdk.types import BucketModel, ETLInfo, JobStatus, NetInfo, Smap, Snode


def smap(url="http://primary:1"):
    node = Snode(daemon_id="p1", daemon_type="proxy", public_net=NetInfo(direct_url=url) if url else None)
    targets = {f"t{n}": Snode(daemon_id=f"t{n}", daemon_type="target") for n in (1, 2, 3)}
    return Smap(tmap=targets, pmap={"p1": node}, proxy_si=node, uuid="uuid")


def cluster_of(*models, answers=()):
    client = RecordingClient(answers, models)
    return Cluster(client), client


def test_map():
    cluster, client = cluster_of(smap())
    assert cluster.get_info().version == 0
    assert (cluster.get_uuid(), cluster.get_primary_url()) == ("uuid", "http://primary:1")
    assert client.calls[0] == ("get", {"path": "daemon", "res_model": Smap, "params": {"what": "smap"}})
    assert cluster.client is client
    assert repr(cluster) == "Cluster('http://recording/v1')"


def test_map_without_the_primarys_address():
    with pytest.raises(ErrInvalidResponse, match="primary"):
        cluster_of(smap(url=""))[0].get_primary_url()


@pytest.mark.parametrize(("provider", "sent"), [("", ""), ("s3", "aws"), ("ais", "ais")])
def test_list_buckets(provider, sent):
    cluster, client = cluster_of([BucketModel(name="b", provider="ais")])
    assert cluster.list_buckets(provider)[0].name == "b"
    wanted = {
        "path": "buckets",
        "res_model": List[BucketModel],  # noqa: UP006
        "params": {"provider": sent},
        "json": {"action": "list", "name": "", "value": None},
    }
    assert client.calls == [("get", wanted)]


def test_unknown_provider():
    cluster, client = cluster_of()
    with pytest.raises(InvalidBckProvider):
        cluster.list_buckets("nfs")
    assert client.calls == []


@pytest.mark.parametrize(
    ("call", "model", "what", "active"),
    [
        (Cluster.list_jobs_status, Optional[List[JobStatus]], "status_all", False),  # noqa: UP006, UP045
        (Cluster.list_running_jobs, List[str], "running_all", True),  # noqa: UP006
    ],
)
def test_lists_of_jobs(call, model, what, active):
    cluster, client = cluster_of(None)
    assert call(cluster, "lru", "t1") == []
    json = {"kind": "lru", "node": "t1", "show_active": active}
    assert client.calls == [
        ("get", {"path": "cluster", "res_model": model, "params": {"what": what}, "json": json})
    ]


def test_list_etls():
    found = [ETLInfo(id="a", stage="Running"), ETLInfo(id="b", stage="Aborted")]
    cluster, client = cluster_of(found)
    assert [etl.id for etl in cluster.list_etls()] == ["a"]
    assert [etl.id for etl in cluster.list_etls(["Aborted"])] == ["b"]
    assert cluster.list_etls([]) == []
    assert client.calls[0] == ("get", {"path": "etl", "res_model": List[ETLInfo]})  # noqa: UP006
    assert cluster_of(None)[0].list_etls() == []


class TestReady:
    def test_asks_the_primary(self):
        cluster, client = cluster_of(smap(), answers=[answer("")])
        assert cluster.is_ready() is True
        wanted = {"path": "health", "endpoint": "http://primary:1", "params": {"prr": "true"}}
        assert client.calls[1] == ("get", wanted)

    @pytest.mark.parametrize(
        "error",
        [
            ErrServerFailure(503, "starting", "", None),
            AISConnectionRefused("refused"),
            requests.exceptions.ConnectTimeout(),
            requests.exceptions.ReadTimeout(),
        ],
    )
    def test_not_ready(self, error):
        assert cluster_of(error)[0].is_ready() is False
        assert cluster_of(smap(), answers=[error])[0].is_ready() is False

    @pytest.mark.parametrize(
        "error",
        [AISError(401, "token", "", None), requests.exceptions.SSLError(), ErrInvalidResponse("not a map")],
    )
    def test_what_will_never_be_ready_is_an_error(self, error):  # defect 20
        with pytest.raises(type(error)):
            cluster_of(error)[0].is_ready()

    def test_unknown_host_is_an_error(self):  # defect 20
        error = requests.exceptions.ConnectionError("no such host")
        error.__cause__ = socket.gaierror(-2, "Name or service not known")
        with pytest.raises(requests.exceptions.ConnectionError):
            cluster_of(error)[0].is_ready()


class NodesTogether(RecordingClient):
    """Answers requests for nodes only when three have come."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.barrier = threading.Barrier(3)

    def request(self, method, **kwargs):
        self.barrier.wait(10)
        return answer(f'"{kwargs["headers"]["Ais-Node-Id"]}"')


class TestNodes:
    def test_are_asked_at_the_same_time(self):  # defect 27
        cluster = Cluster(NodesTogether(models=[smap()]))
        assert cluster.get_performance() == {"t1": "t1", "t2": "t2", "t3": "t3"}
        assert cluster.get_cluster_logs() == {"t1": '"t1"', "t2": '"t2"', "t3": '"t3"'}

    @pytest.mark.parametrize(
        ("role", "nodes"),
        [
            (NodeFilter.TARGET, ["t1", "t2", "t3"]),
            (NodeFilter.PROXY, ["p1"]),
            (NodeFilter.ALL, ["t1", "t2", "t3", "p1"]),
            ("proxy", ["p1"]),
        ],
    )
    def test_roles(self, role, nodes):
        cluster, _ = cluster_of(smap(), answers=[answer("log")])
        assert list(cluster.get_cluster_logs(role=role)) == nodes

    def test_logs(self):
        cluster, client = cluster_of(answers=[answer("log")])
        assert cluster.get_node_log("t1", LogSeverity.ERROR) == "log"
        assert cluster.get_node_log_archive("t1") == b"log"
        common = {"path": "reverse/daemon", "headers": {"Ais-Node-Id": "t1"}}
        assert client.calls == [
            ("get", {**common, "params": {"what": "log", "severity": "error"}}),
            ("get", {**common, "params": {"what": "log", "severity": "info", "all": "true"}}),
        ]

    @pytest.mark.parametrize("node_id", ["", None])
    def test_need_an_id(self, node_id):
        cluster, client = cluster_of()
        with pytest.raises(ValueError, match="node_id"):
            cluster.get_node_log(node_id)
        assert client.calls == []

    def test_malformed_performance(self):  # defect 21
        with pytest.raises(ErrInvalidResponse, match="t1"):
            cluster_of(smap(), answers=[answer("{")])[0].get_performance()
