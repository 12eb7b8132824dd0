"""The cluster: its map, health, buckets, statistics and logs."""

from run import raises

from aistore.sdk.enums import LogSeverity, NodeFilter
from aistore.sdk.errors import AISError, InvalidBckProvider
from aistore.sdk.provider import Provider


def check_map(c):
    cluster = c.client.cluster()
    smap = cluster.get_info()
    assert smap.proxy_si.daemon_type == "proxy"
    assert list(smap.pmap) == [smap.proxy_si.daemon_id]
    assert len(smap.tmap) == 2
    assert all(node.daemon_type == "target" for node in smap.tmap.values())
    assert smap.uuid == cluster.get_uuid()
    assert smap.version
    assert smap.creation_time
    assert cluster.get_primary_url() == c.endpoint
    assert cluster.client is not None
    assert cluster.is_ready()
    for node in smap.tmap.values():
        assert node.public_net.direct_url.startswith("http://")


def check_not_ready(c):
    c.endpoint = "http://127.0.0.1:1"
    assert not c.client_without_retries().cluster().is_ready()


def check_buckets(c):
    bucket = c.bucket()
    cluster = c.client.cluster()
    assert bucket.name in {b.name for b in cluster.list_buckets()}
    assert bucket.name in {b.name for b in cluster.list_buckets("")}
    assert bucket.name in {b.name for b in cluster.list_buckets(provider="ais")}
    assert raises(AISError, cluster.list_buckets, Provider.AMAZON).status_code == 400
    raises((InvalidBckProvider, AISError, ValueError), cluster.list_buckets, "no-such-provider")


def check_performance(c):
    c.bucket({"o": b"1" * 1000}).object("o").get_reader().read_all()
    found = c.client.cluster().get_performance()
    assert set(found) == set(c.client.cluster().get_info().tmap)
    for node in found.values():
        assert node["snode"]["daemon_type"] == "target"
        assert "tracker" in node
        assert "capacity" in node


def check_logs(c):
    cluster = c.client.cluster()
    smap = cluster.get_info()
    for severity in (LogSeverity.INFO, LogSeverity.WARNING, LogSeverity.ERROR):
        assert isinstance(cluster.get_node_log(smap.proxy_si.daemon_id, severity), str)
        assert set(cluster.get_cluster_logs(severity, NodeFilter.ALL)) == {*smap.pmap, *smap.tmap}
    assert set(cluster.get_cluster_logs()) == set(smap.tmap)
    assert set(cluster.get_cluster_logs(role=NodeFilter.PROXY)) == set(smap.pmap)
    archive = cluster.get_node_log_archive(next(iter(smap.tmap)))
    assert archive[:2] == b"\x1f\x8b"
    raises(AISError, cluster.get_node_log, "no-such-node")


def check_etls(c):
    assert isinstance(c.client.cluster().list_etls(), list)
    assert isinstance(c.client.cluster().list_etls(stages=["Running", "Aborted"]), list)


def check_nouns(c):
    assert c.client.bucket("b").name == "b"
    assert c.client.job("id", "kind").job_id == "id"
    assert c.client.etl("some-etl").name == "some-etl"
    assert c.client.dsort("id").dsort_id == "id"
    assert len(c.client.batch()) == 0
