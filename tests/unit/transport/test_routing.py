"""Direct routing: what may go straight to a target, what a proxy must be asked, what becomes of doubts."""

import io
import json
import logging
import pickle
from pathlib import Path

import pytest
from calls import Count
from routed_site import Site
from scripted import Answer, ScriptedServer

from aistore.sdk.client import Client
from aistore.sdk.errors import AISNetworkError, APIRequestError, ErrObjNotFound
from aistore.sdk.hrw import get_digest, owner_index
from aistore.sdk.transport import routing
from aistore.sdk.transport.call import Call
from aistore.sdk.transport.routing import Mark, Place, Router, base36, find_place, read_mark
from aistore.sdk.transport.url import parse_base

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "data" / "hrw_vectors.json").read_text())
BASE = parse_base("http://127.0.0.1:8080")


# ------------------------------------------------------------ pure


def test_owners_as_recorded_on_a_cluster():
    names = list(VECTORS["nodes"])
    digests = [int(VECTORS["nodes"][name]) for name in names]
    for vector in VECTORS["vectors"]:
        assert names[owner_index(vector["uname"], digests)] == vector["owner"]


@pytest.mark.parametrize(
    ("method", "target", "uname"),
    [
        ("GET", "/v1/objects/b/a/b.txt?provider=ais", "ais/@#/b/a/b.txt"),
        ("HEAD", "/v1/objects/b/a?provider=ais&props=name%2Csize", "ais/@#/b/a"),
        ("PUT", "/v1/objects/b/a", "ais/@#/b/a"),
        ("GET", "/v1/objects/b/100%25%20%C3%BC+?provider=aws", "aws/@#/b/100% ü+"),
        ("GET", "/v1/objects/b/%FF?provider=ais", "ais/@#/b/\udcff"),
        ("GET", "/v1/objects/b/a?provider=ais&namespace=%40%23ns", "ais/@#ns/b/a"),
        ("GET", "/v1/objects/b/s.tar?provider=ais&archpath=x%2Fy", "ais/@#/b/s.tar"),
    ],
)
def test_requests_that_an_owner_answers(method, target, uname):
    place = find_place(Call(method, BASE, target))
    assert place == Place(uname[: uname.index("/b/") + 2], uname)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/v1/objects/b/a"),
        ("POST", "/v1/objects/b/a"),
        ("PATCH", "/v1/objects/b/a"),
        ("GET", "/v1/buckets/b"),
        ("GET", "/v1/objects/b/"),
        ("GET", "/gateway/v1/objects/b/a"),
        ("GET", "/v1/objects/b/a?provider=ais&etl_name=e"),
        ("GET", "/v1/objects/b/a?provider=ais&provider=aws"),
        ("GET", "/v1/objects/b/a?provider=elsewhere"),
        ("GET", "/v1/objects/b/a?provider=ais&namespace=%40alias%23ns"),
        ("PUT", "/v1/objects/b/a?provider=ais&append_type=append"),
        ("PUT", "/v1/objects/b/a?provider=ais&uploadId=x&partNumber=1"),
        ("PUT", "/v1/objects/b/s.tar?provider=ais&archpath=x"),
    ],
)
def test_requests_that_a_proxy_must_see(method, target):
    assert find_place(Call(method, BASE, target)) is None
    assert find_place(Call("GET", BASE, "/v1/objects/b/a", redirects=False)) is None


def test_marks_of_recorded_redirects():
    where = ("http", "127.0.0.1", 8081)
    assert read_mark(
        "/v1/objects/wp-a/a/b.txt?provider=ais",
        "http://127.0.0.1:8081/v1/objects/wp-a/a/b.txt?provider=ais&pid=Mqrp8080&utm=dn0oq41acehi",
    ) == Mark(where, "Mqrp8080", int("dn0oq41acehi", 36))
    # Sorted, because the name has special characters; and escapes in lower case.
    assert read_mark(
        "/v1/objects/wp-a/a+b%D1?provider=ais",
        "http://127.0.0.1:8081/v1/objects/wp-a/a+b%d1?pid=Mqrp8080&provider=ais&utm=dn0oq425utco",
    )


