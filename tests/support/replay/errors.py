"""Calls that failed when they were recorded: what was called, and what is refused before a request."""

from collections.abc import Callable
from typing import Any

from recordings import records

from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.batch.batch import Batch
from aistore.sdk.bucket import Bucket
from aistore.sdk.dsort import Dsort
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.etl import Etl
from aistore.sdk.job import Job
from aistore.sdk.multiobj import ObjectRange
from aistore.sdk.provider import Provider
from aistore.sdk.request_client import RequestClient

Call = Callable[[RequestClient], Any]


def _bucket(client, name="errbck", provider="ais") -> Bucket:
    return Bucket(name, client, Provider(provider))


def _get(client, name, bucket="errbck", provider="ais", **options):
    return _bucket(client, bucket, provider).object(name).get_reader(**options).read_all()


def _put(client, name, bucket="errbck"):
    return _bucket(client, bucket).object(name).get_writer().put_content(b"x")


def _upload(client, name):
    return _bucket(client).object(name).multipart_upload().create()


def _init(client, name):
    return Etl(client, name).init("x", ["a"])


SENT: dict[str, Call] = {
    "create duplicate bucket": lambda client: _bucket(client).create(),
    "head missing bucket": lambda client: _bucket(client, "nosuch").head(),
    "head missing aws bucket": lambda client: _bucket(client, "nosuch", "aws").head(),
    "destroy missing bucket": lambda client: _bucket(client, "nosuch").delete(),
    "destroy missing bucket missing_ok": lambda client: _bucket(client, "nosuch").delete(missing_ok=True),
    "rename to existing": lambda client: _bucket(client).rename("errbck2"),
    "copy bucket to itself": lambda client: _bucket(client).copy(_bucket(client)),
    "copy from missing bucket": lambda client: _bucket(client, "nosuch").copy(_bucket(client, "errbck2")),
    "list missing bucket": lambda client: _bucket(client, "nosuch").list_objects(),
    "list bad token": lambda client: _bucket(client).list_objects(uuid="bogus", continuation_token="bogus"),
    "get missing object": lambda client: _get(client, "nosuch"),
    "get object in missing bucket": lambda client: _get(client, "o1", "nosuch"),
    "head missing object": lambda client: _bucket(client).object("nosuch").head(),
    "put object in missing bucket": lambda client: _put(client, "o1", "nosuch"),
    "delete missing object": lambda client: _bucket(client).object("nosuch").delete(),
    "range beyond end": lambda client: _get(client, "o1", byte_range="bytes=100-200"),
    "blob download on ais bucket": lambda client: _bucket(client).object("o1").blob_download(),
    "archpath missing": lambda client: _get(client, "a.tar", archive_config=ArchiveConfig("nosuch")),
    "mpt complete without parts": lambda client: _upload(client, "mp2").complete(),
    "batch missing object no streaming": lambda client: Batch(
        client, bucket=_bucket(client), objects="nosuch", cont_on_err=False, streaming_get=False
    ).get(),
    "job status unknown": lambda client: Job(client, "nosuch").status(),
    "job wait unknown": lambda client: Job(client, "nosuch").wait(),
    "job get_details unknown": lambda client: Job(client, "nosuch").get_details(),
    "job start unknown kind": lambda client: Job(client, job_kind="nosuch").start(),
    "job abort unknown": lambda client: Job(client, "nosuch").abort(),
    "get with unknown etl": lambda client: _get(client, "o1", etl=ETLConfig("nosuch")),
    "etl build, no k8s: init": lambda client: _init(client, "my-etl-1"),
    "etl init (no k8s)": lambda client: _init(client, "my-etl"),
    "etl build, no k8s: get with etl": lambda client: _get(client, "o1", etl=ETLConfig("nosuch")),
    "etl view unknown": lambda client: Etl(client, "nosuch").view(),
    "etl stop unknown": lambda client: Etl(client, "nosuch").stop(),
    "etl build, no k8s: view unknown": lambda client: Etl(client, "nosuch").view(),
    "etl build, no k8s: stop unknown": lambda client: Etl(client, "nosuch").stop(),
    "etl build, no k8s: delete unknown": lambda client: Etl(client, "nosuch").delete(),
    "aws backend: get missing object": lambda client: _get(client, "nosuch", "ais-ci-python", "aws"),
    "aws backend: missing bucket head": lambda client: _bucket(client, "nosuch-bucket-xyz", "aws").head(),
    "aws backend: missing bucket list": lambda client: _bucket(
        client, "nosuch-bucket-xyz", "aws"
    ).list_objects(),
}
"""What sends the recorded requests."""

REFUSED: dict[str, Call] = {
    "bad provider": lambda client: Bucket("b", client, "foo").create(),
    "rename to bad name": lambda client: _bucket(client).rename("bad name$"),
    "evict ais bucket": lambda client: _bucket(client).evict(),
    "range malformed": lambda client: _get(client, "o1", byte_range="bytes=5-2"),
    "object name ../x (client-side URL normalisation)": lambda client: _put(client, "../errbck2/leak"),
    "object name ./dot": lambda client: _put(client, "./dot"),
    "object name empty": lambda client: _put(client, ""),
    "mpt add_part number 0": lambda client: _bucket(client).object("o").multipart_upload().add_part(0),
    "ObjectRange bad": lambda _client: ObjectRange("a", 5, 1),
    "objects() nothing given": lambda client: _bucket(client).objects(),
    "job no id no kind": lambda client: Job(client).status(),
    "aws backend: create": lambda client: _bucket(client, "b", "aws").create(),
    "aws backend: rename": lambda client: _bucket(client, "b", "aws").rename("c"),
    "dsort start (not built in)": lambda client: Dsort(client).start("spec"),
    "list page_size negative": lambda client: _bucket(client).list_objects(page_size=-5),
}
"""What is refused before anything is sent: by the 2.0.0 package too, or because of what came of it there."""


def failed_calls() -> list[dict]:
    return [record for record in records("errors") if record["case"] in SENT and "wire" in record]


def refused_calls() -> list[dict]:
    return [record for record in records("errors") if record["case"] in REFUSED and "wire" in record]


def answers() -> list[dict]:
    """Select answers to raw requests that say that something went wrong."""
    return [
        record
        for record in records("errors")
        if record["via"] == "raw" and (record.get("status") or 0) >= 400
    ]
