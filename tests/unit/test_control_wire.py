"""Control calls are those of the 2.0.0 package: recorded requests are made, recorded answers understood."""

import json
from functools import partial

import pytest
from recordings import plain, records, unmarked
from replay import control
from replay.control import before, bucket_of, recorded_answer, recorded_json, same
from scripted import Answer, Request, scripted

from aistore.sdk.authn.errors import AuthNError
from aistore.sdk.authn.types import ClusterList, RoleInfo, RolesList, UserInfo, UserMap
from aistore.sdk.cluster import Cluster
from aistore.sdk.enums import LogSeverity, NodeFilter
from aistore.sdk.errors import AISError, ErrBckNotFound
from aistore.sdk.types import AggregatedJobSnap, BucketEntry, JobStatus, Smap


@pytest.mark.parametrize("record", control.chosen(), ids=lambda record: f"{record['where']}-{record['api']}")
def test_recorded_call(record):
    matched = []

    def script(request: Request) -> Answer:
        if same(request, record):
            matched.append(request)
            return recorded_answer(record)
        # The address of the scripted server stands where the recorded one was.
        if (
            record["api"] == "ClusterManager.register"
            and request.method == record["request"]["method"] == "POST"
        ):
            sent, wanted = json.loads(request.body), recorded_json(record)
            assert {**sent, "urls": []} == {**wanted, "urls": []}
            matched.append(request)
            return recorded_answer(record)
        return before(record, request)

    with scripted(script, tls=record["src"] == "https") as (server, client):
        play = partial(control.PLAYERS[record["api"].split(".")[0]], record, client)
        if record["api"] == "Cluster.is_ready" and record["request"]["path"] == "/v1/health":
            client.get_smap = None
            answered = client.request(
                "get", path="health", params=dict(record["request"]["query"]), endpoint=server.endpoint
            )
            assert answered.status_code == 200
            return
        if record["api"] in ("Cluster.is_ready", "Cluster.get_primary_url", "Cluster.get_uuid"):
            assert isinstance(Cluster(client).get_info(), Smap)
        elif record["api"] == "Cluster.get_performance":
            node = unmarked(record["request"]["headers"]["Ais-Node-Id"])
            answered = Cluster(client)._node_request(node, {"what": "node_status"})
            assert isinstance(answered.json(), dict)
        elif record["response"]["status"] >= 400:
            with pytest.raises((AISError, AuthNError)) as caught:
                play()
            assert caught.value.status_code == record["response"]["status"]
        else:
            _check(record, play())
    assert matched, f"none of {server.requests} is the recorded request"


def _check(record, result) -> None:
    """The recorded answer was understood."""
    body = record["response"]["body"] or {}
    if "msgpack" in body:
        wanted = plain(body["msgpack"])
        assert (result.uuid, result.continuation_token) == (wanted["UUID"], wanted["ContinuationToken"])
        assert [entry.name for entry in result.entries] == [entry["n"] for entry in wanted["Entries"] or ()]
        assert all(
            isinstance(entry, BucketEntry) and entry.object.name == entry.name for entry in result.entries
        )
    elif isinstance(result, AggregatedJobSnap):
        assert result.list_snapshots()
    elif isinstance(result, JobStatus):
        assert result.end_time == plain(body["json"])["end_time"]
    elif isinstance(result, (ClusterList, RolesList, UserMap)):
        assert json.loads(result.model_dump_json()) is not None
    elif isinstance(result, (RoleInfo, UserInfo)) and body.get("json", {}).get("name"):
        assert result.name == body["json"]["name"]


def test_error_of_a_missing_bucket():
    record = next(
        r for r in records("bucket") if r["api"] == "Bucket.delete" and r["response"]["status"] == 404
    )
    with scripted(lambda _request: recorded_answer(record)) as (_, client):
        bucket = bucket_of(record, client)
        with pytest.raises(ErrBckNotFound, match="does not exist"):
            bucket.delete()
        bucket.delete(missing_ok=True)


def test_logs_are_asked_of_the_chosen_nodes():
    smap = {
        "tmap": {"t1": {"daemon_id": "t1", "daemon_type": "target"}},
        "pmap": {"p1": {"daemon_id": "p1", "daemon_type": "proxy"}},
        "proxy_si": {"daemon_id": "p1", "daemon_type": "proxy"},
    }

    def script(request: Request) -> Answer:
        if request.path == "/v1/daemon":
            return Answer(json.dumps(smap).encode())
        return Answer(f"log of {request.headers['ais-node-id']}".encode())

    with scripted(script) as (_, client):
        logs = Cluster(client).get_cluster_logs(LogSeverity.ERROR, NodeFilter.ALL)
    assert logs == {"t1": "log of t1", "p1": "log of p1"}
