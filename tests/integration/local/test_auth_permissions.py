"""What every route demands: nothing less than its permissions, nothing more, and a token in any case."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from authn_site import Site
from wire_jobs import quote_bck

from aistore.local import LocalCluster
from aistore.local.authn import jwt
from aistore.sdk.authn.access_attr import AccessAttr as A

RW = A.ACCESS_RW
READ_ALL = A.GET | A.OBJ_LIST
LIST = {"action": "list", "value": {"prefix": ""}}
TO = {"name": "dst", "provider": "ais"}
COPIES = {"objnames": ["o"], "tobck": TO}


class Op(NamedTuple):
    """A request, and the permissions it needs: for the cluster, for the bucket `b`, for the bucket `dst`."""

    method: str
    target: str
    body: Any = None
    cluster: int = 0
    b: int = 0
    dst: int = 0
    headers: dict[str, str] | None = None


def post(action: str, value: Any = None, name: str = "") -> dict[str, Any]:
    return {"action": action, "name": name, "value": value}


OPS = {
    "list buckets": Op("GET", "/v1/buckets", cluster=A.LIST_BUCKETS),
    "list buckets by message": Op("GET", "/v1/buckets", post("list"), cluster=A.LIST_BUCKETS),
    "a bucket's listing without options": Op("GET", "/v1/buckets/b", post("list"), cluster=A.LIST_BUCKETS),
    "create": Op("POST", "/v1/buckets/fresh", post("create-bck"), cluster=A.CREATE_BUCKET),
    "destroy": Op("DELETE", "/v1/buckets/gone", post("destroy-bck"), cluster=A.DESTROY_BUCKET),
    "rename": Op(
        "POST", f"/v1/buckets/gone?bck_to={quote_bck('renamed')}", post("move-bck"), cluster=A.MOVE_BUCKET
    ),
    "head bucket": Op("HEAD", "/v1/buckets/b", b=A.BCK_HEAD),
    "head bucket with summary": Op("HEAD", "/v1/buckets/b?bsumm_remote=false", b=A.BCK_HEAD | A.OBJ_LIST),
    "list objects": Op("GET", "/v1/buckets/b", LIST, b=A.OBJ_LIST),
    "summary": Op("GET", "/v1/buckets/b", post("summary-bck", {}), b=A.OBJ_LIST | A.BCK_HEAD),
    "summary of all": Op("GET", "/v1/buckets", post("summary-bck", {}), cluster=A.OBJ_LIST | A.BCK_HEAD),
    "change properties": Op(
        "PATCH", "/v1/buckets/b", post("set-bprops", {"versioning": {"enabled": True}}), b=A.PATCH
    ),
    "change the mask": Op(
        "PATCH", "/v1/buckets/b", post("set-bprops", {"access": str(2**64 - 1)}), b=A.PATCH | A.BCK_SET_ACL
    ),
    "reset properties": Op("PATCH", "/v1/buckets/b", post("reset-bprops"), b=A.PATCH | A.BCK_SET_ACL),
    "copy bucket": Op(
        "POST", f"/v1/buckets/b?bck_to={quote_bck('dst')}", post("copy-bck", {}), b=READ_ALL, dst=A.PUT
    ),
    "copy to a new bucket": Op(
        "POST",
        f"/v1/buckets/b?bck_to={quote_bck('made')}",
        post("copy-bck", {"dry_run": True}),
        b=READ_ALL,
        cluster=A.CREATE_BUCKET,
    ),
    "copy objects": Op("POST", "/v1/buckets/b", post("copy-listrange", COPIES), b=READ_ALL, dst=A.PUT),
    "delete objects": Op(
        "DELETE", "/v1/buckets/b", post("delete-listrange", {"objnames": ["none"]}), b=A.OBJ_DELETE
    ),
    "archive": Op(
        "PUT", "/v1/buckets/b", post("archive", {"archname": "a.tar", **COPIES}), b=READ_ALL, dst=A.PUT
    ),
    "get": Op("GET", "/v1/objects/b/o", b=A.GET),
    "easy get": Op("GET", "/ais/b/o", b=A.GET),
    "easy list": Op("GET", "/ais", cluster=A.LIST_BUCKETS),
    "easy put": Op("PUT", "/ais/b/p", b"x", b=A.PUT),
    "head": Op("HEAD", "/v1/objects/b/o", b=A.OBJ_HEAD),
    "put": Op("PUT", "/v1/objects/b/p", b"x", b=A.PUT),
    "append": Op("PUT", "/v1/objects/b/q?append_type=append&append_handle=", b"x", b=A.APPEND),
    "copy object": Op("PUT", f"/v1/objects/b/o?object_to={quote_bck('dst')}o", b=A.GET, dst=A.PUT),
    "delete": Op("DELETE", "/v1/objects/b/victim", b=A.OBJ_DELETE),
    "patch": Op("PATCH", "/v1/objects/b/o", post("", {"k": "v"}), b=A.OBJ_UPDATE),
    "rename object": Op("POST", "/v1/objects/b/victim", post("rename-obj", name="moved"), b=A.OBJ_MOVE),
    "check lock": Op("POST", "/v1/objects/b/o", post("check-lock"), b=A.OBJ_HEAD),
    "begin multipart": Op("POST", "/v1/objects/b/m", post("mpt-upload"), b=RW),
    "put a part": Op("PUT", "/v1/objects/b/m?uploadId=unknown-id&partNumber=1", b"x", b=RW),
    "abort multipart": Op("DELETE", "/v1/objects/b/m?uploadId=unknown-id", post("mpt-abort"), b=RW),
    "abort multipart by its message": Op("DELETE", "/v1/objects/b/m", post("mpt-abort"), b=RW),
    "batch": Op("GET", "/v1/ml/moss/b", {"in": [{"objname": "o"}], "strm": True}, b=A.GET),
    "batch over buckets": Op(
        "GET",
        "/v1/ml/moss",
        {"in": [{"objname": "o", "bucket": "b"}, {"objname": "o", "bucket": "dst"}], "strm": True},
        b=A.GET,
        dst=A.GET,
    ),
    "map": Op("GET", "/v1/daemon?what=smap", cluster=A.SHOW_CLUSTER),
    "configuration": Op("GET", "/v1/daemon?what=config", cluster=A.SHOW_CLUSTER),
    "cluster view": Op("GET", "/v1/cluster?what=smap", cluster=A.SHOW_CLUSTER),
    "job status": Op("GET", "/v1/cluster?what=qryxstats", {}, cluster=A.SHOW_CLUSTER),
    "metrics": Op("GET", "/metrics", cluster=A.SHOW_CLUSTER),
    "start a job of writers": Op(
        "PUT", "/v1/cluster", post("start", {"kind": "ec-encode", "bck": {"name": "b"}}), b=RW
    ),
    "start a job": Op("PUT", "/v1/cluster", post("start", {"kind": "lru"}), cluster=A.ADMIN),
    "stop jobs": Op("PUT", "/v1/cluster", post("stop", {"kind": "lru"}), cluster=A.ADMIN),
    "reset counters": Op("PUT", "/v1/cluster", post("reset-stats", False), cluster=A.ADMIN),
    "configure": Op("PUT", "/v1/cluster/set-config?log.level=4", cluster=A.ADMIN),
    "configure a node": Op("PUT", "/v1/daemon/set-config?log.level=3", cluster=A.ADMIN),
    "ETLs": Op("GET", "/v1/etl", cluster=A.ADMIN),
    "ETL init": Op("PUT", "/v1/etl", {"name": "refused"}, cluster=A.ADMIN),
    "dsort": Op(
        "POST",
        "/v1/sort",
        {"input_bck": {"name": "b"}, "output_bck": TO, "input_format": {"template": "x"}},
        b=READ_ALL,
        dst=A.PUT,
    ),
    "dsort with a key map": Op(
        "POST",
        "/v1/sort",
        {
            "input_bck": {"name": "b"},
            "input_format": {"template": "x"},
            "ekm_file": "ENDPOINT/v1/objects/dst/o",
        },
        b=READ_ALL | A.PUT,
        dst=A.GET,
    ),
    "dsort runs": Op("GET", "/v1/sort", cluster=A.SHOW_CLUSTER),
    "S3 buckets": Op("GET", "/s3", cluster=A.LIST_BUCKETS),
    "S3 create": Op("PUT", "/s3/fresh", cluster=A.CREATE_BUCKET),
    "S3 destroy": Op("DELETE", "/s3/gone", cluster=A.DESTROY_BUCKET),
    "S3 head bucket": Op("HEAD", "/s3/b", b=A.BCK_HEAD),
    "S3 list": Op("GET", "/s3/b?list-type=2", b=A.OBJ_LIST),
    "S3 get": Op("GET", "/s3/b/o", b=A.GET),
    "S3 head": Op("HEAD", "/s3/b/o", b=A.OBJ_HEAD),
    "S3 put": Op("PUT", "/s3/b/p", b"x", b=A.PUT),
    "S3 delete": Op("DELETE", "/s3/b/victim", b=A.OBJ_DELETE),
    "S3 copy": Op("PUT", "/s3/dst/copy", headers={"x-amz-copy-source": "/b/o"}, b=A.GET, dst=A.PUT),
    "S3 multipart": Op("POST", "/s3/b/m?uploads", b=RW),
    "S3 part": Op("PUT", "/s3/b/m?uploadId=unknown-id&partNumber=1", b"x", b=RW),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with LocalCluster(targets=2, auth=True) as cluster:
        yield Site(cluster)


@pytest.fixture
def stage(site: Site) -> Site:
    """The buckets of the table, in the state that every request finds."""
    for name in ("b", "dst", "gone"):
        site.ask("POST", f"/v1/buckets/{name}", post("create-bck"))
    for name in ("fresh", "renamed", "made"):
        site.ask("DELETE", f"/v1/buckets/{name}", post("destroy-bck"))
    for name in ("b/o", "b/victim", "dst/o"):
        site.ok("PUT", f"/v1/objects/{name}", b"content")
    return site


def _ask(site: Site, op: Op, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    body = op.body
    if isinstance(body, dict):
        body = json.loads(json.dumps(body).replace("ENDPOINT", site.wire.endpoint))
    return site.wire(op.method, op.target, body, {**headers, **(op.headers or {})})


@pytest.mark.parametrize("name", OPS)
def test_what_is_needed_is_enough(stage: Site, name: str) -> None:
    op = OPS[name]
    answer = _ask(stage, op, stage.user(int(op.cluster), b=int(op.b), dst=int(op.dst)))
    assert answer.status not in {401, 403}, answer


@pytest.mark.parametrize("name", OPS)
def test_nothing_less_is_enough(stage: Site, name: str) -> None:
    op = OPS[name]
    everything = (1 << 18) - 1
    for part in ("cluster", "b", "dst"):
        for bit in range(18):
            if int(getattr(op, part)) >> bit & 1:
                granted = {
                    "cluster": int(everything & ~A.ADMIN) if op.cluster != A.ADMIN else everything,
                    "b": everything,
                    "dst": everything,
                }
                granted[part] &= ~(1 << bit)
                answer = _ask(stage, op, stage.user(granted.pop("cluster"), **granted))
                assert answer.status == 403, (part, bit, answer)
    assert stage.ask("HEAD", "/v1/objects/b/victim").status == 200


@pytest.mark.parametrize("name", OPS)
def test_without_a_token_there_is_nothing(stage: Site, name: str) -> None:
    op = OPS[name]
    answer = stage.wire(op.method, op.target, op.body, op.headers)
    assert answer.status == 401, answer
    assert stage.ask("HEAD", "/v1/objects/b/victim").status == 200


@pytest.fixture(scope="module")
def spoiled(site: Site) -> dict[str, str]:
    """Tokens of admins that are worth nothing, each for a reason of its own."""
    role = [{"name": "Admin"}]

    def made(name: str, expires_in: int | None = None) -> str:
        assert site.manage("POST", "/v1/users", {"id": name, "pass": "pw", "roles": role}).status == 200
        return site.login(name, "pw", expires_in)

    tokens = {
        "expired": made("expired", 1),
        "revoked": made("revoked"),
        "removed": made("removed"),
        "password": made("password"),
    }
    assert site.authn("DELETE", "/v1/tokens", {"token": tokens["revoked"]}).status == 200
    assert site.manage("DELETE", "/v1/users/removed").status == 200
    assert site.manage("PUT", "/v1/users/password", {"pass": "another"}).status == 200
    head, claims, signature = site.admin_token.split(".")
    tokens["changed"] = f"{head}.{claims[:-2]}AA.{signature}"
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    tokens["unsigned"] = f"{none}.{claims}."
    with LocalCluster(auth=True) as other:
        tokens["of another cluster"] = Site(other).admin_token
    deadline = time.monotonic() + 20
    while site.ask("GET", "/v1/buckets", token=tokens["expired"]).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return tokens


@pytest.mark.parametrize("name", OPS)
def test_spoiled_tokens_are_worth_nothing(stage: Site, spoiled: dict[str, str], name: str) -> None:
    for why, token in spoiled.items():
        answer = _ask(stage, OPS[name], token)
        assert answer.status == 401, (why, answer)
        assert token.encode() not in answer.body
    assert stage.ask("HEAD", "/v1/objects/b/victim").status == 200


SERVICE = [
    ("GET", "/v1/users", None),
    ("POST", "/v1/users", {"id": "planted", "pass": "pw", "roles": [{"name": "Admin"}]}),
    ("GET", "/v1/users/admin", None),
    ("PUT", "/v1/users/admin", {"pass": "mine"}),
    ("PUT", "/v1/users/{self}", {"roles": [{"name": "Admin"}]}),
    ("DELETE", "/v1/users/admin", None),
    ("DELETE", "/v1/users/{self}", None),
    ("GET", "/v1/roles/Admin", None),
    ("POST", "/v1/roles", {"name": "planted", "admin": True}),
    ("PUT", "/v1/roles/{self}", {"name": "{self}", "admin": True}),
    ("DELETE", "/v1/roles/{self}", None),
    ("POST", "/v1/clusters", {"id": "planted", "alias": "planted"}),
    ("PUT", "/v1/clusters/planted", {"id": "planted", "alias": "planted"}),
    ("DELETE", "/v1/clusters/planted", None),
    ("GET", "/v1/daemon", None),
    ("PUT", "/v1/daemon", {"auth": {"expiration_time": "1h"}}),
    ("POST", "/v1/rotate-key", None),
]


@pytest.mark.parametrize(("method", "target", "body"), SERVICE, ids=[f"{m} {t}" for m, t, _ in SERVICE])
def test_accounts_are_for_admins(
    stage: Site, spoiled: dict[str, str], method: str, target: str, body: Any
) -> None:
    token = stage.user((1 << 17) - 1)  # everything but ADMIN
    own = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]
    sent = json.loads(json.dumps(body).replace("{self}", own))
    target = target.replace("{self}", own)
    assert stage.authn(method, target, sent).status == 401
    for used in (token, *spoiled.values()):
        answer = stage.manage(method, target, sent, used)
        assert answer.status == 401, answer
    assert stage.manage("GET", "/v1/users/planted").status == 404
    assert stage.login(*stage.admin)


def test_errors_of_s3_are_of_its_form(stage: Site) -> None:
    answer = stage.wire("GET", "/s3/b/o")
    assert answer.headers["content-type"] == "application/xml"
    assert b"<Code>AccessDenied</Code>" in answer.body
    assert (
        stage.wire("GET", "/s3/b/o", headers={"X-Amz-Security-Token": stage.admin_token}).body == b"content"
    )
    assert stage.wire("GET", f"/s3/b/o?X-Amz-Security-Token={stage.admin_token}").body == b"content"


def test_only_health_is_open(stage: Site) -> None:
    for base in (stage.wire.endpoint, *stage.targets):
        assert stage.wire("GET", "/v1/health", base=base).status == 200
    for target in stage.targets:
        assert stage.wire("GET", "/v1/daemon?what=smap", base=target).status == 401
        for path in ("/metrics", "/metrics/etl/_object", "/metrics/etl/_object/e/s/ais/@%23/b/o"):
            assert stage.wire("GET", path, base=target).status == 401
    # A token in the query counts for S3 only.
    assert stage.wire("GET", f"/v1/buckets?X-Amz-Security-Token={stage.admin_token}").status == 401


def test_names_of_buckets_cannot_be_probed(stage: Site) -> None:
    nobody = stage.user()
    for name in ("b", "no-such-bucket"):
        for method, target in (("HEAD", f"/v1/buckets/{name}"), ("GET", f"/v1/objects/{name}/o")):
            assert stage.wire(method, target).status == 401
            assert stage.ask(method, target, token=nobody).status == 403
    assert stage.ask("GET", "/v1/objects/no-such-bucket/o").status == 404


@pytest.mark.parametrize("action", ["summary-bck", "summary-shard"])
def test_results_are_told_to_those_who_may_read_their_bucket(stage: Site, action: str) -> None:
    """Who knows the ID of a job on another bucket does not get its result by way of the own one."""
    reader = stage.user(b=int(A.OBJ_LIST | A.BCK_HEAD))
    made = stage.ok("GET", "/v1/buckets/dst", post(action, {})).body.decode()
    again = post(action, {"uuid": made})
    for bucket, token, statuses in (
        ("dst", None, {200, 202}),
        ("dst", reader, {403}),
        ("b", reader, {404}),
        ("b", None, {404}),
    ):
        answer = stage.ask("GET", f"/v1/buckets/{bucket}", again, token)
        assert answer.status in statuses, (bucket, answer)
    if action == "summary-bck":
        target = f"/v1/buckets/b?bsumm_remote=true&uuid={made}"
        assert stage.ask("HEAD", target, token=reader).status == 404


# Requests in which the bucket NAME is named by the way, by a user who may use `b` only.
INDIRECT = {
    "copy object": Op("PUT", "/v1/objects/b/o?object_to=ais/@%23/NAME/o"),
    "copy from": Op("PUT", f"/v1/objects/NAME/o?object_to={quote_bck('b')}o"),
    "copy bucket": Op("POST", "/v1/buckets/b?bck_to=ais/@%23/NAME/", post("copy-bck", {})),
    "copy bucket from": Op("POST", f"/v1/buckets/NAME?bck_to={quote_bck('b')}", post("copy-bck", {})),
    "copy objects": Op(
        "POST", "/v1/buckets/b", post("copy-listrange", {**COPIES, "tobck": {"name": "NAME"}})
    ),
    "transform": Op("POST", "/v1/buckets/b?bck_to=ais/@%23/NAME/", post("etl-bck", {"id": "no-etl"})),
    "transform objects": Op(
        "POST", "/v1/buckets/b", post("etl-listrange", {**COPIES, "id": "no-etl", "tobck": {"name": "NAME"}})
    ),
    "archive": Op(
        "PUT", "/v1/buckets/b", post("archive", {**COPIES, "archname": "a.tar", "tobck": {"name": "NAME"}})
    ),
    "batch": Op("GET", "/v1/ml/moss/b", {"in": [{"objname": "o", "bucket": "NAME"}]}),
    "batch by name": Op("GET", "/v1/ml/moss/b", {"in": [{"objname": "o", "uname": "ais/@#/NAME/"}]}),
    "batch of another": Op("GET", "/v1/ml/moss", {"in": [{"objname": "o", "bucket": "NAME"}]}),
    "batch by default": Op("GET", "/v1/ml/moss/NAME", {"in": [{"objname": "o"}]}),
    "batch with a default": Op("GET", "/v1/ml/moss/NAME", {"in": [{"objname": "o", "bucket": "b"}]}),
    "batch without entries": Op("GET", "/v1/ml/moss/NAME", {"in": []}),
    "dsort to": Op(
        "POST",
        "/v1/sort",
        {"input_bck": {"name": "b"}, "output_bck": {"name": "NAME"}, "input_format": {"template": "x"}},
    ),
    "dsort from": Op("POST", "/v1/sort", {"input_bck": {"name": "NAME"}, "output_bck": {"name": "b"}}),
    "dsort with a key map": Op(
        "POST",
        "/v1/sort",
        {"input_bck": {"name": "b"}, "ekm_file": "ENDPOINT/v1/objects/NAME/o"},
    ),
    "start a job": Op("PUT", "/v1/cluster", post("start", {"kind": "ec-encode", "bck": {"name": "NAME"}})),
    "get with an ETL": Op("GET", "/v1/objects/NAME/o?etl_name=no-etl"),
    "promote": Op("POST", "/v1/objects/NAME", post("promote", {"src": "/x"})),
    "rename": Op("POST", "/v1/buckets/b?bck_to=ais/@%23/NAME/", post("move-bck")),
    "create": Op("POST", "/v1/buckets/NAME", post("create-bck")),
    "destroy": Op("DELETE", "/v1/buckets/NAME", post("destroy-bck")),
    "summary": Op("GET", "/v1/buckets/NAME", post("summary-bck", {})),
    "a job's summary": Op("GET", "/v1/buckets/NAME", post("summary-bck", {"uuid": "no-job"})),
    "inventory": Op("GET", "/v1/buckets/NAME", post("show-inventory", {})),
    "easy get": Op("GET", "/ais/NAME/o"),
    "append": Op("PUT", "/v1/objects/NAME/o?append_type=append", b"x"),
    "complete an upload": Op("POST", "/v1/objects/NAME/o?uploadId=no-upload", post("mpt-complete", [])),
    "S3 copy": Op("PUT", "/s3/b/copy", headers={"x-amz-copy-source": "/NAME/o"}),
    "S3 copy to": Op("PUT", "/s3/NAME/copy", headers={"x-amz-copy-source": "/b/o"}),
    "S3 part copy": Op(
        "PUT", "/s3/b/m?uploadId=no-upload&partNumber=1", headers={"x-amz-copy-source": "/NAME/o"}
    ),
    "S3 delete": Op("POST", "/s3/NAME?delete", b"<Delete/>"),
    "S3 uploads": Op("GET", "/s3/NAME?uploads"),
    "S3 location": Op("GET", "/s3/NAME?location"),
}


def _naming(op: Op, name: str) -> Op:
    body = json.loads(json.dumps(op.body).replace("NAME", name)) if isinstance(op.body, dict) else op.body
    headers = {key: value.replace("NAME", name) for key, value in (op.headers or {}).items()}
    return op._replace(target=op.target.replace("NAME", name), body=body, headers=headers)


@pytest.mark.parametrize("case", INDIRECT)
def test_a_missing_and_a_forbidden_bucket_are_answered_alike(stage: Site, case: str) -> None:
    token = stage.user(b=(1 << 12) - 1)
    forbidden, missing = (_ask(stage, _naming(INDIRECT[case], name), token) for name in ("dst", "nob"))
    assert forbidden.status == missing.status == 403, (forbidden, missing)
    told = [
        re.sub(rb"expires in \w+|dst|nob|_addr\W+[0-9.:]+", b"", answer.body)
        for answer in (forbidden, missing)
    ]
    assert told[0] == told[1]
    assert forbidden.headers.keys() == missing.headers.keys()


# ---- targets


def _redirect(site: Site, method: str, target: str, token: str | None = None) -> str:
    answer = site.ask(method, target, follow=False, token=token)
    assert answer.status in {301, 307}, answer
    return answer.headers["location"]


def _at(site: Site, url: str, method: str, body: bytes | None = None, **headers: str) -> Any:
    parts = urlsplit(url)
    return site.wire(method, url.partition(parts.netloc)[2], body, headers, base=f"http://{parts.netloc}")


def test_targets_take_what_the_proxy_has_checked(stage: Site) -> None:
    url = _redirect(stage, "GET", "/v1/objects/b/o")
    assert _at(stage, url, "GET").body == b"content"
    for changed in (url.replace("/b/o", "/b/victim"), url + "&archpath=x", url.partition("&sig=")[0]):
        answer = _at(stage, changed, "GET")
        assert (answer.status, answer.error["message"]) == (403, "direct target access denied")
    assert _at(stage, url, "DELETE").status == 403
    assert _at(stage, url, "PUT", b"other").status == 403
    assert stage.ask("GET", "/v1/objects/b/o").body == b"content"


ACTIONS = ("rename-obj", "mpt-upload", "mpt-complete", "mpt-abort", "promote", "no-such", "")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_redirect_is_for_one_action(stage: Site, action: str) -> None:
    """Who may ask whether an object is locked gets no URL to rename it or to begin an upload with."""
    reader = stage.user(b=int(A.OBJ_HEAD))
    asked = stage.ask("POST", "/v1/objects/b/victim", post("check-lock"), reader, follow=False)
    url = asked.headers["location"]
    body = json.dumps(post(action, [], "stolen")).encode()
    answer = _at(stage, url, "POST", body)
    assert (answer.status, answer.error["message"]) == (403, "direct target access denied")
    assert _at(stage, url, "POST", body, Authorization=f"Bearer {reader}").status == 403
    assert _at(stage, url, "POST", b"not a message").status == 403
    assert _at(stage, url, "POST", b"").status == 403
    assert _at(stage, url, "POST", json.dumps(post("check-lock")).encode()).status == 200
    assert stage.ask("HEAD", "/v1/objects/b/victim").status == 200
    assert stage.ask("HEAD", "/v1/objects/b/stolen").status == 404


@pytest.mark.parametrize("query", ["", "?pid=p&utm=1", "?pid=p&utm=1&sig=1.check-lock.0", "?sig={sig}"])
def test_no_body_is_read_of_a_request_that_is_not_signed(stage: Site, query: str) -> None:
    """A client without a token does not make a target hold and parse bodies."""
    signed = _redirect(stage, "DELETE", "/v1/objects/b/other").rpartition("sig=")[2]
    parts = urlsplit(stage.targets[0])
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as sock:
        target = f"/v1/objects/b/o{query.format(sig=signed)}"
        # Of which nothing follows.
        length = f"Host: {parts.netloc}\r\nContent-Length: 50000000\r\n\r\n"
        sock.sendall(f"POST {target} HTTP/1.1\r\n{length}".encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_a_redirect_to_delete_does_not_abort_uploads(stage: Site) -> None:
    deleter = stage.user(b=int(A.OBJ_DELETE))
    asked = stage.ask("DELETE", "/v1/objects/b/m", token=deleter, follow=False)
    url = asked.headers["location"]
    assert _at(stage, url, "DELETE", json.dumps(post("mpt-abort")).encode()).status == 403
    assert _at(stage, url, "DELETE").status == 404  # there is no such object


SEMICOLONS = (
    "/v1/objects/b/o?x=1;object_to={to}o",
    "/v1/objects/b/o?x=1%3Bobject_to={to}o",
    "/v1/objects/b/o?;object_to={to}o",
    "/v1/objects/b/o?provider=ais;&x=1;object_to={to}o",
)


@pytest.mark.parametrize("target", SEMICOLONS)
def test_a_semicolon_hides_no_parameter(stage: Site, target: str) -> None:
    """What the proxy checks and what the target does are read from the query in one way."""
    writer = stage.user(b=int(A.PUT | A.GET))
    target = target.format(to=quote_bck("dst"))
    stage.ok("PUT", "/v1/objects/dst/o", b"kept")
    answer = stage.ask("PUT", target, b"mine", writer)
    assert answer.status in {200, 400}, answer
    assert stage.ok("GET", "/v1/objects/dst/o").body == b"kept"
    # A parameter in which a semicolon stands is read, not dropped.
    answer = stage.ask("PUT", f"/v1/objects/b/o?object_to={quote_bck('dst')}a;b", token=writer)
    assert answer.status == 403
    answer = stage.ask("PUT", f"/v1/objects/b/o?object_to={quote_bck('dst')}a;b")
    assert (answer.status, stage.ask("HEAD", "/v1/objects/dst/a%3Bb").status) == (200, 200)


@pytest.mark.parametrize("more", [";archpath=x", "&archpath=x", ";", "&", "%20"])
def test_every_byte_of_a_redirects_query_is_signed(stage: Site, more: str) -> None:
    url = _redirect(stage, "GET", "/v1/objects/b/o?provider=ais&x=%2F;y")
    assert "provider=ais&x=%2F;y&" in url
    assert _at(stage, url, "GET").body == b"content"
    for changed in (
        url + more,
        url.replace("&sig=", f"{more}&sig="),
        url.replace("?", f"?{more}&", 1),
        url.replace("%2F;y", "%2f;y"),
        url.replace("%2F;y", "/;y"),
    ):
        assert _at(stage, changed, "GET").status == 403, changed


@pytest.mark.parametrize("client", ["requests", "httpx", "sdk"])
def test_clients_follow_signed_redirects(stage: Site, client: str) -> None:
    """Whatever a client does to the query of a URL, it does to both of them."""
    import httpx
    import requests

    from aistore import Client

    name, params = "a;b c+d~é/%41", {"provider": "ais", "x": "1;2 ~+/é"}
    stage.ok("PUT", f"/v1/objects/b/{quote(name)}", b"named")
    url = f"{stage.wire.endpoint}/v1/objects/b/{quote(name)}?odd=%7E%2f;%5B"
    headers = {"Authorization": f"Bearer {stage.admin_token}"}
    if client == "requests":
        got = requests.get(url, params=params, headers=headers, timeout=20).content
    elif client == "httpx":
        got = httpx.get(url, headers=headers, timeout=20, follow_redirects=True).content
        bare = url.partition("?")[0]
        assert (
            httpx.get(bare, params=params, headers=headers, timeout=20, follow_redirects=True).content == got
        )
    else:
        made = Client(stage.wire.endpoint, token=stage.admin_token)
        got = made.bucket("b").object(name).get_reader().read_all()
    assert got == b"named"


def test_forged_redirects_are_refused(stage: Site) -> None:
    for base in stage.targets:
        for target in (
            "/v1/objects/b/o?pid=x&utm=1",
            "/v1/objects/b/o?pid=x&utm=1&sig=1.0",
            "/v1/objects/b/o",
        ):
            for method in ("GET", "PUT", "DELETE", "HEAD"):
                assert stage.wire(method, target, base=base).status == 403
        for noun in ("ml/moss/b/x/y/2", "etl/_object/name/secret/ais/@%23/b/o"):
            assert stage.wire("GET", f"/v1/{noun}?pid=x&utm=1", base=base).status in {401, 403}


def test_targets_check_tokens_themselves(stage: Site) -> None:
    url = _redirect(stage, "GET", "/v1/objects/b/o").partition("?")[0]
    reader, other = stage.user(b=int(A.GET)), stage.user(b=int(A.PUT))
    assert _at(stage, url, "GET", Authorization=f"Bearer {reader}").body == b"content"
    assert _at(stage, url, "GET", Authorization=f"Bearer {other}").status == 403
    assert _at(stage, url + "?pid=x&utm=1", "DELETE", Authorization=f"Bearer {reader}").status == 403


def test_sensitive_names_survive_the_signature(stage: Site) -> None:
    for name in ("a%20b", "a+b%2Bc", "%E2%82%AC", "q%3Fx%23y%26z", "~t", "%25"):
        assert stage.ok("PUT", f"/v1/objects/b/{name}", b"named").status == 200
        url = _redirect(stage, "GET", f"/v1/objects/b/{name}?provider=ais")
        assert _at(stage, url, "GET").body == b"named"


# ---- the bucket's own mask


def test_the_mask_of_a_bucket_applies_to_reading_too(stage: Site) -> None:
    everything = stage.user((1 << 18) - 1)
    stage.ok("PATCH", "/v1/buckets/dst", post("set-bprops", {"access": str(int(A.OBJ_LIST))}))
    try:
        for token in (everything, stage.admin_token):
            assert stage.ask("GET", "/v1/buckets/dst", LIST, token).status == 200
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                answer = stage.ask(method, "/v1/objects/dst/o", b"" if method == "PUT" else None, token)
                assert (answer.status, answer.error["tcode"]) == (403, "ErrBucketAccessDenied")
        refused = stage.ask("PATCH", "/v1/buckets/dst", post("reset-bprops"), everything)
        assert refused.status == 403
    finally:
        # Admins may always change it.
        stage.ok("PATCH", "/v1/buckets/dst", post("set-bprops", {"access": str(2**64 - 1)}))


# ---- tokens


@pytest.mark.parametrize(
    "header", ["", "bearer {}", "{}", "Basic {}", "Bearer", "Bearer ", "Bearer  {}", "Bearer {} ."]
)
def test_the_scheme_is_taken_literally(stage: Site, header: str) -> None:
    answer = stage.wire("GET", "/v1/buckets", headers={"Authorization": header.format(stage.admin_token)})
    assert answer.status == 401


def test_forged_tokens_are_refused(stage: Site) -> None:
    head, claims, _ = stage.admin_token.split(".")

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    admin = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = [f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}.", f"{head}.{claims}."]
    forged += [jwt.encode(admin, secret) for secret in (b"", b"secret", b"*" * 32, stage.admin[1].encode())]
    for token in forged:
        for wire, target in ((stage.wire, "/v1/buckets"), (stage.authn, "/v1/users")):
            answer = wire("GET", target, headers={"Authorization": f"Bearer {token}"})
            assert answer.status == 401, answer
        assert stage.authn("DELETE", "/v1/tokens", {"token": token}).status == 401


def test_tokens_expire(stage: Site) -> None:
    token = stage.login(*stage.admin, expires_in=1)
    deadline = time.monotonic() + 10
    while (answer := stage.ask("GET", "/v1/buckets", token=token)).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (answer.status, answer.error["message"].endswith("[err: token expired]")) == (401, True)
    assert stage.authn("DELETE", "/v1/tokens", {"token": token}).status == 401


def test_unknown_routes_are_for_nobody(stage: Site) -> None:
    for target in ("/v1/nosuch", "/", "/v2/buckets", "/nosuch"):
        assert stage.wire("GET", target).status in {400, 401}
    assert (
        stage.ask("POST", "/v1/buckets/b", post("no-such-action"), stage.user(b=(1 << 12) - 1)).status == 403
    )


def test_the_secret_does_not_leave(stage: Site) -> None:
    config = json.loads(stage.manage("GET", "/v1/daemon").body)
    assert config["auth"]["secret"] == "**********"
    for what in ("config", "bmd", "node_stats", "node_status", "smap"):
        assert stage.admin[1].encode() not in stage.ask("GET", f"/v1/daemon?what={what}").body
