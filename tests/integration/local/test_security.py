"""The statements of `docs/security.md`, as an attacker would try them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from authn_site import Site
from wire import Wire

from aistore.local import LocalCluster
from aistore.local.errors import LocalClusterError
from aistore.local.s3 import signature

PASSWORD_FILE = "authn-password"


def raw_answer(endpoint: str, method: str, target: str, *fields: str) -> bytes:
    """Send a request and return the head of its response as it came."""
    parts = urlsplit(endpoint)
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", *fields, "", ""])
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        sock.sendall(head.encode())
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while data := sock.recv(65536):
            received += data
    return received.partition(b"\r\n\r\n")[0]


# ---- values that are reflected in headers

INJECTED = "text/html\r\nX-Injected: yes\r\n\r\n<script>"
OVERRIDES = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", OVERRIDES)
@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r"])
def test_a_query_adds_no_header(wire: Wire, method: str, name: str, ends: str) -> None:
    wire.create("reflected")
    wire.ok("PUT", "/v1/objects/reflected/o", b"x")
    value = quote(INJECTED.replace("\r\n", ends), safe="")
    head = raw_answer(wire.endpoint, method, f"/s3/reflected/o?response-{name}={value}")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.count(b"\n") == head.count(b"\r\n")
    lines = head.lower().split(b"\r\n")
    assert not any(line.startswith((b"x-injected", b"\n", b"<")) for line in lines)
    assert any(line.startswith(f"{name}: text/html ".encode()) for line in lines)


def test_content_does_not_run_as_a_page_of_the_server(wire: Wire) -> None:
    """A page of the server's own origin could do everything; content comes from all who may write."""
    wire.create("reflected")
    wire.ok("PUT", "/s3/reflected/page.html", b"<script></script>", {"Content-Type": "text/html"})
    for target in (
        "/s3/reflected/page.html",
        "/s3/reflected/page.html?response-content-type=image/svg%2Bxml",
    ):
        headers = wire.ok("GET", target).headers
        assert headers["content-security-policy"] == "sandbox"
        assert headers["x-content-type-options"] == "nosniff"
    headers = wire.ok("GET", "/v1/objects/reflected/page.html").headers
    assert headers["content-type"] == "application/octet-stream"
    # What such a page sends has no origin.
    assert wire("POST", "/v1/buckets/planted", {"action": "create-bck"}, {"Origin": "null"}).status == 403


def test_names_and_metadata_add_no_header(wire: Wire) -> None:
    wire.create("reflected")
    name = quote("n\r\nX-Injected: yes\r\n\r\n", safe="")
    wire.ok("PUT", f"/v1/objects/reflected/{name}", b"x")
    wire.ok("PATCH", f"/v1/objects/reflected/{name}", {"value": {"k\r\nX-Injected": "v\r\nX-Injected: 1"}})
    for method, target in (
        ("GET", f"/v1/objects/reflected/{name}"),
        ("GET", f"/v1/objects/missing-{name}/x"),
        ("HEAD", f"/v1/objects/reflected/{name}?props=custom"),
        ("HEAD", f"/v1/objects/reflected/{name}"),
        ("HEAD", f"/v1/objects/reflected/missing-{name}"),
        ("GET", f"/s3/reflected/{name}"),
        ("GET", f"/v1/objects/reflected/{name}?etl_name={name}"),
    ):
        url = wire.endpoint
        for _ in range(2):
            head = raw_answer(url, method, target)
            assert b"\nx-injected" not in head.lower(), (method, target)
            if b"\r\nLocation: " not in head:
                break
            location = head.partition(b"\r\nLocation: ")[2].partition(b"\r\n")[0].decode()
            url, target = location, location.partition(urlsplit(location).netloc)[2]


# ---- bodies of signed requests

KEYS = ("access", "secret")


@pytest.fixture(scope="module")
def signed() -> Iterator[Wire]:
    with LocalCluster(s3_keys=KEYS) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        yield wire