@pytest.mark.parametrize("pid", ["Mqrp8080", "ais-proxy-0", "k8s_Pq-7x", "proxy.a1"])
def test_proxies_of_any_id_mark_redirects(pid):
    mark = read_mark("/v1/objects/b/a", f"http://127.0.0.1:8081/v1/objects/b/a?pid={pid}&utm=dn0oq41acehi")
    assert mark is not None
    assert mark.pid == pid


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/v1/objects/b/a?provider=ais&pid=p&utm=1",
        "http://h:1/v1/objects/b/a?provider=ais",
        "http://h:1/v1/objects/b/a?provider=ais&pid=p&utm=1&vpams=3&x=n&u=s",
        "http://h:1/v1/objects/b/a?provider=ais&pid=p&utm=1&sig=s",
        "http://h:1/v1/objects/b/a?pid=p&utm=1",
        "http://h:1/v1/objects/b/other?provider=ais&pid=p&utm=1",
        "http://h:1/v1/objects/b/a?provider=ais&pid=p&utm=-",
        "http://h:1/v1/objects/b/a?provider=ais&pid=&utm=1",
        "http://h:1/v1/objects/b/a?provider=ais&pid=p%26q&utm=1",
        "http://h:99999/v1/objects/b/a?provider=ais&pid=p&utm=1",
    ],
)
def test_redirects_that_permit_nothing(location):
    assert read_mark("/v1/objects/b/a?provider=ais", location) is None


@pytest.mark.parametrize("number", [0, 1, 35, 36, 1295, 1296, 1732170000000000000, 2**63])
def test_base36(number):
    assert int(base36(number), 36) == number


def test_a_request_is_the_same_at_another_server():
    values = {name: object() for name in Call.__slots__}
    call = Call("GET", BASE, "/v1/objects/b/a")
    for name, value in values.items():
        setattr(call, name, value)
    other = call.to(BASE, "/target")
    new = {"base": BASE, "target": "/target", "redirects": False, "object_body": False}
    assert {name: getattr(other, name) for name in Call.__slots__} == {**values, **new}


def test_the_map_says_who_owns_objects():
    from aistore.sdk.models.cluster import NetInfo, Smap, Snode

    def node(flags=0, url="http://127.0.0.1:1"):
        return Snode("t", "target", NetInfo(direct_url=url), flags=flags, id_digest=1)

    def targets(**nodes):
        return routing.Targets(Smap(nodes, {}, node()), "http")

    assert len(targets(a=node(), b=node(4), c=node(8)).bases) == 1  # in maintenance, and decommissioned
    for nodes in ({}, {"a": node(4)}, {"a": node(url="https://127.0.0.1:1")}, {"a": node(url="")}):
        with pytest.raises(ValueError, match=r"target|address"):
            targets(**nodes)


# ------------------------------------------------------------ a proxy and two targets, scripted


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture
def bucket(site):
    with Client(site.proxy.endpoint, direct=True) as client:
        yield client.bucket("b")


def put(bucket, name, data=b"content"):
    bucket.object(name).get_writer().put_content(data)


def read(bucket, name):
    return bucket.object(name).get_reader().read_all()


