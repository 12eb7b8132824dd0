"""Native multipart upload (protocol/04): create, parts in any order, complete, abort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aistore.local.api.object_put import announced_checksum, receive_into
from aistore.local.api.response import Response, text_response
from aistore.local.catalog import Completion, Part
from aistore.local.errors import InvalidRequest, LocalError, PartNotFound, UploadNotFound
from aistore.local.nodes import new_id
from aistore.local.store import ContentWriter
from aistore.local.store.assembly import assemble, part_digest
from aistore.sdk.models.prepare import prepared
from aistore.wire.checksums import any_hasher

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State
    from aistore.local.store import Store

MAX_PARTS = 9999
_ID_LENGTHS = (8, 128)


class CompletedPart(msgspec.Struct, forbid_unknown_fields=True):
    """A part as the client lists it at the end; the ETag is its MD5 or its checksum, or empty."""

    number: int = msgspec.field(name="part-number")
    etag: str = ""


def _find(req: Request, bucket: Bucket, name: str) -> str:
    upload = req.query.get("uploadId", "")
    found = req.state.catalog.uploads.find(upload)
    if found != (bucket.id, name):
        raise UploadNotFound(bucket.bck.name, name, upload)
    return upload


async def _create(req: Request, bucket: Bucket, name: str, _msg: ActionMsg) -> Response:
    upload = new_id(10)
    req.state.catalog.uploads.create(upload, bucket, name)
    return text_response(upload)


def _part_number(req: Request, bucket: Bucket, name: str, upload: str) -> int:
    text = req.query.get("partNumber", "")
    try:
        number = int(text)
    except ValueError as err:
        where = f"o[{bucket.bck.name}/{name}(-)]"
        raise InvalidRequest(f'{where}: invalid part number "{text}" for uploadID "{upload}"') from err
    where = f"chunk-manifest[{bucket.bck}/{name}, id={upload}]"
    if number < 1:
        raise InvalidRequest(f"{where}: invalid chunk number ({number})")
    if number > MAX_PARTS:
        raise InvalidRequest(f"{where}: chunk number ({number}) exceeds the maximum allowed ({MAX_PARTS})")
    return number


async def put_part(req: Request, bucket: Bucket, name: str) -> Response:
    """Store a part; one that is sent again takes the place of the earlier one."""
    upload = _find(req, bucket, name)
    number = _part_number(req, bucket, name, upload)
    if not req.content_length:
        raise InvalidRequest(
            f"{bucket.bck}/{name}: put-part invalid size (0): a part has at least one byte, and says how many"
        )
    check = announced_checksum(req)
    kinds = {bucket.checksum_type, *([check[0]] if check else [])}
    writer = ContentWriter(req.state.store, name, req.node.index, *kinds)
    try:
        await receive_into(req, writer)
        if check is not None:
            writer.verify(*check, f"part {number} of {bucket.bck}/{name}")
        digest = writer.digest(bucket.checksum_type)
        part = Part(number, writer.finish(), writer.size, bucket.checksum_type, digest)
        if not req.state.catalog.uploads.put_part(upload, part):
            raise UploadNotFound(bucket.bck.name, name, upload)
        writer.keep()
    finally:
        writer.abort()
    return Response()


async def _complete(req: Request, bucket: Bucket, name: str, msg: ActionMsg) -> Response:
    if msg.value is None:
        raise InvalidRequest("nil parts list")
    try:
        listed = msgspec.convert(msg.value, prepared(list[CompletedPart]))
    except msgspec.ValidationError as err:
        raise InvalidRequest(f"apc.MptCompletedParts: {err}") from err
    upload = _find(req, bucket, name)
    parts = req.state.catalog.uploads.parts(upload)
    _check_complete(sorted(part.number for part in listed), parts)
    await req.run(req.state.copying, _check_tags, req.state.store, listed, parts)
    completion = Completion(upload, parts, only_these=True)
    await req.run(req.state.copying, assemble, req.state.store, bucket, name, completion)
    return Response()


def _check_tags(store: Store, listed: list[CompletedPart], parts: list[Part]) -> None:
    by_number = {part.number: part for part in parts}
    for item in listed:
        part, tag = by_number[item.number], item.etag.strip('"').lower()
        if tag in {"", part.cksum, part.md5}:
            continue
        if part.md5 or part_digest(store, part, any_hasher("md5")) != tag:
            raise PartNotFound(part.number, f"does not have the ETag {item.etag[:60]!r}")


def _check_complete(numbers: list[int], parts: list[Part]) -> None:
    if not parts:
        raise InvalidRequest("no chunks")
    if len(numbers) < len(parts):
        raise InvalidRequest(
            f"partial completion is not allowed: requested {len(numbers)} parts, have {len(parts)}"
        )
    for position, number in enumerate(numbers):
        if number != position + 1:
            raise InvalidRequest(
                f"parts must be exactly 1..{len(numbers)}: got {number} at position {position}"
            )
    if len(numbers) > len(parts):
        missing = next(n for n in numbers if n not in {part.number for part in parts})
        raise InvalidRequest(
            f"part {missing} was not uploaded: requested {len(numbers)} parts, have {len(parts)}"
        )


async def abort(req: Request, bucket: Bucket, name: str) -> Response:
    """Forget an upload and its parts."""
    upload = req.query.get("uploadId", "")
    shortest, longest = _ID_LENGTHS
    if not shortest <= len(upload) <= longest:
        which = (
            f"too short (expecting >= {shortest} chars)"
            if len(upload) < shortest
            else f"too long (> {longest})"
        )
        raise InvalidRequest(f'chunk-manifest ID "{upload}" is {which}')
    found = req.state.catalog.uploads.find(upload)
    if found != (bucket.id, name) or not req.state.catalog.uploads.remove(upload):
        message = f"o[{bucket.bck.name}/{name}(-)]: {upload} does not exist"
        raise LocalError(message, status=404, tcode="wrapError")
    return Response()


async def _post_abort(_req: Request, _bucket: Bucket, _name: str, msg: ActionMsg) -> Response:
    raise InvalidRequest(f'invalid action "{msg.action}": abort an upload with DELETE')


def register(state: State) -> None:
    """Add the actions."""
    actions = state.registry.object_actions
    actions.update({"mpt-upload": _create, "mpt-complete": _complete, "mpt-abort": _post_abort})
    state.registry.put_forms["uploadId"] = put_part
