"""Errors recorded on a real cluster, sent again as raw requests: the same answer, or a known difference."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from wire import Wire, differences, recorded

from aistore.local import LocalCluster

# Answered by other rooms, by services that a local cluster doesn't have, or recorded on other builds.
_OTHER_AREAS = (
    *(
        "dsort",
        "authn",
        "ais with auth",
        "etl",
        "s3",
        "aws backend",
        "get-batch",
        "download",
        "job",
        "start",
        "stop",
    ),
    *(
        "copy-listrange",
        "delete-listrange",
        "evict-listrange",
        "prefetch",
        "archive",
        "etl-bck",
        "blob download",
    ),
    *("rename to", "rename missing bck_to", "copy to itself", "get with unknown etl"),
)

# Case -> why ours differs. A case that no longer differs must leave the list.
KNOWN = {
    "range bytes=-0": "no bytes are asked for: 416, not a 206 with the impossible range 10-9",
    "object name component 256 chars dir": "names are not paths here: any length up to 8 KiB works",
    "promote missing path": "reported by the proxy itself, with the URL that was asked for",
    "mpt bad part number 0": "the request is wrong, not the server: 400, not 500",
    "mpt bad part number -1": "the request is wrong, not the server: 400, not 500",
    "mpt bad part number 10001": "the request is wrong, not the server: 400, not 500",
}


def _cases() -> list[Any]:
    found = []
    for record in recorded("errors"):
        case = record["case"]
        if record["via"] == "raw" and not case.startswith(_OTHER_AREAS):
            found.append(pytest.param(record, id=case.replace(" ", "-")))
    return found


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("a.txt", "d/b.txt"):
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"12345"))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def prepared(cluster: LocalCluster) -> tuple[Wire, str]:
    """Give the state that the recording began with, and the ID of an upload without parts."""
    wire = Wire(cluster.endpoint)
    for bucket in ("errbck", "errbck2"):
        wire.create(bucket)
    wire.ok("PUT", "/v1/objects/errbck/o1", b"0123456789")
    wire.ok("PUT", "/v1/objects/errbck/a.tar", _tar())
    upload = wire.ok("POST", "/v1/objects/errbck/mpx", {"action": "mpt-upload"}).body.decode()
    return wire, upload


def _body(value: Any) -> Any:
    if not isinstance(value, dict):
        return value.encode() if isinstance(value, str) else value
    if "head_hex" in value:
        return bytes.fromhex(value["head_hex"])
    return bytes.fromhex(value["hex"]) if "hex" in value else value


@pytest.mark.parametrize("record", _cases())
def test_recorded_error(prepared: tuple[Wire, str], record: dict[str, Any]) -> None:
    wire, upload = prepared
    request = record["request"]
    target = request["path"].replace("T2NbXP9-5E", upload)
    if "...(" in target:
        target = f"/v1/objects/errbck/{'n' * int(record['case'].split()[2])}?provider=ais"
    answer = wire(request["method"], target, _body(request["body"]), request["headers"])
    if record.get("status") is None:
        # The real cluster dropped the connection.
        assert answer.status in {200, 400}
        return
    headers = record["resp_headers"]
    found = differences(record["status"], headers, record["body"], answer, all_headers=False)
    case = record["case"]
    if case in KNOWN:
        assert found, f"{case!r} no longer differs: take it off the list"
    else:
        assert not found, (found, answer)
