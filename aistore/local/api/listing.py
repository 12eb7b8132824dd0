"""List objects: the message, the page and its two encodings (protocol/05)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aistore.local.api.response import JSON_TYPE, Response
from aistore.local.catalog.objects import encode_name
from aistore.local.errors import InvalidRequest
from aistore.local.listing import Entry, Flag, Page, Query, list_page
from aistore.local.names import check_prefix
from aistore.local.nodes import new_id
from aistore.local.numbers import whole_number
from aistore.sdk.models.prepare import prepared
from aistore.wire.archive.unreadable import HEADER_UNREADABLE, unreadable_header
from aistore.wire.serialization import encode_json, encode_msgpack

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket

DEFAULT_PAGE = 10_000
MAX_PAGE = 100_000
_SMALL_PAGE = 1000
_ENTRY_BYTES = 100
_MSGPACK = "application/msgpack"


class ListMsg(msgspec.Struct, forbid_unknown_fields=True):
    """The listing message; an unknown field is an error, as on the cluster."""

    uuid: str | None = ""
    props: str | None = ""
    flags: str | None = "0"
    prefix: str | None = ""
    start_after: str | None = ""
    continuation_token: str | None = ""
    pagesize: int | None = 0
    time_format: str | None = ""
    target: str | None = ""
    hdr: Any = None


class _JsonEntry(msgspec.Struct, omit_defaults=True):
    name: str
    checksum: str = ""
    atime: str = ""
    version: str = ""
    location: str = ""
    custom: str = msgspec.field(default="", name="custom-md")
    size: str = ""
    copies: int = 0
    flags: int = 0


class _PackedEntry(msgspec.Struct, omit_defaults=True):
    n: str
    cs: str = ""
    a: str = ""
    v: str = ""
    t: str = ""
    m: str = ""
    s: int = 0
    c: int = 0
    f: int = 0


async def list_objects(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    """Answer with one page, as msgpack where the client accepts it."""
    lst = _decode(req, msg.value)
    query = _query(bucket, lst)
    if query.limit > _SMALL_PAGE:
        await req.hold(req.state.pages, query.limit * _ENTRY_BYTES)
    listing = req.working(list_page, req.state, bucket, query)
    if query.flags & Flag.ARCH_DIR:
        page = await req.state.archives.run(req.client, listing)
    else:
        page = await req.state.run(listing)
    uuid = lst.uuid or new_id()
    headers = [(HEADER_UNREADABLE, unreadable_header(page.unreadable))] if page.unreadable else None
    if _MSGPACK in req.headers.get("accept", ""):
        return Response(200, _pack(uuid, page), headers=headers, content_type=_MSGPACK)
    return Response(200, _json(uuid, page), headers=headers, content_type=JSON_TYPE)


def _decode(req: Request, value: Any) -> ListMsg:
    try:
        return msgspec.convert(value, prepared(ListMsg))
    except msgspec.ValidationError as err:
        kind = "map[string]interface {}" if isinstance(value, dict) else type(value).__name__
        message = f"{req.node.label}: failed to unmarshal list ({kind}), err: apc.LsoMsg: {err}"
        raise InvalidRequest(message) from err


def _query(bucket: Bucket, lst: ListMsg) -> Query:
    flags = lst.flags or "0"
    number = whole_number(flags)
    if number is None:
        raise InvalidRequest(
            f"bad list-objects request: flags {flags!r}: expecting a decimal number as a string"
        )
    bits = Flag(number)
    if bits & (Flag.NOT_CACHED | Flag.DIFF):
        raise InvalidRequest(
            f"bad list-objects request: flags {flags} need a remote bucket (have {bucket.bck})"
        )
    if bits & Flag.INVENTORY:
        raise InvalidRequest(f'bucket "{bucket.bck}" has no inventories: inventories are of remote buckets')
    size = lst.pagesize or DEFAULT_PAGE
    if size < 0:
        raise InvalidRequest(f"bad list-objects request: pagesize {size} is negative", tcode="ErrFailedTo")
    prefix = (lst.prefix or "").removesuffix("*")
    check_prefix(prefix)
    props = {prop.strip() for prop in (lst.props or "").split(",") if prop.strip()}
    return Query(
        prefix=prefix,
        after=max(lst.start_after or "", lst.continuation_token or "", key=encode_name),
        limit=min(size, MAX_PAGE),
        flags=bits,
        props=_effective_props(props, bits),
        time_format=lst.time_format or "",
    )


def _effective_props(props: set[str], flags: Flag) -> frozenset[str]:
    if flags & Flag.NAME_ONLY or props == {"name"}:
        return frozenset({"name"})
    if flags & Flag.NAME_SIZE:
        return frozenset({"name", "size"})
    if not props:
        props = {"size", "checksum", "atime"} if flags & Flag.CACHED else {"size"}
    elif "cached" in props:
        props |= {"size"}
    return frozenset(props)


def _json(uuid: str, page: Page) -> bytes:
    def convert(e: Entry) -> _JsonEntry:
        size = str(e.size) if e.size else ""
        return _JsonEntry(
            e.name, e.checksum, e.atime, e.version, e.location, e.custom, size, e.copies, e.flags
        )

    entries = [convert(entry) for entry in page.entries] or None
    answer = {"uuid": uuid, "continuation_token": page.token, "entries": entries, "flags": 0}
    return encode_json(answer) + b"\n"


def _pack(uuid: str, page: Page) -> bytes:
    def convert(e: Entry) -> _PackedEntry:
        return _PackedEntry(
            e.name, e.checksum, e.atime, e.version, e.location, e.custom, e.size, e.copies, e.flags
        )

    entries = [convert(entry) for entry in page.entries]
    return encode_msgpack({"UUID": uuid, "ContinuationToken": page.token, "Entries": entries, "Flags": 0})
