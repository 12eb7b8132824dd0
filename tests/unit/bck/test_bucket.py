"""Buckets: identity, control requests, what is refused before a request."""

import pickle

import pytest
from recording_client import RecordingClient, answer

from aistore.sdk.bucket import Bucket
from aistore.sdk.const import HTTP_METHOD_POST
from aistore.sdk.errors import (
    ErrBckAlreadyExists,
    ErrBckNotFound,
    ErrInvalidResponse,
    InvalidArgument,
    InvalidBckProvider,
)
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider

COPY = {
    "prefix": "",
    "prepend": "",
    "dry_run": False,
    "force": False,
    "latest-ver": False,
    "synchronize": False,
}
ETL = {"id": "etl", "request_timeout": "5m", "pipeline": None}


def action(name, value=None):
    return {"action": name, "name": "", "value": value}


@pytest.fixture
def client():
    return RecordingClient()


@pytest.fixture
def bucket(client):
    return Bucket("bck", client)


@pytest.fixture
def remote(client):
    return Bucket("bck", client, "s3")


class TestIdentity:
    def test_names(self, client):
        bucket = Bucket("bck", client, "gs", Namespace(uuid="u", name="n"))
        assert (bucket.name, bucket.provider, bucket.client) == ("bck", Provider.GOOGLE, client)
        assert bucket.qparam == {"provider": "gcp", "namespace": "@u#n"}
        assert bucket.get_path() == "gcp/@u#n/bck/" == bucket.as_model().get_path()
        assert repr(bucket) == "Bucket(name='bck', provider='gcp', namespace=Namespace(uuid='u', name='n'))"
        assert "<code>gcp://bck</code> in @u#n" in bucket._repr_html_()

    def test_unknown_provider(self):
        with pytest.raises(InvalidBckProvider, match="nfs"):
            Bucket("bck", None, "nfs")

    def test_equal_when_they_name_the_same_bucket(self, client):
        bucket = Bucket("bck", client)
        assert bucket == Bucket("bck", client) == Bucket("bck", RecordingClient())
        assert hash(bucket) == hash(Bucket("bck", client, namespace=Namespace()))
        assert bucket != Bucket("other", client)
        assert bucket != Bucket("bck", client, Provider.AMAZON)
        assert bucket != Bucket("bck", client, namespace=Namespace(name="n"))
        assert bucket != "bck"

    def test_pickles(self):
        bucket = Bucket("bck", None, "s3", Namespace(name="n"))
        assert pickle.loads(pickle.dumps(bucket)) == bucket
        assert len(pickle.dumps(bucket)) < 500

    def test_client_can_be_set(self, bucket):
        other = RecordingClient()
        bucket.client = other
        assert bucket.client is other

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a b", "a?b", "*"])
    def test_bad_names_never_leave(self, client, name):  # defect 2
        bucket = Bucket(name, client)
        for call in (
            bucket.create,
            bucket.delete,
            bucket.head,
            bucket.list_objects,
            bucket.info,
            bucket.summary,
        ):
            with pytest.raises(InvalidArgument, match="bucket name"):
                call()
        with pytest.raises(InvalidArgument, match="bucket name"):
            Bucket("good", client).copy(bucket)
        with pytest.raises(InvalidArgument, match="bucket name"):
            Bucket("good", client).rename(name)
        assert client.calls == []

    def test_without_a_client(self):
        with pytest.raises(ValueError, match="requires a client"):
            Bucket("bck", None).create()


@pytest.mark.parametrize(
    ("call", "method", "json"),
    [
        (lambda b: b.create(), "post", action("create-bck")),
        (lambda b: b.create(props={"versioning": {"enabled": False}}), "post",
         action("create-bck", {"versioning": {"enabled": False}})),
        (lambda b: b.delete(), "delete", action("destroy-bck")),
        (lambda b: b.create_inventory(), "post", action("create-inventory", {})),
        (lambda b: b.create_inventory("n", "p", "size", 5, True), "post",
         action("create-inventory",
                {"name": "n", "prefix": "p", "props": "size", "names_per_chunk": 5, "force": True})),
        (lambda b: b.destroy_inventory("n"), "delete", {**action("destroy-inventory"), "name": "n"}),
    ],
)  # fmt: skip
def test_requests(bucket, client, call, method, json):
    call(bucket)
    assert client.calls == [(method, {"path": "buckets/bck", "params": {"provider": "ais"}, "json": json})]


