"""What a Get-Batch request asks for (protocol-ml/01, section 2)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from aistore.local.archives import by_mime
from aistore.local.errors import InvalidName, InvalidRequest
from aistore.local.limits import check_values
from aistore.local.names import check_object_name, make_bck, parse_uname
from aistore.sdk.models.prepare import prepared
from aistore.wire.archive.formats import Format
from aistore.wire.archive.members import is_member_path
from aistore.wire.serialization import decode_json

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket, Catalog
    from aistore.local.names import Bck

MISSING = "__404__"


class _Entry(msgspec.Struct):
    objname: str = ""
    bucket: str = ""
    provider: str = ""
    uname: str = ""
    archpath: str = ""
    opaque: str | None = None
    start: int = 0
    length: int = 0


class _Message(msgspec.Struct):
    in_: list[_Entry] | None = msgspec.field(default=None, name="in")
    mime: str = ""
    coer: bool = False
    onob: bool = False
    strm: bool = False
    coloc: int = 0


class Entry(NamedTuple):
    """One entry. `length` -1 means to the end; `opaque` goes back as it came."""

    bucket: Bucket
    name: str
    archpath: str = ""
    start: int = 0
    length: int = -1
    opaque: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the object or member is wanted."""
        return self.start == 0 and self.length < 0

    def member_name(self, *, only_object: bool) -> str:
        """Its name in the answer's archive."""
        name = f"{self.name}/{self.archpath.lstrip('/')}" if self.archpath else self.name
        return name if only_object else f"{self.bucket.bck.name}/{name}"


class BatchRequest(NamedTuple):
    """A checked request."""

    entries: tuple[Entry, ...]
    kind: Format
    keep_going: bool
    only_object: bool
    streaming: bool


def named_buckets(body: bytes, default: Bck | None) -> set[Bck]:
    """The buckets that a request names, whether or not they exist.

    Args:
        body (bytes): The JSON.
        default (Bck | None): The bucket of entries that name none.

    Raises:
        InvalidRequest: The request can't be read, or an entry names no bucket.
    """
    entries = {(raw.uname, raw.bucket, raw.provider): raw for raw in _decode(body).in_ or ()}
    named = {_bck(raw, default) for raw in entries.values()}
    return named | {default} if default is not None else named


def _decode(body: bytes) -> _Message:
    check_values(body)
    try:
        message: _Message = decode_json(body, prepared(_Message))
    except msgspec.DecodeError as err:
        raise InvalidRequest(f"moss: invalid request: {err}") from err
    return message


def parse_request(body: bytes, default: Bck | None, catalog: Catalog) -> BatchRequest:
    """Decode and check a request.

    Args:
        body (bytes): The JSON.
        default (Bck | None): The bucket of entries that name none.
        catalog (Catalog): Knows the buckets.

    Raises:
        InvalidRequest: What is wrong, with the entry's number.
        BucketNotFound: An entry's bucket, or the default one, does not exist.
    """
    message = _decode(body)
    if default is not None:
        catalog.buckets.get(default)
    if not message.in_:
        raise InvalidRequest("moss: empty input")
    kind = by_mime(message.mime) if message.mime else Format.TAR
    known: dict[Any, Bucket] = {}
    entries = tuple(_entry(raw, index, default, catalog, known) for index, raw in enumerate(message.in_))
    return BatchRequest(entries, kind, message.coer, message.onob, message.strm)


def _entry(raw: _Entry, index: int, default: Bck | None, catalog: Catalog, known: dict[Any, Bucket]) -> Entry:
    key = (raw.uname, raw.bucket, raw.provider)
    bucket = known.get(key)
    if bucket is None:
        bucket = known[key] = catalog.buckets.get(_bck(raw, default))
    name = raw.objname
    if not name:
        raise InvalidName(f'invalid object name "" (entry {index})', tcode="")
    check_object_name(name)
    if raw.archpath and not is_member_path(raw.archpath):
        raise InvalidRequest(f'invalid archpath "{raw.archpath}" (entry {index})')
    if raw.start < 0 or raw.length < -1 or (raw.start > 0 and raw.length == 0):
        raise InvalidRequest(
            f'not satisfiable range [start={raw.start},length={raw.length} (oname: "{name}")]'
        )
    if raw.opaque is not None:
        try:
            base64.b64decode(raw.opaque, validate=True)
        except (binascii.Error, ValueError) as err:
            raise InvalidRequest(f"illegal base64 data in opaque of entry {index}: {err}") from err
    length = -1 if raw.start == 0 and raw.length == 0 else raw.length
    return Entry(bucket, name, raw.archpath, raw.start, length, raw.opaque)


def _bck(raw: _Entry, default: Bck | None) -> Bck:
    if raw.uname:
        bck, obj_name = parse_uname(raw.uname)
        if obj_name:
            raise InvalidRequest(f'parse-uname "{raw.uname}": not expecting object name (have "{obj_name}")')
        if not raw.uname.endswith("/"):
            raise InvalidRequest("bucket name is missing")
        return bck
    if raw.bucket:
        return make_bck(raw.bucket, raw.provider)
    if default is None:
        raise InvalidRequest(f'bucket name is missing (oname: "{raw.objname}")')
    return default