def signed_put(wire: Wire, announced: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    """PUT with a signature that covers `announced` as what the body is."""
    host = urlsplit(wire.endpoint).netloc
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    covered = [("host", [host]), ("x-amz-content-sha256", [announced]), ("x-amz-date", [date])]
    canonical = signature.canonical_request("PUT", "/s3/b/o", "", covered, announced)
    key = signature.signing_key(KEYS[1], scope)
    claim = (
        f"{signature.ALGORITHM} Credential={KEYS[0]}/{scope},"
        f"SignedHeaders={';'.join(name for name, _ in covered)},"
        f"Signature={signature.sign(key, date, scope, canonical)}"
    )
    own = {"Authorization": claim, "x-amz-content-sha256": announced, "x-amz-date": date}
    return wire("PUT", "/s3/b/o", body, {**own, **(headers or {})}).status


def test_a_body_is_what_its_signature_says(signed: Wire) -> None:
    """Nothing that is announced leaves the body open to changes on the way."""
    whole = hashlib.sha256(b"content").hexdigest()
    assert signed_put(signed, whole, b"content") == 200
    for announced in ("", whole.upper(), whole[:-1], "x", "STREAMING-OTHER", f"{whole},{whole}"):
        assert signed_put(signed, announced, b"content") == 400, announced
    assert signed_put(signed, whole, b"changed") == 400
    chunked = b"7\r\nchanged\r\n0\r\n\r\n"
    assert signed_put(signed, whole, chunked, {"Content-Encoding": "aws-chunked"}) == 400
    assert signed_put(signed, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", chunked) == 403
    assert signed.ok("GET", "/v1/objects/b/o").body == b"content"


def test_a_presigned_url_binds_the_body_that_it_names(signed: Wire) -> None:
    host = urlsplit(signed.endpoint).netloc
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    announced = hashlib.sha256(b"content").hexdigest()
    query = (
        f"X-Amz-Algorithm={signature.ALGORITHM}&X-Amz-Content-Sha256={announced}"
        f"&X-Amz-Credential={quote(f'{KEYS[0]}/{scope}', safe='')}&X-Amz-Date={date}&X-Amz-Expires=60"
        "&X-Amz-SignedHeaders=host"
    )
    canonical = signature.canonical_request("PUT", "/s3/b/p", query, [("host", [host])], announced)
    made = signature.sign(signature.signing_key(KEYS[1], scope), date, scope, canonical)
    target = f"/s3/b/p?{query}&X-Amz-Signature={made}"
    assert signed("PUT", target, b"changed").status == 400
    assert signed("PUT", target, b"content").status == 200
    assert signed("PUT", f"{target};x", b"content").status == 403


def test_keys_of_s3_protect_s3_only(signed: Wire) -> None:
    assert signed("GET", "/s3/b/o").status == 403
    assert signed("GET", "/v1/objects/b").status == 400
    assert signed("HEAD", "/v1/buckets/b").status == 200


def test_without_tokens_every_program_of_the_machine_may_do_everything(wire: Wire) -> None:
    wire.create("open")
    wire.ok("PUT", "/v1/objects/open/o", b"x")
    assert wire.ok("GET", "/v1/objects/open/o").body == b"x"
    # Starting code included: only the message is wrong here.
    assert wire("PUT", "/v1/etl", {"name": "some-etl"}).status == 400
    wire.destroy("open")


# ---- a folder of accounts


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "aistore.local", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_a_folder_of_accounts_is_not_opened_without_them(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path, auth=True) as cluster:
        cluster.client().bucket("b").create().object("o").get_writer().put_content(b"mine")
    with pytest.raises(LocalClusterError, match=r"was used with --auth.*start with --auth or with --no-auth"):
        LocalCluster(dir=tmp_path).start()
    with served("--dir", str(tmp_path)) as process:
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (1, "")
        assert err.startswith(f"aistore.local: {tmp_path} was used with --auth")
        assert err.count("\n") == 1
    with served("--dir", str(tmp_path), "--no-auth") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        wire = Wire(process.stdout.readline().strip())
        assert "is now open to everyone" in process.stderr.readline()
        assert wire.ok("GET", "/v1/objects/b/o").body == b"mine"
    with LocalCluster(dir=tmp_path, auth=True) as cluster:
        assert Wire(cluster.endpoint)("GET", "/v1/objects/b/o").status == 401
    # An explicit `False` is taken.
    with LocalCluster(dir=tmp_path, auth=False) as cluster:
        assert Wire(cluster.endpoint).ok("GET", "/v1/objects/b/o").body == b"mine"


def test_a_folder_that_lost_its_accounts_is_not_open(tmp_path: Path) -> None:
    """A catalog that is made again has objects, but no users."""
    with LocalCluster(dir=tmp_path, auth=True) as cluster:
        cluster.client().bucket("b").create().object("o").get_writer().put_content(b"mine")
    for file in tmp_path.glob("catalog.sqlite*"):
        file.unlink()
    rebuild = [sys.executable, "-m", "aistore.local", "fsck", "--dir", str(tmp_path), "--rebuild"]
    subprocess.run(rebuild, capture_output=True, check=False, timeout=60)
    with pytest.raises(LocalClusterError, match="was used with --auth"):
        LocalCluster(dir=tmp_path).start()


def test_a_made_up_password_is_in_a_file_of_its_owner(tmp_path: Path) -> None:
    with served("--dir", str(tmp_path), "--auth", "--auth-port", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _, authn = process.stdout.readline(), Wire(process.stdout.readline().strip())
        told = process.stderr.readline()
        file = tmp_path / PASSWORD_FILE
        assert told == f"the password of the AuthN user 'admin' is in {file}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        password = file.read_text().strip()
        answer = authn("POST", "/v1/users/admin", {"password": password})
        assert answer.status == 200
        token = json.loads(answer.body)["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert authn("PUT", "/v1/users/admin", {"pass": "mine"}, headers).status == 200
        # The file has the password or is gone, and tokens of the old password are void.
        assert not file.exists()
        assert authn("GET", "/v1/users", headers=headers).status == 401


# ---- accounts


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with LocalCluster(targets=2, auth=True) as cluster:
        yield Site(cluster)


def test_tokens_are_void_after_a_change_of_password(site: Site) -> None:
    token = site.user(cluster=1 << 12)
    name = f"u{site._users}"
    assert site.ask("GET", "/v1/buckets", token=token).status == 200
    assert site.manage("PUT", f"/v1/users/{name}", {"pass": "another"}).status == 200
    for wire, target in ((site.wire, "/v1/buckets"), (site.authn, f"/v1/users/{name}")):
        assert wire("GET", target, headers={"Authorization": f"Bearer {token}"}).status == 401
    assert site.ask("GET", "/v1/buckets", token=site.login(name, "another")).status == 200


def test_roles_are_shown_to_those_who_have_them(site: Site) -> None:
    """Roles name buckets."""
    token = site.user(**{"secret-name": 1})
    own = f"u{site._users}"
    other = site.user()
    for target in ("/v1/roles", f"/v1/roles/{own}", "/v1/clusters"):
        assert site.authn("GET", target).status == 401
        assert b"secret-name" not in site.manage("GET", target, token=other).body
    assert site.manage("GET", f"/v1/roles/{own}", token=other).status == 401
    assert site.manage("GET", "/v1/roles/no-such", token=other).status == 401
    assert [role["name"] for role in json.loads(site.manage("GET", "/v1/roles", token=token).body)] == [own]
    assert site.manage("GET", f"/v1/roles/{own}", token=token).status == 200
    assert b"secret-name" in site.manage("GET", "/v1/roles").body
