"""Raw requests over `http.client`, and comparison of answers with recorded ones."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

DATA = Path(__file__).resolve().parents[1] / "data" / "wire"
TIMEOUT = 20.0
# Hop by hop, or of the recording's transport.
_IGNORED = {"date", "connection", "content-length", "transfer-encoding", "keep-alive", "server", "location"}


class Answer(NamedTuple):
    """A response: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error body, of a HEAD from its header."""
        return json.loads(self.headers.get("hdr-error") or self.body)


class Wire:
    """A cluster spoken to without any client library; URLs go out exactly as given.

    Over https the server is checked with `ca_file`.
    """

    def __init__(self, endpoint: str, ca_file: str | None = None) -> None:
        self.endpoint = endpoint
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def __call__(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        follow: bool = True,
        base: str | None = None,
    ) -> Answer:
        """Send a request, a body that is not bytes as JSON; follow redirects with method and body."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = (base or self.endpoint) + target
        for _ in range(3):
            answer = self._once(method, url, raw, headers or {})
            if not follow or answer.status not in {301, 307}:
                return answer
            url = answer.headers["location"]
        raise AssertionError(f"{method} {target}: too many redirects")

    def _once(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        target = url.partition(parts.netloc)[2] or "/"
        host, port = parts.hostname or "", parts.port
        conn = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )
        try:
            conn.putrequest(
                method, target.replace(" ", "%20"), skip_host="Host" in headers, skip_accept_encoding=True
            )
            for name, value in headers.items():
                conn.putheader(name, value.encode() if isinstance(value, str) else value)
            if "Transfer-Encoding" not in headers and (body is not None or method in {"PUT", "POST"}):
                conn.putheader("Content-Length", str(len(body or b"")))
            conn.endheaders(body)
            response = conn.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            conn.close()

    def ok(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request that must succeed."""
        answer = self(method, target, body, headers)
        assert answer.status in {200, 202, 206}, answer
        return answer

    def create(self, bucket: str) -> None:
        """Make a bucket if it isn't there."""
        answer = self("POST", f"/v1/buckets/{bucket}", {"action": "create-bck"})
        assert answer.status in {200, 409}, answer

    def destroy(self, bucket: str) -> None:
        """Remove a bucket if it is there."""
        answer = self("DELETE", f"/v1/buckets/{bucket}", {"action": "destroy-bck"})
        assert answer.status in {200, 404}, answer


def recorded(area: str) -> list[dict[str, Any]]:
    """The exchanges of a recording."""
    with (DATA / f"{area}.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


def is_of_rooms(request: dict[str, Any]) -> bool:
    """Whether a recorded request is about a job or a Get-Batch, which need a stage of their own."""
    about_jobs = {"status", "qryxstats"} & {value for _, value in request["query"]}
    return request["path"].startswith("/v1/ml/moss") or bool(about_jobs)


def target_of(request: dict[str, Any], **replaced: str) -> str:
    """Path and query of a recorded request."""
    query = [(key, replaced.get(key, value)) for key, value in request["query"]]
    return request["path"] + (f"?{urlencode(query)}" if query else "")


def shape(value: Any) -> Any:
    """Names and kinds of a JSON value; the kind of a list is that of its elements."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items()) if not key.startswith("$more")}
    if isinstance(value, list):
        items = [shape(item) for item in value if not (isinstance(item, dict) and "$more" in item)]
        return items[:1]
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    if isinstance(value, int | float):
        return "number"
    # A number that was marked in the recording became a string.
    return "number" if re.fullmatch(r"\{\{(id|ts_ns|port):\d+\}\}", value) else "str"


def differences(
    want_status: int, want_headers: dict[str, Any], want_body: Any, got: Answer, *, all_headers: bool = True
) -> list[str]:
    """What differs between a recorded answer and ours; not all recordings kept all headers."""
    if got.status != want_status:
        return [f"status {got.status} instead of {want_status}"]
    found = []
    want_names = {name.lower() for name in want_headers} - _IGNORED
    got_names = set(got.headers) - _IGNORED
    found += [f"no header {name}" for name in sorted(want_names - got_names)]
    if all_headers:
        found += [f"extra header {name}" for name in sorted(got_names - want_names)]
    wanted_type = {k.lower(): v for k, v in want_headers.items()}.get("content-type", "")
    if got.headers.get("content-type", "") != wanted_type:
        found.append(f"content type {got.headers.get('content-type')!r} instead of {wanted_type!r}")
    if want_status >= 400:
        found += _error_differences(want_headers, want_body, got)
    return found


def _error_differences(want_headers: dict[str, Any], want_body: Any, got: Answer) -> list[str]:
    by_name = {name.lower(): value for name, value in want_headers.items()}
    want = by_name.get("hdr-error") or (want_body or {}).get("json")
    if isinstance(want, dict) and "json" in want:
        want = want["json"]
    if not isinstance(want, dict) or "status" not in want:
        return []
    error = got.error
    found = []
    if set(error) != set(want):
        found.append(f"error has {sorted(error)} instead of {sorted(want)}")
    for key in ("tcode", "method", "status", "url_path"):
        if error.get(key) != want.get(key):
            found.append(f"{key} {error.get(key)!r} instead of {want.get(key)!r}")
    return found
