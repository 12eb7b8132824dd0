"""Reading many objects in order: which request reads what, and what happens when Get-Batch cannot."""

import json

import pytest
from archives import archive_of
from scripted import Answer, Request, scripted

from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.fetch import Fetcher, Wanted
from aistore.sdk.errors import AISReadTimeout
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.models.listing import BucketEntry
from aistore.sdk.obj.object import BucketDetails, Object
from aistore.sdk.provider import Provider

STORED = {f"{number:02}": f"content {number}".encode() for number in range(10)}
NOT_FOUND = {"tcode": "ErrNotFound", "message": "ais://bck/x does not exist", "status": 404}


class Cluster:
    """Answers GETs, and Get-Batches as far as it is told."""

    def __init__(self, has_get_batch=True, unseen=(), cut=None):
        self.has_get_batch, self.unseen, self.cut = has_get_batch, unseen, cut
        self.asked = []

    def __call__(self, request: Request) -> Answer:
        if "/ml/moss" in request.path:
            names = [entry["objname"] for entry in json.loads(request.body)["in"]]
            self.asked.append(names)
            if not self.has_get_batch:
                return Answer(json.dumps({"message": "invalid request URI", "status": 400}).encode(), 400)
            members = [
                (f"bck/{name}", STORED[name])
                if name in STORED and name not in self.unseen
                else (f"__404__/bck/{name}", b"")
                for name in names
            ]
            return Answer(archive_of(".tar", members), chunked=True, cut=self.cut)
        name = request.path.rpartition("/")[2]
        self.asked.append(name)
        if name not in STORED:
            return Answer(json.dumps(NOT_FOUND).encode(), 404)
        return Answer(STORED[name])


def named(client, name, size=None, path="ais/@#/bck/"):
    props = None if size is None else BucketEntry(name, s=size)
    provider = Provider.AIS if path.startswith("ais") else Provider.AMAZON
    return Object(client, BucketDetails("bck", provider, {"provider": provider.value}, path), name, props)


def fetch(cluster, names, max_batch_size=4, make=named):
    with scripted(cluster) as (_, client):
        fetcher = Fetcher(max_batch_size)
        found = []
        for group in fetcher.split([Wanted(make(client, name)) for name in names]):
            found += fetcher.read(group)
    return [(got.wanted.obj.name, got.content if got.error is None else got.error) for got in found]


def test_small_objects_are_read_with_get_batch():
    cluster = Cluster()
    assert fetch(cluster, STORED) == list(STORED.items())
    names = list(STORED)
    assert cluster.asked == [names[:4], names[4:8], names[8:]]


def test_a_batch_of_one_is_a_get():
    cluster = Cluster()
    assert fetch(cluster, STORED, max_batch_size=1) == list(STORED.items())
    assert fetch(cluster, ["00"]) == [("00", STORED["00"])]
    assert cluster.asked == [*STORED, "00"]


@pytest.mark.parametrize(
    "make",
    [
        lambda client, name: named(client, name, size=1 << 20),
        lambda client, name: named(client, name, path="aws/@#/bck/"),
        lambda client, name: named(client, name, path="ais/@remote#/bck/"),
    ],
    ids=["large", "of a cloud", "of another cluster"],
)
def test_what_get_batch_does_not_suit_is_read_with_get(make):
    cluster = Cluster()
    assert fetch(cluster, STORED, make=make) == list(STORED.items())
    assert cluster.asked == list(STORED)


def test_large_objects_stay_in_their_places():
    cluster = Cluster()
    found = fetch(
        cluster, STORED, make=lambda client, name: named(client, name, 1 << (24 if name == "03" else 2))
    )
    assert found == list(STORED.items())
    assert cluster.asked == [["00", "01", "02"], "03", ["04", "05", "06", "07"], ["08", "09"]]


def test_transformed_objects_are_read_with_get():
    with scripted(Cluster()) as (server, client):
        fetcher = Fetcher(4)
        groups = list(
            fetcher.split([Wanted(named(client, name), etl=ETLConfig("e")) for name in ("00", "01")])
        )
        assert [len(group) for group in groups] == [1, 1]
        assert [got.content for group in groups for got in fetcher.read(group)] == [
            STORED["00"],
            STORED["01"],
        ]
        assert all(request.params["etl_name"] == "e" for request in server.requests)


def test_objects_of_two_clusters_are_not_asked_of_one():
    with scripted(Cluster()) as (_, one), scripted(Cluster()) as (_, other):
        wanted = [Wanted(named(client, name)) for client in (one, other) for name in ("00", "01")]
        assert list(Fetcher(4).split(wanted)) == [wanted[:2], wanted[2:]]


def test_names_that_are_not_utf8_are_read_with_get():
    """A cluster takes them in a path, but replaces their bytes in the JSON of a Get-Batch."""
    client = object()
    names = ["00", "x\udcff", "\u00e9", "01"]
    wanted = [Wanted(named(client, name)) for name in names]
    wanted += [Wanted(named(client, "02"), "m\udcff"), Wanted(named(client, "03"))]
    groups = [[item.obj.name for item in group] for group in Fetcher(4).split(wanted)]
    assert groups == [["00"], ["x\udcff"], ["\u00e9", "01"], ["02"], ["03"]]


def test_a_cluster_without_get_batch_is_asked_for_one_once():
    cluster = Cluster(has_get_batch=False)
    assert fetch(cluster, STORED) == list(STORED.items())
    assert cluster.asked == [["00", "01", "02", "03"], *STORED]


def test_what_get_batch_does_not_see_is_read_with_get():
    cluster = Cluster(unseen=("01",))
    assert fetch(cluster, STORED) == list(STORED.items())
    assert cluster.asked == [["00", "01", "02", "03"], "01", *list(STORED)[4:]]


def test_what_is_missing_is_an_error_in_its_place():
    cluster = Cluster()
    found = dict(fetch(cluster, ["00", "gone", "01", "02", "03"]))
    error = found.pop("gone")
    assert isinstance(error, FileNotFoundError)
    assert found == {name: STORED[name] for name in ("00", "01", "02", "03")}
    assert cluster.asked == [["00", "gone", "01", "02"], "gone", "03"]


def test_a_damaged_answer_is_made_up_for():
    cluster = Cluster(cut=700)
    assert fetch(cluster, STORED) == list(STORED.items())


def test_a_batch_without_an_answer_is_made_up_for(monkeypatch):
    def wait(self, **options):
        raise AISReadTimeout("no answer")

    monkeypatch.setattr(Batch, "get", wait)
    cluster = Cluster()
    assert fetch(cluster, STORED) == list(STORED.items())
    assert cluster.asked == list(STORED)
