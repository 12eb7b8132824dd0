"""What the SDK refuses: every call of `tests/data/refusals.txt` is made, against a local cluster.

The table of `docs/errors.md` is written by `python tests/support/refusals.py docs/errors.md`.
"""

# ruff: noqa: F401 - the calls name what is imported here

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk import errors
from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.bucket import Bucket
from aistore.sdk.dataset.data_attribute import DataAttribute
from aistore.sdk.dataset.dataset_config import DatasetConfig
from aistore.sdk.dsort import DsortAlgorithm, DsortFramework, DsortShardsGroup, ExternalKeyMap
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.etl import Etl
from aistore.sdk.multiobj import ObjectNames, ObjectRange, ObjectTemplate
from aistore.sdk.provider import Provider
from aistore.sdk.request_client import RequestClient
from aistore.sdk.session_manager import SessionManager
from aistore.sdk.transport.transport import Transport
from aistore.sdk.utils import convert_to_seconds, parse_url

CASES = Path(__file__).resolve().parents[1] / "data" / "refusals.txt"
BEGIN, END = "<!-- refusals: begin -->\n", "<!-- refusals: end -->\n"
_EVERYTHING = {"BaseException", "Exception", "object"}


class Row(NamedTuple):
    """A refused call: the error's name, the built-ins it also is, the requests made, the message."""

    call: str
    error: str
    builtins: str
    requests: str
    message: str

    def __str__(self) -> str:
        error = f"`{self.error}`" + (f" ({self.builtins})" if self.builtins else "")
        said = self.message if not self.requests else ""
        cells = (f"`{self.call}`", error, self.requests or "none", said)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def sections() -> dict[str, list[str]]:
    """The calls, by the noun they are about."""
    found: dict[str, list[str]] = {}
    for line in CASES.read_text().splitlines():
        if line.startswith("# "):
            calls = found.setdefault(line[2:], [])
        elif line:
            calls.append(line)
    return found


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name in ("folder/one/a", "folder/two/a", "a-file"):
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_bytes(b"x")
            Path("malformed.json").write_text("{")
            Path("spec.txt").write_text("{}")
            yield
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _recorded() -> Iterator[list[str]]:
    requests: list[str] = []
    send = Transport.send

    def record(self, call):
        try:
            return send(self, call)
        except errors.InvalidArgument:  # of its header fields: nothing was sent
            call.target = ""
            raise
        finally:
            if call.target and "/v1/daemon?what=smap" not in call.target:
                requests.append(f"{call.method} {call.target.split('?')[0].split('/')[2]}")

    with mock.patch.object(Transport, "send", record):
        yield requests


def _namespace(client: Client, bucket: Bucket) -> dict[str, object]:
    def upload():
        return bucket.object("upload").multipart_upload().create()

    def closed(file):
        file.close()
        return file

    def write(file, data):
        with file:
            file.write(data)

    obj = bucket.object("o")
    return {
        **globals(),
        "client": client,
        "url": client._request_client.base_url,
        "manager": client._request_client.session_manager,
        "bucket": bucket,
        "missing": client.bucket("missing"),
        "remote": client.bucket("b", "s3"),
        "obj": obj,
        "group": bucket.objects(obj_names=["o"]),
        "authn": AuthNClient("http://localhost:52001"),
        "upload": upload,
        "closed": closed,
        "write": write,
    }


def run(client: Client) -> dict[str, list[Row]]:
    """Make every call, and tell how it ended."""
    bucket = client.bucket("refusals").create()
    bucket.object("o").get_writer().put_content(b"0123456789")
    with _folder(), _recorded() as requests:
        names = _namespace(client, bucket)
        table = {
            section: [_row(call, names, requests) for call in calls] for section, calls in sections().items()
        }
    bucket.delete()
    return table


def _row(call: str, names: dict[str, object], requests: list[str]) -> Row:
    del requests[:]
    try:
        eval(call, names)
    except Exception as err:
        made = list(dict.fromkeys(requests))
        also = [cls for cls in type(err).__mro__ if cls.__module__ == "builtins"]
        shown = [
            cls.__name__
            for cls in also
            if cls.__name__ not in _EVERYTHING
            and cls is not type(err)
            and not any(cls is not other and issubclass(other, cls) for other in also)
        ]
        message = " ".join(str(err).split())
        return Row(call, type(err).__name__, ", ".join(shown), ", ".join(made), message)
    return Row(call, "nothing", "", ", ".join(dict.fromkeys(requests)), "")


def table(found: dict[str, list[Row]]) -> str:
    """The Markdown of the page."""
    lines = []
    for section, rows in found.items():
        lines += [
            f"### {section}",
            "",
            "| call | error | requests made before | message |",
            "|---|---|---|---|",
        ]
        lines += [*map(str, rows), ""]
    return "\n".join(lines)


def main(page: Path) -> None:
    """Write the table into the page."""
    with LocalCluster(targets=1) as cluster, cluster.client() as client:
        text = table(run(client))
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
