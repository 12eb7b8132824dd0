"""One request to one server, up to the head of its answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aistore.sdk.errors import (
    AISConnectionError,
    AISNetworkError,
    AISProtocolError,
    AISReadTimeout,
    InvalidArgument,
)
from aistore.sdk.transport.body import BodyError
from aistore.sdk.transport.connection import Connection, DeadConnectionError
from aistore.wire.http1.chunked import encode_chunks
from aistore.wire.http1.parse import MalformedMessageError, ResponseHead

if TYPE_CHECKING:
    from aistore.sdk.transport.body import Body
    from aistore.sdk.transport.call import Call, Hop
    from aistore.sdk.transport.pool import Pool

CONTINUE_WAIT = 1.0
"""How long a server that is asked with `Expect` may take before it gets the body unasked, in seconds."""
_INLINE = 64 * 1024  # smaller bodies travel together with what frames them
_NO_BODY = b"Content-Length: 0\r\n"


def exchange(
    pool: Pool,
    call: Call,
    hop: Hop,
    body: Body | None,
    fields: bytes | None = None,
    *,
    expect: bool = False,
) -> tuple[Connection, ResponseHead]:
    """Send one request to one server and read the head of its answer.

    Args:
        pool: Where connections come from.
        call: The call that the request is a part of.
        hop: Server, method and target.
        body: Request body, or None.
        fields: Field lines in place of the call's own.
        expect: Whether to ask, before the body is sent, if the server wants it.

    Returns:
        The connection, which the caller owns, and the head; the body of the answer is still to be read.

    Raises:
        AISNetworkError: No usable answer came.
        InvalidArgument: The body is not what it said it would be.
    """
    fresh = False
    while True:
        conn = _connect(pool, call, hop, fresh=fresh)
        try:
            return conn, _roundtrip(conn, hop, body, fields, expect)
        except DeadConnectionError as err:
            conn.close()
            # A kept connection may have been closed by the server just before the request came: that
            # costs one more try on a new one, where it cannot do harm.
            if conn.reused and not err.answered and call.idempotent and not fresh:
                fresh = True
                if body is not None:
                    body.rewind()
                continue
            raise AISConnectionError(str(err)) from err
        except MalformedMessageError as err:
            conn.close()
            raise AISProtocolError(str(err)) from err
        except BodyError as err:
            conn.close()
            raise InvalidArgument(str(err)) from err
        except BaseException:
            conn.close()
            raise


def _connect(pool: Pool, call: Call, hop: Hop, *, fresh: bool) -> Connection:
    connect = call.connect
    deadline = None
    if call.deadline is not None or call.total is not None:
        deadline = min(limit for limit in (call.deadline, call.total) if limit is not None)
        left = deadline - time.monotonic()
        if left <= 0:
            raise AISReadTimeout("the time limit of the call is over")
        connect = left if connect is None else min(connect, left)
    try:
        conn = pool.take(hop.origin, connect, call.read, fresh=fresh)
        if deadline is not None:
            conn.limit(call.read, deadline)
        return conn
    except AISNetworkError as err:
        err.may_have_run = False
        raise


def _roundtrip(
    conn: Connection, hop: Hop, body: Body | None, fields: bytes | None, expect: bool
) -> ResponseHead:
    if body is None:
        framing = b"" if hop.method in ("GET", "HEAD", "OPTIONS") else _NO_BODY
        conn.send(hop.head(framing, fields))
        return conn.read_head()
    if expect:
        # The redirect of a proxy that signs the length of the body; or "continue", when the body goes
        # here.
        conn.send(hop.head(_body_framing(body) + b"Expect: 100-continue\r\n"))
        wait = CONTINUE_WAIT
        if conn.deadline is not None:
            wait = min(wait, max(0.0, conn.deadline - time.monotonic()))
        if conn.wait_readable(wait):
            response = conn.read_head(until_continue=True)
            if response.status >= 200:
                # The announced body will not follow: nothing else may on this connection.
                response.keep_alive = False
                return response
        return _send_body(conn, body)
    head = hop.head(_body_framing(body), fields)
    if body.view is not None and len(body.view) <= _INLINE:
        body.touched = True
        conn.send(head + body.view)
        return conn.read_head()
    conn.send(head)
    return _send_body(conn, body)


def _send_body(conn: Connection, body: Body) -> ResponseHead:
    """Send a body, and read the answer, which may come before the body is through."""
    try:
        _write(conn, body)
    except (DeadConnectionError, AISReadTimeout) as err:
        # A server that refuses a body says why and stops reading.
        if not conn.wait_readable(0):
            raise
        try:
            head = conn.read_head()
        except (DeadConnectionError, AISReadTimeout, MalformedMessageError):
            raise err from None
        if head.status < 300:
            raise
        head.keep_alive = False
        return head
    return conn.read_head()


def _write(conn: Connection, body: Body) -> None:
    file = body.sendable_file() if conn.origin.scheme == "http" and conn.deadline is None else None
    if file is not None:
        conn.send_file(body, file)
        return
    pieces = body.chunks()
    for piece in pieces if body.size is not None else encode_chunks(pieces):
        conn.send(piece)


def _body_framing(body: Body) -> bytes:
    if body.size is None:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length: %d\r\n" % body.size
