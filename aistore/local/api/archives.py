"""Reading from and writing into an archive that is an object (protocol/11)."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from aistore.local.api.object_get import check_archive_query
from aistore.local.api.object_put import custom_metadata, receive_into
from aistore.local.api.response import OCTETS, Response
from aistore.local.archives import by_mime, keep_members, new_archive, open_archive
from aistore.local.batch.produce import PIECE, Joined
from aistore.local.errors import InvalidRequest, LocalError, NotFound, ObjectNotFound, Unsupported
from aistore.local.numbers import whole_number
from aistore.local.patterns import Patterns
from aistore.local.store import ContentWriter
from aistore.wire.archive.formats import Format, by_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State
    from aistore.local.store import ObjectReader, ObjectWriter

_CHUNK = 1 << 20
_APPEND = 1
_APPEND_IF_EXISTS = 2


def _asked_format(req: Request) -> Format | None:
    mime = req.query.get("archmime", "")
    return by_mime(mime) if mime else None


async def _get(req: Request, bucket: Bucket, name: str) -> Response:
    """Answer a GET of one member, or of all members that match as a tar stream."""
    check_archive_query(req)
    path = req.query.get("archpath", "")
    range_header = req.headers.get("range")
    if range_header:
        asked = f"range: {range_header}, arch query: (archpath={path})"
        raise Unsupported(f"cannot range-read archived content {asked}", status=400)
    reader = req.state.store.open(bucket, name)
    pieces = _member(req, bucket, reader, path) if path else _matching(req, bucket, reader)
    # Taken before the answer begins: what is missing or broken from the start is an error, not a cut
    # connection.
    first = await req.run(req.state.archives, next, pieces, b"")
    second = await req.run(req.state.archives, next, pieces, None)
    req.state.store.accessed(bucket, reader.meta)
    content_type = OCTETS if path else Format.TAR.content_type
    if second is None:
        return Response(body=first, content_type=content_type)
    return Response(content_type=content_type, stream=_stream(req, first, second, pieces))


async def _stream(req: Request, first: bytes, second: bytes, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    piece: bytes | None = second
    while piece is not None:
        yield piece
        piece = await req.run(req.state.archives, next, pieces, None)


def _member(req: Request, bucket: Bucket, reader: ObjectReader, path: str) -> Iterator[bytes]:
    with reader:
        archive = open_archive(reader, _asked_format(req))
        try:
            _, pieces = archive.find(path)
        except NotFound:
            message = f"{path} in {bucket.bck}/{reader.meta.name} does not exist"
            raise NotFound(message, with_node=True) from None
        yield from pieces


def _matching(req: Request, bucket: Bucket, reader: ObjectReader) -> Iterator[bytes]:
    mode, pattern = req.query["archmode"], req.query.get("archregx", "")
    asked = f"(archregx={pattern}, archmode={mode})"
    where = f"{bucket.bck}/{reader.meta.name}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(reader)
        archive = open_archive(reader, _asked_format(req))
        try:
            wanted = stack.enter_context(matcher(mode, pattern))
        except re.error as err:
            text = f"failed to extract files that match {asked} from {where}"
            raise LocalError(
                f"{text}, err: error parsing regexp: {err}", tcode="ErrFailedTo", with_node=True
            ) from err
        buffer = Joined()
        writer = new_archive(Format.TAR, buffer.write)
        found = False
        for member, pieces in archive.files():
            if wanted(member.name):
                found = True
                for _ in writer.adding(member.name, member.size, pieces, mtime=member.mtime):
                    if buffer.size >= PIECE:
                        yield buffer.take()
            if buffer.size >= PIECE:
                yield buffer.take()
        if not found:
            raise NotFound(f"{asked} in {where} does not exist", with_node=True)
        writer.close()
        yield buffer.take()


@contextlib.contextmanager
def matcher(mode: str, pattern: str) -> Iterator[Callable[[str], bool]]:
    """Whether a member's name matches; an empty pattern matches everything.

    Raises:
        re.error: A bad regular expression.
    """
    if mode == "regexp" and pattern:
        with Patterns([pattern]) as patterns:
            yield lambda name: bool(patterns.find(name))
        return
    tests: dict[str, Callable[[str], bool]] = {
        "prefix": lambda name: name.startswith(pattern),
        "suffix": lambda name: name.endswith(pattern),
        "substr": lambda name: pattern in name,
        "wdskey": lambda name: _sample_key(name) == pattern,
    }
    yield tests[mode] if pattern else lambda _name: True


def _sample_key(name: str) -> str:
    """A member's path up to the first dot of its base name: the key of a WebDataset sample."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.partition('.')[0]}"


async def _put(req: Request, bucket: Bucket, name: str) -> Response:
    """Answer a PUT of one member: a new archive of it alone, or appended to the archive there is."""
    check_archive_query(req)
    given = req.headers.get("ais-pine", "0") or "0"
    flags = whole_number(given)
    if flags is None:
        raise InvalidRequest(f"invalid Ais-Pine {given!r}: expecting a decimal number")
    if flags & _APPEND and not req.state.store.exists(bucket, name):
        raise ObjectNotFound(bucket.bck, name)
    kind = _format_to_write(req, bucket, name)
    entry = ContentWriter(req.state.store, name, req.node.index)
    try:
        await receive_into(req, entry)
        if not entry.size:
            raise InvalidRequest('missing "Content-Length": an empty member cannot be put into an archive')
        entry.finish()
        append = bool(flags & (_APPEND | _APPEND_IF_EXISTS))
        await req.run(req.state.archives, _rewrite, req, bucket, name, kind, entry, append)
    finally:
        entry.abort()
    return Response()


def _format_to_write(req: Request, bucket: Bucket, name: str) -> Format:
    kind = _asked_format(req) or by_name(name)
    if kind is None and req.state.store.exists(bucket, name):
        with req.state.store.open(bucket, name) as reader:
            return open_archive(reader).kind
    if kind is None:
        expected = ", ".join(known.value for known in Format)
        raise InvalidRequest(f'"{name}" is not an archive: expecting one of {expected}, or archmime')
    return kind


def _rewrite(
    req: Request, bucket: Bucket, name: str, kind: Format, entry: ContentWriter, append: bool
) -> None:
    """Write the archive anew with the member at its end; content files never change in place."""
    state = req.state
    member = req.query["archpath"].lstrip("/")

    def make(reader: ObjectReader | None, out: ObjectWriter) -> None:
        writer = new_archive(kind, out.write)
        if append and reader is not None:
            keep_members(writer, reader, kind)
        with open(state.store.files.path(entry.file), "rb") as file:
            writer.add(member, entry.size, iter(lambda: file.read(_CHUNK), b""), mtime=int(time.time()))
        writer.close()

    with state.locks.hold(f"{bucket.id}/{name}"):
        state.store.rewrite(bucket, name, make, custom_metadata(req))


def register(state: State) -> None:
    """Add these forms of GET and PUT."""
    forms = state.registry
    forms.get_forms["archpath"] = forms.get_forms["archmode"] = _get
    forms.put_forms["archpath"] = _put
