"""Exchanges and errors of AuthN, recorded on a real cluster, sent again as raw requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authn_site import Site
from wire import Answer, Wire, differences, recorded, shape, target_of

from aistore.local import LocalCluster
from aistore.local.authn.identity import describe

# Why ours differs.
KNOWN_ERRORS = {
    "authn: register bad cluster url": "a cluster is registered without asking it; the service waits for it",
}
_MARK = re.compile(r"\{\{id:([^}]*)\}\}")
_BITS = {describe(1 << bit): 1 << bit for bit in range(18)}


@pytest.fixture(scope="module")
def site(promote_dir: Path) -> Iterator[Site]:
    with LocalCluster(targets=2, auth=True, admin=("admin", "admin"), promote_dir=promote_dir) as cluster:
        yield Site(cluster)


# ---- exchanges


def _exchanges() -> list[Any]:
    return [
        pytest.param(record, id=f"{number}-{record['test'].rpartition('::')[2]}")
        for number, record in enumerate(recorded("authn"))
    ]


def _unmarked(value: Any) -> Any:
    return json.loads(_MARK.sub(r"\1", json.dumps(value)))


class _Stage:
    """Makes what a recorded exchange found: accounts, buckets, objects, and whose token was sent."""

    def __init__(self, site: Site, record: dict[str, Any]) -> None:
        self.site = site
        self.request = record["request"]
        self.response = record["response"]
        self.status: int = record["response"]["status"]
        self.body = _unmarked((self.request["body"] or {}).get("json"))
        self.parts = self.request["path"].split("/")[2:]
        self.token = site.admin_token

    def set(self) -> None:
        self.site.reset()
        if self.request["host"] == "PROXY":
            self._buckets()
            self._bearer()
        else:
            self._accounts()

    def _buckets(self) -> None:
        if self.parts == ["buckets"] and self.status == 200:
            self.site.ok("POST", "/v1/buckets/listed", {"action": "create-bck"})
        if len(self.parts) < 2 or self.parts[0] not in {"buckets", "objects"} or self.status == 404:
            return
        if self.body and self.body.get("action") == "create-bck":
            return
        self.site.ok("POST", f"/v1/buckets/{self.parts[1]}", {"action": "create-bck"})
        names = self.parts[2:]
        if self.parts[0] == "buckets" and "msgpack" in (self.response.get("body") or {}):
            names = [entry["n"] for entry in self.response["body"]["msgpack"]["Entries"]]
        for name in names:
            self.site.ok("PUT", f"/v1/objects/{self.parts[1]}/{name}", b"Test-Data")

    def _bearer(self) -> None:
        message = (self.response.get("body") or {}).get("json")
        text = message.get("message", "") if isinstance(message, dict) else ""
        if "token revoked" in text:
            self.token = self.site.login(*self.site.admin)
            assert self.site.authn("DELETE", "/v1/tokens", {"token": self.token}).status == 200
        elif self.status == 403:
            granted = re.search(r"granted\(([^)]*)\)", text)
            bits = sum(_BITS[name] for name in granted[1].split(",") if name in _BITS)
            bucket = {self.parts[1]: bits} if "bucket ais://" in text else {}
            self.token = self.site.user(0 if bucket else bits, **bucket)

    def _accounts(self) -> None:
        method, noun, name = self.request["method"], self.parts[0], "".join(self.parts[1:])
        is_there = (self.status == 200 and bool(name)) or self.status == 409
        if noun == "clusters" and (is_there or "clusters" in str(self.response.get("body"))):
            found = self.body if self.status == 409 else None
            alias = "authn-test-cluster"
            self._add(
                "clusters", found or {"id": "C8NMfZLOE", "alias": alias, "urls": [self.site.wire.endpoint]}
            )
        shown = (self.response.get("body") or {}).get("json")
        listed = [role for role in shown if role["name"] != "Admin"] if isinstance(shown, list) else []
        of_user = (shown or {}).get("roles") or () if isinstance(shown, dict) and noun == "users" else ()
        for role in [*listed, *of_user, *((self.body or {}).get("roles") or ())]:
            self._add("roles", _unmarked(role))
        if noun == "roles" and name and is_there:
            self._add("roles", _unmarked(shown) if method == "GET" else {"name": name, "desc": "d"})
            for mask in (_unmarked(shown) or {}).get("clusters") or () if method == "GET" else ():
                self._add("clusters", {"id": mask["id"], "alias": mask["alias"], "urls": []})
        if noun == "users" and name and is_there and name != "admin":
            password = (self.body or {}).get("password") or "x"
            roles = [{"name": role["name"]} for role in of_user]
            self._add("users", {"id": name, "pass": password, "roles": roles})
        if noun == "tokens":
            self.body = {"token": self.site.login(*self.site.admin)}

    def _add(self, noun: str, value: dict[str, Any]) -> None:
        answer = self.site.manage("POST", f"/v1/{noun}", value)
        assert answer.status in {200, 409}, answer

    def send(self) -> Answer:
        wire = self.site.wire if self.request["host"] == "PROXY" else self.site.authn
        headers = {
            name: value.replace("{{jwt}}", self.token)
            for name, value in self.request["headers"].items()
            if name not in {"Content-Length", "Connection"}
        }
        content = (self.request["body"] or {}).get("text")
        body = self.body if self.body is not None else content.encode() if content else None
        return wire(self.request["method"], target_of(self.request), body, headers)


@pytest.mark.parametrize("record", _exchanges())
def test_recorded_exchange(site: Site, record: dict[str, Any], promote_dir: Path) -> None:
    stage = _Stage(site, record)
    stage.set()
    if record.get("action") == "promote":
        file = promote_dir / "promoted.txt"
        file.write_bytes(b"Test-Data")
        stage.body["name"] = stage.body["value"]["src"] = str(file)
    answer = stage.send()
    want = record["response"]
    assert not differences(want["status"], want["headers"], want.get("body"), answer), answer
    body = (want.get("body") or {}).get("json")
    if body and want["status"] == 200:
        mine, theirs = shape(json.loads(answer.body)), shape(body)
        if record["request"]["path"] == "/v1/users":
            mine, theirs = mine["admin"], theirs["admin"]
        if record["request"]["path"] not in {"/v1/daemon", "/v1/roles"}:
            assert mine == theirs


# ---- errors


def _errors() -> list[Any]:
    return [
        pytest.param(record, id=record["case"].replace(" ", "-"))
        for record in recorded("errors")
        if record["case"].startswith(("authn:", "ais with auth:"))
    ]


@pytest.mark.parametrize("record", _errors())
def test_recorded_error(site: Site, record: dict[str, Any]) -> None:
    site.reset()
    request, case = record["request"], record["case"]
    wire: Wire = site.authn if case.startswith("authn:") else site.wire
    head, _, signature = site.admin_token.rpartition(".")
    tokens = {
        "{{admin-jwt}}": site.admin_token,
        "{{jwt with reversed signature}}": f"{head}.{signature[::-1]}",
    }
    headers = dict(request["headers"] or {})
    for mark, token in tokens.items():
        headers = {name: value.replace(mark, token) for name, value in headers.items()}
    body = request["body"].encode() if isinstance(request["body"], str) else request["body"]
    answer = wire(request["method"], request["path"], body, headers)
    if case in KNOWN_ERRORS:
        assert answer.status != record.get("status"), f"{case!r} no longer differs: take it off the list"
        return
    if "text" in record["body"]:
        assert (answer.status, answer.body.decode()) == (record["status"], record["body"]["text"])
        return
    found = differences(record["status"], record["resp_headers"], record["body"], answer, all_headers=False)
    assert not found, answer


def test_tokens_are_not_repeated_in_answers(site: Site) -> None:
    revoked = site.login(*site.admin)
    site.authn("DELETE", "/v1/tokens", {"token": revoked})
    for token in (revoked, "garbage-garbage", site.admin_token[:-4]):
        for wire, path in ((site.wire, "/v1/buckets"), (site.authn, "/v1/users")):
            answer = wire("GET", path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status == 401
            assert token.encode() not in answer.body
