"""How much of what was recorded on a real cluster is answered alike: at least 97 %.

Counts what the tests beside this one send again, and what they list as known differences. Recordings that a
cluster without clouds, Kubernetes or a download service can't give are left out, by name.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from wire import Wire, differences, is_of_rooms, recorded

LEAST = 0.97

# Beginning of a case -> why it isn't one of a local cluster.
ELSEWHERE = {
    "aws backend": "recorded with a bucket of a cloud",
    "etl build, no k8s": "recorded without Kubernetes, which ETLs need there and not here",
    "download": "there is no download service",
    "dsort (not built in)": "recorded on a build without dSort",
    "dsort list (not built in)": "recorded on a build without dSort",
}
WITHOUT_ETL = "in a build without ETL support"

# Recorded without Kubernetes, which ETLs need there and not here.
KNOWN_ETL_BUILD = {
    "list": "ETLs run without Kubernetes here",
    "logs unknown": "ETLs run without Kubernetes here: 404, there is none of this name",
    "details unknown": "answered like the other requests about an ETL that isn't there",
    "health unknown": "ETLs run without Kubernetes here: 404, there is none of this name",
    "init ok spec but no k8s": "ETLs run without Kubernetes here: what fails is the command",
}
# The S3 endpoint answers as S3 does where the cluster doesn't.
KNOWN_S3 = {
    "s3: delete missing object": "204, as S3 says",
    "s3: abort unknown id": "404 NoSuchUpload, as S3 says",
    "s3: policy get": "says in XML that it isn't implemented",
    "s3: list bad max-keys": "400 InvalidArgument, as S3 says",
    "s3: list negative-free bad token": "400 InvalidArgument, as S3 says",
    "s3: negative max-keys": "400 InvalidArgument, as S3 says",
}
_ETL_BUILD = "etl build, no k8s: "


def _raw_errors() -> list[dict[str, Any]]:
    return [record for record in recorded("errors") if record["via"] == "raw"]


def _etl_build() -> list[Any]:
    found = [record for record in _raw_errors() if record["case"].startswith(_ETL_BUILD)]
    return [pytest.param(record, id=record["case"].removeprefix(_ETL_BUILD)) for record in found]


@pytest.mark.parametrize(
    "record", [r for r in _raw_errors() if r["case"].startswith("s3:")], ids=lambda r: r["case"]
)
def test_recorded_s3_error(wire: Wire, record: dict[str, Any], promote_dir: Path) -> None:
    _prepare(wire)
    assert _is_alike(wire, record, "", promote_dir) == (record["case"] not in KNOWN_S3)


@pytest.mark.parametrize("record", _etl_build())
def test_recorded_error_of_an_etl_build(wire: Wire, record: dict[str, Any]) -> None:
    for bucket in ("errbck", "errbck2"):
        wire.create(bucket)
    wire.ok("PUT", "/v1/objects/errbck/o1", b"0123456789")
    request = record["request"]
    body = request["body"].encode() if isinstance(request["body"], str) else request["body"]
    answer = wire(request["method"], request["path"], body, request["headers"])
    found = differences(record["status"], record["resp_headers"], record["body"], answer, all_headers=False)
    assert bool(found) == (record["case"].removeprefix(_ETL_BUILD) in KNOWN_ETL_BUILD), (found, answer)


class _Share(NamedTuple):
    area: str
    sent: int
    different: int


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"counted_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _of_this_cluster(record: dict[str, Any]) -> bool:
    """Whether an exchange was complete, and not about a bucket of a cloud."""
    return '"aws"' not in str(record["request"]).replace("'", '"') and "status" in (
        record.get("response") or {}
    )


def _error_shares(wire: Wire, promote_dir: Path) -> list[_Share]:
    errors, rooms = _module("test_recorded_errors"), _module("test_recorded_rooms")
    dsort, authn = _module("test_recorded_dsort"), _module("test_recorded_authn")
    tests = {
        "errors": (errors._cases(), errors.KNOWN),
        "errors of jobs and batches": (rooms._error_cases(), rooms.KNOWN_ERRORS),
        "errors of dsort": (dsort._errors(), {}),
        "errors of authn": (authn._errors(), authn.KNOWN_ERRORS),
        "errors of s3": ([pytest.param(r) for r in _raw_errors() if r["case"].startswith("s3:")], KNOWN_S3),
        "errors of etl": (
            [param for param in _etl_build() if param.id not in KNOWN_ETL_BUILD],
            {},
        ),
    }
    upload = _prepare(wire)
    sent: set[str] = set()
    shares = []
    for area, (params, known) in tests.items():
        cases = {param.values[0]["case"]: param.values[0] for param in params}
        sent |= set(cases)
        # Where the connection was dropped there is no answer to be like.
        cases = {case: record for case, record in cases.items() if record.get("status") is not None}
        different = [
            case for case in cases if case in known and not _is_alike(wire, cases[case], upload, promote_dir)
        ]
        shares.append(_Share(area, len(cases), len(different)))
    left_out = [r for r in _raw_errors() if r["case"] not in sent]
    unexplained = [
        record["case"]
        for record in left_out
        if not record["case"].startswith(tuple(ELSEWHERE)) and WITHOUT_ETL not in str(record["body"])
    ]
    assert not unexplained
    return shares


def _prepare(wire: Wire) -> str:
    """Make what the known differences are about; returns the ID of an upload."""
    for bucket in ("errbck", "errbck2"):
        wire.create(bucket)
    wire.ok("PUT", "/v1/objects/errbck/o1", b"0123456789")
    return wire.ok("POST", "/v1/objects/errbck/mpx", {"action": "mpt-upload"}).body.decode()


def _is_alike(wire: Wire, record: dict[str, Any], upload: str, promote_dir: Path) -> bool:
    """Whether a known difference is in a value only: same status, same headers, same fields of the error."""
    request = record["request"]
    body = _module("test_recorded_errors")._body(request["body"])
    if isinstance(body, dict):
        body = json.loads(json.dumps(body).replace("/var/lib/ais/promote", str(promote_dir)))
    path = request["path"].replace("T2NbXP9-5E", upload)
    answer = wire(request["method"], path, body, request["headers"])
    found = differences(record["status"], record["resp_headers"], record["body"], answer, all_headers=False)
    different = [line for line in found if not line.startswith(("tcode ", "method ", "url_path "))]
    if different:
        print(f"{'':>28}  differs: {record['case']}: {'; '.join(different)[:200]}")
    return not different


def _exchange_shares() -> list[_Share]:
    exchanges, rooms = _module("test_recorded_exchanges"), _module("test_recorded_rooms")
    dsort, authn, s3 = (_module(f"test_recorded_{area}") for area in ("dsort", "authn", "s3"))
    shares = []
    compared = [param.id.rpartition("-")[0] for param in exchanges._cases()]
    for area in exchanges.AREAS:
        own = [r for r in recorded(area) if area != "https" or not is_of_rooms(r["request"])]
        there = sum(1 for record in own if _of_this_cluster(record))
        shares.append(_Share(area, there, there - compared.count(area)))
    shares += [
        _Share(area, sum(1 for param in rooms._exchanges() if param.id.startswith(area)), 0)
        for area in ("job", "multiobj", "batch", "https")
    ]
    session = [
        row
        for row in recorded("etl-client-api")
        if row["response"]["status"] not in {301, 307} and "pod death" not in row["label"]
    ]
    # Of a crash only the URL in the error differs.
    kept = [row for row in session if row["label"] in rooms.KNOWN_ETL and "crashes" not in row["label"]]
    shares.append(_Share("etl", len(session), len(kept)))
    # Of the others the start fails whatever is sent: a fault of the builds they were recorded on.
    repaired = [param for param in dsort._exchanges() if param.values[0]["src"] not in dsort.KNOWN]
    shares.append(_Share("dsort", len(repaired), 0))
    shares.append(_Share("authn", len(authn._exchanges()), 0))
    heads = [
        param
        for param in s3._cases()
        if (param.values[0]["request"]["method"], param.values[0]["response"]["status"]) in s3.KNOWN
    ]
    shares.append(_Share("s3", len(s3._cases()), len(heads)))
    return shares


def test_share_of_recorded_exchanges_that_are_answered_alike(
    wire: Wire, promote_dir: Path, record_property: Any
) -> None:
    shares = _error_shares(wire, promote_dir) + _exchange_shares()
    for share in shares:
        print(f"{share.area:>28}: {share.sent - share.different:4} of {share.sent:4}")
    sent = sum(share.sent for share in shares)
    alike = sent - sum(share.different for share in shares)
    print(f"{'together':>28}: {alike:4} of {sent:4}, {alike / sent:.1%}")
    record_property("recorded_exchanges_alike", f"{alike}/{sent}")
    assert alike / sent >= LEAST