def test_the_proxy_is_asked_once_a_second_for_each_method(site, bucket, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(routing.time, "monotonic", lambda: now[0])
    put(bucket, "0")
    assert site.asked() == ["proxy", "map", "target"]
    for name in map(str, range(1, 20)):
        put(bucket, name, name.encode())
    assert site.asked() == ["target"] * 19
    assert read(bucket, "0") == b"content"
    assert site.asked() == ["proxy", "target"]
    assert [read(bucket, name) for name in "123"] == [b"1", b"2", b"3"]
    assert site.asked() == ["target"] * 3
    now[0] += routing.PERMIT_SECONDS + 0.1
    assert read(bucket, "1") == b"1"
    assert site.asked() == ["proxy", "map", "target"]


def test_straight_requests_look_like_redirected_ones(site, bucket):
    put(bucket, "0")
    put(bucket, "1")
    (mine,) = [r for target in site.targets for r in target.requests if r.path.endswith("/1")]
    assert mine.params["provider"] == "ais"
    assert mine.params["pid"] == "proxy"
    # The proxy's clock, a moment later.
    assert 0 <= int(mine.params["utm"], 36) - int("dn0oq41acehi", 36) < 10**10
    assert mine.body == b"content"


def test_off_by_default_and_on_by_the_environment(site, monkeypatch):
    for value, straight in ((None, False), ("0", False), ("1", True), ("true", True)):
        if value is not None:
            monkeypatch.setenv("AIS_DIRECT", value)
        with Client(site.proxy.endpoint) as client:
            put(client.bucket("b"), "0")
            site.asked()
            put(client.bucket("b"), "0")
            assert ("proxy" not in site.asked()) is straight
    with Client(site.proxy.endpoint, direct=False) as client:
        assert client._request_client.router is None


def test_signed_redirects_turn_it_off(site, bucket, caplog):
    site.more = "&vpams=3&x=nonce&u=signature"
    for _ in range(3):
        put(bucket, "0")
        assert {"proxy", "target"} == set(site.asked())
    assert read(bucket, "0") == b"content"
    assert site.asked() == ["proxy", "target"]
    assert [record.levelno for record in caplog.records if "off" in record.message] == [logging.WARNING]


def test_without_a_map_nobody_asks_for_it_again_and_again(site, bucket, caplog):
    site.listed = []
    site.owner = lambda name: 0
    for _ in range(3):
        put(bucket, "0")
    assert site.asked() == ["proxy", "map", "proxy", "proxy", "target", "target", "target"]
    assert "no usable cluster map" in caplog.text
    assert "60 s" in caplog.text


def test_an_endpoint_that_answers_itself(caplog):
    with (
        _server(lambda request: Answer(b"content")) as server,
        Client(server.endpoint, direct=True) as client,
    ):
        for _ in range(2):
            assert read(client.bucket("b"), "0") == b"content"
        assert len(server.requests) == 2
    assert "answers itself" in caplog.text


def test_a_target_that_is_gone(site, bucket):
    gone, left = site.name_of(0), site.name_of(1)
    put(bucket, gone)
    put(bucket, left)
    site.targets[0].close()
    site.listed = [1]
    site.asked()
    # The cluster has noticed, the client has not: the object is written where it now belongs.
    put(bucket, gone, b"again")
    assert site.asked() == ["proxy", "map", "target"]
    assert read(bucket, gone) == b"again"
    site.asked()
    assert read(bucket, gone) == b"again"
    assert site.asked() == ["target"]


def test_a_map_that_has_changed(site, bucket, monkeypatch):
    site.listed = [0]
    name = next(n for n in map(str, range(100)) if owner_index(f"ais/@#/b/{n}", _digests(site)) == 1)
    put(bucket, name)
    site.listed = [0, 1]  # a target joins
    site.asked()
    now = routing.time.monotonic() + routing.PERMIT_SECONDS + 0.1
    monkeypatch.setattr(routing.time, "monotonic", lambda: now)
    for _ in range(2):
        put(bucket, name)
    assert len(site.targets[1].requests) == 2
    assert not site.targets[0].requests


def test_a_wrong_owner_leaves_the_bucket_to_the_proxy(site, bucket, caplog):
    site.swapped = True
    for _ in range(3):
        put(bucket, "0")
    assert site.asked() == ["proxy", "map", "proxy", "proxy", "target", "target", "target"]
    assert "not where the proxy redirects to" in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403])
def test_targets_that_refuse_what_the_proxy_lets_pass(site, bucket, caplog, status):
    put(bucket, "0")
    site.status = status
    for _ in range(3):
        put(bucket, "1")
    assert site.objects["1"] == b"content"
    assert site.asked().count("proxy") == 4
    assert "refuses" in caplog.text


@pytest.mark.parametrize("status", [404, 409, 500, 503])
def test_any_other_answer_of_a_target_is_left_to_the_proxy(site, bucket, status):
    put(bucket, "0")
    site.status = status
    put(bucket, "1")
    assert read(bucket, "0") == b"content"
    site.status = None
    site.asked()
    put(bucket, "1")
    assert site.asked() == ["target"]


