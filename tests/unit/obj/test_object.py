"""`Object`: what it is, what its attributes cost, and reads that go straight to the owning target."""

import pickle

import pytest
from objects import Stored, named
from requests.structures import CaseInsensitiveDict
from scripted import Answer as Scripted
from scripted import scripted

from aistore.sdk.errors import ErrObjNotFound
from aistore.sdk.etl import ETLConfig
from aistore.sdk.obj.object_client import ObjectClient


class Answer:
    def __init__(self, headers):
        self.headers = CaseInsensitiveDict(headers)


class Requests:
    """Stands for a request client: answers and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def request(self, method, **options):
        self.asked.append((method, options))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_head_of_some_attributes_is_one_request():
    client = Requests(Answer({"Content-Length": "5", "Ais-Name": "x"}))
    props = named(client).head()
    assert (props.size, props.name, props.bucket_name, props.bucket_provider) == (5, "x", "bck", "ais")
    assert props["content-length"] == "5"
    path = "objects/bck/obj"
    assert client.asked == [("head", {"path": path, "params": {"provider": "ais", "props": "name,size"}})]


def test_headers_that_were_not_asked_for_are_fetched_once():
    client = Requests(Answer({"Content-Length": "5"}), Answer({"Content-Length": "6", "Ais-Version": "3"}))
    props = named(client).head()
    assert props["ais-version"] == "3"
    assert props["content-length"] == "5"
    assert props.get("nope") is None
    assert client.asked[1][1]["params"] == {"provider": "ais"}
    assert len(client.asked) == 2


def test_attributes_asked_for_by_name_are_all_there_is():
    client = Requests(Answer({"Ais-Version": "3"}))
    props = named(client).head("version")
    assert "content-length" not in props
    assert len(client.asked) == 1


def test_objects_are_values():
    one, same, other = named(None), named(None), named(None, "other")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "obj"
    assert repr(one) == "Object('ais://bck/obj')"
    assert pickle.loads(pickle.dumps(one)) == one


def test_multipart_upload_pickles():
    upload = named(None).multipart_upload()
    upload.upload_id = "x"
    assert pickle.loads(pickle.dumps(upload)).upload_id == "x"


def test_etl_in_urls_is_its_name_and_pipeline():  # defect 11
    class Config:
        def update_qparams(self, params):
            params.update(etl_name="one", etl_pipeline="two,three")

    class Client:
        def get_full_url(self, path, params):
            return path, params

    assert named(Client()).get_url("m", Config()) == (
        "objects/bck/obj",
        {"provider": "ais", "archpath": "m", "etl_name": "one", "etl_pipeline": "two,three"},
    )


class Map:
    def __init__(self, url):
        net = type("Net", (), {"direct_url": url})
        self.target = type("Target", (), {"public_net": net, "daemon_id": "t"})

    def get_target_for_object(self, uname):
        assert uname == "ais/@#/bck/obj"
        return self.target


def test_direct_read_refreshes_the_map_once():
    missing = ErrObjNotFound(404, "gone", "", None)
    targets = {"old": Requests(missing), "new": Requests(Answer({"Ais-Version": "3"}), missing)}

    class Proxy:
        maps = 0

        def get_smap(self, force_update=False):
            self.maps += 1
            return Map("new" if force_update else "old")

        def clone(self, base_url):
            return targets[base_url]

    proxy = Proxy()
    client = ObjectClient(proxy, "objects/bck/obj", {}, uname="ais/@#/bck/obj")
    assert client.head("").obj_version == "3"
    assert proxy.maps == 2
    targets["new"].answers = [missing, missing]
    with pytest.raises(ErrObjNotFound):
        client.head()


def test_target_without_an_address():
    class Proxy:
        def get_smap(self, force_update=False):
            found = Map("x")
            found.target.public_net = None
            return found

    with pytest.raises(ValueError, match="no public address"):
        ObjectClient(Proxy(), "p", {}, uname="ais/@#/bck/obj").get(stream=False)


def test_offsets_only_where_the_object_is_in_the_cluster():
    with scripted(Stored(b"data").script) as (_, client):
        assert ObjectClient(client, "objects/bck/obj", {}).can_get_at_offset()
        assert not ObjectClient(client, "objects/bck/obj", {"etl_name": "x"}).can_get_at_offset()
        assert not ObjectClient(client, "objects/bck/obj", {}, byte_range=(None, 5)).can_get_at_offset()
    absent = Stored(b"data", headers={"Ais-Present": "false"})
    with scripted(absent.script) as (_, client):
        assert not ObjectClient(client, "objects/bck/obj", {}).can_get_at_offset()
        with pytest.warns(DeprecationWarning, match="head"):
            ObjectClient(client, "objects/bck/obj", {}).head_v2()


def test_copies_through_an_etl_and_promotions_of_directories():
    with scripted(lambda request: Scripted(b"id")) as (server, client):
        obj = named(client, "a")
        obj.copy(named(client, "b"), etl=ETLConfig("etl-name", args="x"))
        assert named(client, "").promote("/dir") == "id"
    copy, promote = server.requests
    assert (copy.params["etl_name"], copy.params["etl_args"]) == ("etl-name", "x")
    assert (promote.method, promote.path) == ("POST", "/v1/objects/bck")
