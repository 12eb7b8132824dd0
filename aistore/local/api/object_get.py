"""GET and HEAD of an object at its target (protocol/03)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import object_headers
from aistore.local.api.ranges import ByteRange, parse_range
from aistore.local.api.response import OCTETS, Response
from aistore.local.errors import InvalidRequest, LocalError, ObjectNotFound
from aistore.wire.archive.members import is_member_path
from aistore.wire.checksums import any_hasher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aistore.local.api.request import Request
    from aistore.local.api.response import Headers
    from aistore.local.catalog import Bucket
    from aistore.local.store import ObjectReader

# Up to here a read from the page cache costs less than a change of thread.
_INLINE = 256 << 10

MATCH_MODES = ("regexp", "prefix", "suffix", "substr", "wdskey")


def check_archive_query(req: Request) -> None:
    """Refuse contradictory archive parameters.

    Raises:
        InvalidRequest: An unknown mode, or a path and a mode together.
    """
    mode = req.query.get("archmode", "")
    if mode and mode not in MATCH_MODES:
        modes = " ".join(MATCH_MODES)
        raise InvalidRequest(
            f"dpq: 'archmode={mode}', err: invalid matching mode \"{mode}\", expecting one of: [{modes}]"
        )
    archpath = req.query.get("archpath", "")
    if archpath and not is_member_path(archpath):
        raise InvalidRequest(f"dpq: 'archpath={archpath}', err: invalid archpath \"{archpath}\"")
    if mode and archpath:
        raise InvalidRequest(
            f"dpq: 'archmode={mode}' and 'archpath={archpath}' are mutually exclusive: give one of them"
        )


async def get_object(req: Request, bucket: Bucket, name: str) -> Response:
    """Answer a GET: the whole object, a range, a member of an archive, or a transform of it."""
    query = req.query
    if query.get("etl_name"):
        transform = req.state.registry.transform
        if transform is None:
            raise LocalError("cannot use ETL: this server has no ETL room", status=501, tcode="ErrUnsupp")
        return await transform(req, bucket, name)
    for parameter, form in req.state.registry.get_forms.items():
        if query.get(parameter):
            return await form(req, bucket, name)
    return await send_object(req, bucket, name)


async def send_object(req: Request, bucket: Bucket, name: str) -> Response:
    """The object's bytes, or the range that the request asks for."""
    store = req.state.store
    reader = store.open(bucket, name)
    try:
        meta = reader.meta
        headers = object_headers.object_headers(meta)
        header = req.headers.get("range")
        part = ByteRange(0, meta.size)
        if header:
            part = parse_range(header, meta.size, bucket.bck, name)
            if bucket.props["checksum"]["enable_read_range"]:
                await req.run(req.state.copying, _replace_checksum, headers, reader, part)
            headers += [("Accept-Ranges", "bytes"), ("Content-Range", part.content_range(meta.size))]
        store.accessed(bucket, meta)
        return bytes_response(req, reader, part, headers, status=206 if header else 200)
    except BaseException:
        reader.close()
        raise


def bytes_response(
    req: Request,
    reader: ObjectReader,
    part: ByteRange,
    headers: Headers,
    *,
    status: int = 200,
    content_type: str = OCTETS,
) -> Response:
    """Answer with bytes of an open object; closes it when they are sent."""
    req.state.stats.add(req.node.id, "get.size", part.length)
    if part.length > _INLINE:
        stream = _stream(req, reader, part)
        return Response(status, headers=headers, content_type=content_type, stream=stream, length=part.length)
    with reader:
        body = reader.read_at(part.start, part.length)
    if len(body) != part.length:
        raise LocalError(f"{reader.path}: content is truncated on disk", status=500)
    return Response(status, body, headers=headers, content_type=content_type)


async def _stream(req: Request, reader: ObjectReader, part: ByteRange) -> AsyncIterator[bytes]:
    state = req.state
    with reader, state.streaming() as hold:
        offset, left = part
        size = _INLINE  # more when the client is seen to read
        while left:
            data = await state.run(reader.read_at, offset, min(size, state.piece_size(), left))
            if not data:
                raise LocalError(f"{reader.path}: {left} bytes are missing", status=500)
            offset += len(data)
            left -= len(data)
            size = left
            hold(len(data))
            yield data


def _replace_checksum(headers: Headers, reader: ObjectReader, part: ByteRange) -> None:
    """Put the checksum of the range in place of the whole object's."""
    kind = reader.meta.cksum_type
    hasher = any_hasher(kind)
    for data in reader.chunks(part.start, part.length):
        hasher.update(data)
    for index, (key, _) in enumerate(headers):
        if key == "Ais-Checksum-Value":
            headers[index] = (key, hasher.hexdigest())


async def head_object(req: Request, bucket: Bucket, name: str) -> Response:
    """Answer a HEAD, of either form."""
    presence = req.query.get("presence", "0") or "0"
    if presence not in {"0", "1", "2", "3", "4", "5"}:
        raise InvalidRequest(f"invalid presence {presence!r}: expecting 0 to 5")
    meta = req.state.store.find(bucket, name)
    if presence == "5":
        if meta is None:
            raise ObjectNotFound(bucket.bck, name)
        raise InvalidRequest(f"{bucket.bck}/{name} is present (vs requested 'flt-outside'(5))")
    if meta is None:
        raise ObjectNotFound(bucket.bck, name)
    if presence in {"1", "3"}:
        return Response()
    props = req.query.get("props", "")
    if not props:
        # The cluster leaves the length of an empty object out of this form.
        headers = object_headers.all_headers(req, bucket, meta)
        return Response(headers=headers, length=meta.size or None)
    wanted = {prop.strip() for prop in props.split(",")}
    for prop in wanted:
        if prop not in object_headers.PROPS:
            raise LocalError(f'invalid property "{prop}" in props list', headers={"Ais-Present": "true"})
    return Response(headers=object_headers.selected_headers(req, bucket, meta, wanted), length=meta.size)