def test_a_target_that_breaks_off_is_tried_again_through_the_proxy(site, bucket):
    put(bucket, "0")
    read(bucket, "0")
    site.asked()
    failures = [1, 1]  # a kept connection, and a new one

    def hook(request, answer):
        if failures:
            failures.pop()
            raise OSError("broken off")
        return answer

    site.hook = hook
    assert read(bucket, "0") == b"content"
    assert site.asked().count("proxy") == 1


def test_errors_name_the_url_that_was_asked_for(site, bucket):
    def hook(request, answer):
        raise OSError("broken off")

    put(bucket, "0")
    read(bucket, "0")
    site.hook = hook
    call = Call("GET", parse_base(site.proxy.endpoint), "/v1/objects/b/0?provider=ais", read=10.0)
    with pytest.raises(AISNetworkError, match="straight to") as caught:
        bucket.client.router.send(bucket.client.session_manager.transport, call)
    url = f"{site.proxy.endpoint}/v1/objects/b/0?provider=ais"
    assert (caught.value.url, caught.value.request.url) == (url, url)


def test_permits_are_bounded(site, bucket, monkeypatch):
    monkeypatch.setattr(routing, "_MAX_PERMITS", 1)
    for _ in range(2):
        put(bucket, "0")
        read(bucket, "0")
    assert len(bucket.client.router._permits) == 1


def test_a_missing_object_is_the_proxys_word(site, bucket):
    put(bucket, "0")
    read(bucket, "0")
    site.asked()
    with pytest.raises(ErrObjNotFound):
        read(bucket, "none")
    assert site.asked().count("proxy") == 1
    with pytest.raises(APIRequestError) as caught:
        bucket.object("none").head()
    assert caught.value.status_code == 404


def test_a_body_that_cannot_be_sent_again_ends_with_the_targets_answer(site, bucket):
    put(bucket, "0")
    site.status = 507
    with pytest.raises(APIRequestError):
        bucket.object("1")._client.request(
            "PUT", path="objects/b/1", params={"provider": "ais"}, data=_once()
        )
    assert "1" not in site.objects
    site.status = None
    bucket.object("1")._client.request(
        "PUT", path="objects/b/1", params={"provider": "ais"}, data=io.BytesIO(b"file")
    )
    assert site.objects["1"] == b"file"


def test_the_token_goes_to_the_owner_only(site):
    with Client(site.proxy.endpoint, direct=True, token="secret") as client:
        bucket = client.bucket("b")
        put(bucket, "0")
        put(bucket, "0")
        owner, other = site.targets[site.owner("0")], site.targets[1 - site.owner("0")]
        assert {r.headers["authorization"] for r in owner.requests} == {"Bearer secret"}
        assert not other.requests
        # What one token may do says nothing about another.
        site.asked()
        client._request_client.token = "other"
        put(bucket, "0")
        assert "proxy" in site.asked()


def test_clients_pickle_without_permits(site, bucket):
    put(bucket, "0")
    site.asked()
    copy = pickle.loads(pickle.dumps(bucket))
    put(copy, "0")
    assert site.asked() == ["proxy", "map", "target"]
    assert isinstance(copy.client.router, Router)
    copy.client.session_manager.close()


def test_readers_that_name_the_target_themselves(site, bucket):
    put(bucket, "0")
    assert bucket.object("0").get_reader(direct=True).read_all() == b"content"
    assert bucket.client.clone().router is bucket.client.router
    assert bucket.client.clone(base_url="http://127.0.0.1:1").router is None


def test_calls_of_a_straight_get(site, bucket):
    put(bucket, "0")
    read(bucket, "0")
    with Count() as count:
        read(bucket, "0")
    assert count.calls <= 260


def _digests(site):
    return [get_digest(node_id) for node_id in site.ids]


def _once():
    yield b"part"
    yield b"part"


class _server:
    def __init__(self, script):
        self._server = ScriptedServer(script)

    def __enter__(self):
        return self._server

    def __exit__(self, *_):
        self._server.close()
