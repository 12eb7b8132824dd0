"""Groups of objects: the jobs they start, the names they list, the selections they refuse."""

import pickle

import pytest
from recording_client import RecordingClient, answer
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, InvalidBckProvider
from aistore.sdk.multiobj import ObjectGroup, ObjectRange

SELECTION = {"objnames": ["a", "b"]}
COPY = {
    "prefix": "",
    "prepend": "",
    "dry_run": False,
    "force": False,
    "latest-ver": False,
    "synchronize": False,
}
ETL = {"id": "etl", "request_timeout": "5m", "pipeline": None}


def to(name):
    return {"tobck": {"name": name, "provider": "ais", "namespace": None}}


CALLS = [
    (lambda g, b: g.delete(), "delete", "delete-listrange", SELECTION),
    (lambda g, b: g.copy(b), "post", "copy-listrange", {**SELECTION, **COPY, **to("dst"), "coer": False}),
    (
        lambda g, b: g.copy(b, "p/", True, True, True, True, True, 3),
        "post",
        "copy-listrange",
        {
            **SELECTION,
            "prefix": "",
            "prepend": "p/",
            "dry_run": True,
            "force": True,
            "latest-ver": True,
            "synchronize": True,
            **to("dst"),
            "coer": True,
            "num-workers": 3,
        },
    ),
    (
        lambda g, b: g.transform(b, "etl", ext={"a": "b"}, etl_pipeline=["e2"]),
        "post",
        "etl-listrange",
        {**SELECTION, **COPY, **ETL, "pipeline": ["e2"], "ext": {"a": "b"}, **to("dst"), "coer": False},
    ),
    (
        lambda g, b: g.inspect("etl"),
        "post",
        "etl-listrange",
        {**SELECTION, **COPY, **ETL, "dry_run": True, **to("bck"), "coer": True},
    ),
    (
        lambda g, b: g.archive("a.tar"),
        "put",
        "archive",
        {**SELECTION, "archname": "a.tar", "isbn": False, "aate": False, "coer": False, **to("bck")},
    ),
    (
        lambda g, b: g.archive("a.tgz", ".tgz", b, True, True, True),
        "put",
        "archive",
        {
            **SELECTION,
            "archname": "a.tgz",
            "isbn": True,
            "aate": True,
            "coer": True,
            "mime": ".tgz",
            **to("dst"),
        },
    ),
]


@pytest.mark.parametrize(("call", "method", "action", "value"), CALLS)
def test_requests(call, method, action, value):
    client = RecordingClient([answer("job-1,job-2")])
    group = Bucket("bck", client).objects(obj_names=["a", "b"])
    result = call(group, Bucket("dst", client))
    assert result in ("job-1,job-2", ["job-1", "job-2"])
    json = {"action": action, "name": "", "value": value}
    assert client.calls == [(method, {"path": "buckets/bck", "params": {"provider": "ais"}, "json": json})]


def test_no_job():
    client = RecordingClient([answer("")])
    assert Bucket("bck", client).objects(obj_names=["a"]).copy(Bucket("dst", client)) == []


@pytest.mark.parametrize(
    ("call", "method", "action", "value"),
    [
        (ObjectGroup.evict, "delete", "evict-listrange", {}),
        (ObjectGroup.prefetch, "post", "prefetch-listrange", {"coer": False, "latest-ver": False}),
        (
            lambda g: g.prefetch(5, 6, True, True),
            "post",
            "prefetch-listrange",
            {"coer": True, "latest-ver": True, "blob-threshold": 5, "num-workers": 6},
        ),
    ],
)
def test_only_of_remote_buckets(call, method, action, value):
    client = RecordingClient()
    assert call(Bucket("bck", client, "s3").objects(obj_range=ObjectRange("p", 0, 1))) == "job-id"
    json = {"action": action, "name": "", "value": {"template": "p{0..1..1}", **value}}
    assert client.calls == [(method, {"path": "buckets/bck", "params": {"provider": "aws"}, "json": json})]
    with pytest.raises(InvalidBckProvider):
        call(Bucket("bck", client).objects(obj_names=["a"]))


@pytest.mark.parametrize(
    ("selection", "error"),
    [
        ({}, InvalidArgument),
        ({"obj_names": []}, InvalidArgument),
        ({"obj_template": ""}, InvalidArgument),
        ({"obj_range": ObjectRange("")}, InvalidArgument),
        ({"obj_names": ["a"], "obj_template": "b"}, InvalidArgument),
        ({"obj_range": "p{0..3}"}, InvalidArgumentType),
        ({"obj_names": "abc"}, InvalidArgumentType),
    ],
)
def test_selections_that_mean_everything_or_nothing_are_refused(selection, error):  # defect 44
    with pytest.raises(error):
        Bucket("bck", None).objects(**selection)


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.bck.objects(obj_names=["a/../b"]).delete(),
        lambda g: g.bck.objects(obj_template="a{3..1}").delete(),
        lambda g: g.archive("../a.tar"),
        lambda g: g.copy(g.bck, num_workers=-2),
        lambda g: g.copy("dst"),
        lambda g: g.archive("a.tar", to_bck="dst"),
        lambda g: g.inspect("etl", timeout="5 minutes"),
    ],
)
def test_bad_input_never_leaves(call):
    client = RecordingClient()
    with pytest.raises(InvalidArgument):
        call(Bucket("bck", client).objects(obj_names=["a"]))
    remote = Bucket("bck", client, "s3").objects(obj_names=["a"])
    with pytest.raises(InvalidArgument):
        remote.prefetch(blob_threshold=-1)
    assert client.calls == []


class TestNames:
    group = Bucket("bck", RecordingClient()).objects(obj_template="x{1..3}")

    def test_list(self):
        assert self.group.list_names() == ["x1", "x2", "x3"]

    def test_urls_honour_the_prefix(self):  # defect 15
        assert list(self.group.list_urls(prefix="x2")) == ["http://recording/v1/objects/bck/x2?provider=ais"]
        assert len(list(self.group.list_urls())) == 3

    def test_objects_without_properties(self):
        objects = list(self.group.list_all_objects_iter(prefix="x1", props=None))
        assert [(obj.name, obj.props_cached) for obj in objects] == [("x1", None)]

    def test_objects_with_properties(self):
        def script(request):
            return Answer(headers={"Ais-Name": request.path.rsplit("/", 1)[-1], "Content-Length": "3"})

        with scripted(script) as (server, client):
            group = Bucket("bck", client).objects(obj_template="x{01..20}")
            objects = list(group.list_all_objects_iter())
        assert [obj.name for obj in objects] == [f"x{n:02}" for n in range(1, 21)]
        assert {request.method for request in server.requests} == {"HEAD"}
        assert all(obj.props_cached.size == 3 for obj in objects)


def test_is_a_value():
    bucket = Bucket("bck", None)
    group = bucket.objects(obj_names=["a"])
    assert group == bucket.objects(obj_names=["a"]) != bucket.objects(obj_names=["b"])
    assert group != "a"
    assert hash(group) == hash(bucket.objects(obj_names=["a"]))
    assert pickle.loads(pickle.dumps(group)) == group
    assert repr(group) == "ObjectGroup(Bucket(name='bck', provider='ais'), ObjectNames(['a']))"
    assert len(repr(bucket.objects(obj_names=["a" * 999]))) < 300
    assert "ObjectGroup" in group._repr_html_()


def test_the_client_is_the_buckets():
    group = Bucket("bck", None).objects(obj_names=["a"])
    group.client = client = RecordingClient()
    assert group.client is group.bck.client is client
