"""PUT of an object at its target, in all its forms (protocol/03)."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from aistore.local.api.etl_inline import copy_transformed
from aistore.local.api.object_headers import object_headers
from aistore.local.api.response import Response
from aistore.local.bucket_props import check_type
from aistore.local.errors import InvalidRequest
from aistore.local.limits import SMALL_BODY
from aistore.local.names import check_object_name, parse_uname

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State

# Up to here writing costs less than a change of thread.
_INLINE = 128 << 10
# Writing takes more of what comes at a time than sending does of what goes.
_PIECES = 2


async def put(req: Request, bucket: Bucket, name: str) -> Response:
    """Answer a PUT: by its parameters a copy, an append, a part, a member of an archive, or the object."""
    for parameter, form in req.state.registry.put_forms.items():
        if parameter in req.query:
            return await form(req, bucket, name)
    return await _put(req, bucket, name)


def announced_checksum(req: Request) -> tuple[str, str] | None:
    """(type, value) that the sender says the bytes have, or None.

    Raises:
        InvalidRequest: An unknown type.
    """
    kind, value = req.headers.get("ais-checksum-type", ""), req.headers.get("ais-checksum-value", "")
    if not kind or not value or kind == "none":
        return None
    check_type(kind)
    return kind, value


def custom_metadata(req: Request) -> dict[str, str] | None:
    """The pairs of the `Ais-Custom-Md` headers, None if there are none.

    Raises:
        InvalidRequest: A header without `=`, or not UTF-8.
    """
    values = req.header_values("Ais-Custom-Md")
    if not values:
        return None
    custom = {}
    for pair in values:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InvalidRequest(
                f'invalid custom metadata "{pair}": expecting key=value, one pair per header'
            )
        custom[key.strip()] = value
    if any(re.search("[\ud800-\udfff]", pair) for pair in values):
        raise InvalidRequest("invalid custom metadata: it is not UTF-8")
    return custom


class Sink(Protocol):
    """What a body is written to."""

    def write(self, data: bytes, /) -> None:
        """Take in the next bytes."""

    @property
    def size(self) -> int:
        """Bytes taken in so far."""


async def receive_into(req: Request, writer: Sink, chunks: AsyncIterator[bytes] | None = None) -> bool:
    """Write the body; True if it was small enough for the rest to be done without a change of thread.

    Args:
        req (Request): Whose body.
        writer (Sink): Where it goes.
        chunks (AsyncIterator[bytes] | None): The body's content, where that is not the body as it is.
    """
    pieces: list[bytes] = []
    size = 0
    with ExitStack() as until_end:
        hold: Callable[[int], None] | None = None
        async for chunk in chunks or req.stream():
            pieces.append(chunk)
            size += len(chunk)
            if size <= SMALL_BODY:
                continue
            hold = hold or until_end.enter_context(req.state.streaming())
            if size >= _PIECES * req.state.piece_size():
                await req.state.run(writer.write, b"".join(pieces))
                pieces.clear()
                size = 0
            hold(size)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    inline = writer.size + size <= _INLINE and not req.state.options.fsync
    if inline:
        writer.write(data)
    else:
        await req.state.run(writer.write, data)
    return inline


async def _put(req: Request, bucket: Bucket, name: str) -> Response:
    store = req.state.store
    check = announced_checksum(req)
    custom = custom_metadata(req)
    fresh = req.flag("skip_vc")
    if check is not None and not fresh:
        old = store.find(bucket, name)
        if old is not None and (old.cksum_type, old.cksum) == check:
            # The cluster takes the sender's word that nothing changes.
            async for _ in req.stream():
                pass
            return Response()
    with store.writer(bucket, name, check=check) as writer:
        inline = await receive_into(req, writer)
        if inline:
            meta = writer.commit(custom, fresh=fresh)
        else:
            meta = await req.state.run(writer.commit, custom, fresh=fresh)
    req.state.stats.add(req.node.id, "put.size", meta.size)
    return Response(headers=object_headers(meta))


async def _copy(req: Request, bucket: Bucket, name: str) -> Response:
    to_bck, to_name = parse_uname(req.query["object_to"])
    if not to_name:
        raise InvalidRequest(f"invalid object_to {req.query['object_to']!r}: the object name is missing")
    check_object_name(to_name)
    to_bucket = req.state.catalog.buckets.get(to_bck)
    if req.query.get("etl_name"):
        return await copy_transformed(req, bucket, name, to_bucket, to_name)
    await req.run(req.state.copying, req.state.store.copy, bucket, name, to_bucket, to_name)
    return Response()


def register(state: State) -> None:
    """Add this form of PUT."""
    state.registry.put_forms["object_to"] = _copy
