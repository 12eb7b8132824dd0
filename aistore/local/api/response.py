"""Responses: what a router returns, and how it goes out."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from aistore.wire.serialization import encode_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aistore.local.protocol import JoiningTransport

Headers = list[tuple[str, str]]

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"

_LARGE = 64 << 10

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Response:
    """A complete response, or the head of one whose body is produced as it is sent.

    Args:
        status (int): HTTP status.
        body (bytes): The body, when it is in memory.
        headers: More headers, in their canonical spelling.
        content_type (str): Left out when empty.
        stream (AsyncIterator[bytes] | None): The body piece by piece; an error in it cuts the connection, so
            that the receiver never takes a part for the whole.
        length (int | None): Length to announce: of the stream (None: chunked), or of the body that a HEAD
            leaves out.
        on_sent: Called after the last byte.
    """

    __slots__ = ("body", "content_type", "headers", "length", "on_sent", "status", "stream")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        *,
        headers: Headers | None = None,
        content_type: str = "",
        stream: AsyncIterator[bytes] | None = None,
        length: int | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers or []
        self.content_type = content_type
        self.stream = stream
        self.length = length
        self.on_sent = on_sent


def json_response(
    value: Any, *, status: int = 200, content_type: str = JSON_TYPE, newline: bool = True
) -> Response:
    """A value as JSON, with the line feed that the cluster ends its JSON with."""
    return Response(status, encode_json(value) + (b"\n" if newline else b""), content_type=content_type)


def text_response(text: str, *, status: int = 200) -> Response:
    """Bare text, such as a job ID."""
    return Response(status, text.encode(), content_type=TEXT_TYPE)


def content_headers(content_type: str) -> Headers:
    """Headers that keep a browser from running an object's content as a page of this server."""
    if content_type == OCTETS:
        return []
    return [("Content-Security-Policy", "sandbox"), ("X-Content-Type-Options", "nosniff")]


def encode_header(name: str, value: str) -> tuple[bytes, bytes]:
    """A header as bytes; control characters (a line feed in an object's name) become spaces."""
    if value.isascii() and value.isprintable():
        return name.encode(), value.encode()
    return name.encode(), _CONTROL.sub(b" ", value.encode("utf-8", "surrogateescape"))


async def send_response(
    response: Response,
    method: str,
    send: Callable[[dict[str, Any]], Awaitable[None]],
    transport: JoiningTransport,
) -> int:
    """Send a response; of a HEAD only the head. A stream is not read on for a client that went away.

    Returns:
        int: Bytes of the body; -1 if the client went away.
    """
    headers = [encode_header(*header) for header in response.headers]
    if response.content_type:
        headers.append(encode_header("Content-Type", response.content_type))
    is_head = method == "HEAD"
    length = response.length if is_head or response.stream is not None else len(response.body)
    if length is not None:
        headers.append((b"Content-Length", str(length).encode()))
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    if response.stream is None or is_head:
        body = b"" if is_head else response.body
        transport.hold()
        try:
            await send(start)
            await send({"type": "http.response.body", "body": body})
        finally:
            transport.release()
        sent = len(body)
        if sent > _LARGE:
            # What is held for it is free when the client has it.
            await transport.drain()
    else:
        await send(start)
        sent = 0
        try:
            async for piece in response.stream:
                if transport.is_closing():
                    return -1
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent += len(piece)
                # Before the next piece is made: what a client that has stopped reading holds is one piece.
                await transport.drain()
        finally:
            # What the stream holds open is released now, not when it is collected.
            if isinstance(response.stream, AsyncGenerator):
                await response.stream.aclose()
        await send({"type": "http.response.body", "body": b""})
    if response.on_sent is not None:
        response.on_sent()
    return sent