ALL_COPY = {
    "prefix": "p",
    "prepend": "q/",
    "dry_run": True,
    "force": True,
    "latest-ver": True,
    "synchronize": True,
}
JOBS = [
    (lambda b, to: b.copy(to), "copy-bck", COPY, "dst"),
    (
        lambda b, to: b.copy(to, "p", "q/", {"a": "b"}, True, True, True, True, 5),
        "copy-bck",
        {**ALL_COPY, "ext": {"a": "b"}, "num-workers": 5},
        "dst",
    ),
    (lambda b, to: b.transform("etl", to), "etl-bck", {**COPY, **ETL}, "dst"),
    (
        lambda b, to: b.transform("etl", to, num_workers=-1, cont_on_err=True, etl_pipeline=["e2"]),
        "etl-bck",
        {**COPY, **ETL, "pipeline": ["e2"], "num-workers": -1, "coer": True},
        "dst",
    ),
    (lambda b, to: b.inspect("etl"), "etl-bck", {**COPY, **ETL, "dry_run": True, "coer": True}, "bck"),
    (lambda b, to: b.rename("new"), "move-bck", None, "new"),
]


@pytest.mark.parametrize(("call", "name", "value", "to"), JOBS)
def test_jobs(bucket, client, call, name, value, to):
    assert call(bucket, Bucket("dst", client)) == "job-id"
    params = {"provider": "ais", "bck_to": f"ais/@#/{to}/"}
    assert client.calls == [("post", {"path": "buckets/bck", "params": params, "json": action(name, value)})]


def test_rename_takes_the_new_name(bucket):
    before = bucket.object("o")
    bucket.rename("new")
    assert bucket.name == "new"
    after = bucket.object("o")
    assert (before.bucket_name, after.bucket_name) == ("bck", "new")
    assert after.uname == "ais/@#/new/o"


def test_evict(remote, client):
    remote.evict(keep_md=True)
    assert client.calls == [
        (
            "delete",
            {
                "path": "buckets/bck",
                "params": {"provider": "aws", "keep_bck_md": "True"},
                "json": action("evict-remote-bck"),
            },
        )
    ]


def test_make_request_with_own_parameters(bucket, client):
    bucket.make_request(HTTP_METHOD_POST, "act", {"a": 1}, {"q": 1}, "name")
    wanted = {
        "path": "buckets/bck",
        "params": {"q": 1},
        "json": {"action": "act", "name": "name", "value": {"a": 1}},
    }
    assert client.calls == [("post", wanted)]


def test_head_returns_headers():
    bucket = Bucket("bck", RecordingClient([answer(headers={"Ais-Bucket-Props": "{}"})]))
    headers = bucket.head()
    assert headers["ais-bucket-props"] == "{}"
    assert dict(headers) == {"Ais-Bucket-Props": "{}"}


@pytest.mark.parametrize("call", ["create", "delete", "rename"])
def test_only_of_ais_buckets(remote, client, call):
    with pytest.raises(InvalidBckProvider):
        getattr(remote, call)(*(["new"] if call == "rename" else []))
    assert client.calls == []


def test_evict_only_of_remote_buckets(bucket, client):
    with pytest.raises(InvalidBckProvider):
        bucket.evict()
    assert client.calls == []


def test_exist_ok_and_missing_ok():
    exists = Bucket("bck", RecordingClient([ErrBckAlreadyExists(409, "there", "", None)]))
    missing = Bucket("bck", RecordingClient([ErrBckNotFound(404, "not there", "", None)]))
    assert exists.create(exist_ok=True) is exists
    missing.delete(missing_ok=True)
    with pytest.raises(FileExistsError):
        exists.create()
    with pytest.raises(FileNotFoundError):
        missing.delete()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda b: b.copy("dst"), "to_bck"),
        (lambda b: b.copy(b, ext=["jpg"]), "ext"),
        (lambda b: b.copy(b, num_workers=-2), "num_workers"),
        (lambda b: b.transform("etl", b, num_workers=1.5), "num_workers"),
        (lambda b: b.inspect("etl", num_workers=True), "num_workers"),
        (lambda b: b.inspect("etl", timeout="soon"), "duration"),
        (lambda b: b.transform("etl", b, timeout=""), "duration"),
        (lambda b: b.create_inventory(names_per_chunk=-1), "names_per_chunk"),
    ],
)
def test_bad_arguments_never_leave(bucket, client, call, named):
    with pytest.raises(InvalidArgument, match=named):
        call(bucket)
    assert client.calls == []


def test_show_inventory():
    bucket = Bucket(
        "bck", RecordingClient([answer('{"aws/@#/b/inv": {"name": "inv", "ntotal": 3, "new": 1}}')])
    )
    assert bucket.show_inventory()["aws/@#/b/inv"].ntotal == 3


@pytest.mark.parametrize("text", ["", "[]x", "[1]", '{"a": 1}'])
def test_malformed_inventories(text):  # defect 21
    with pytest.raises(ErrInvalidResponse):
        Bucket("bck", RecordingClient([answer(text)])).show_inventory()


def test_object_and_objects(bucket):
    assert (bucket.object("o").name, bucket.object("o").bucket_name) == ("o", "bck")
    assert bucket.objects(obj_names=["a"]).list_names() == ["a"]
