"""The body of an answer, read from its connection as it arrives."""

from __future__ import annotations

import io
import time
import warnings
from typing import TYPE_CHECKING, Any, Protocol

from aistore.sdk.errors import AISChunkedEncodingError, AISNetworkError, AISProtocolError, AISReadTimeout
from aistore.sdk.transport.answer_face import AnswerFace
from aistore.sdk.transport.connection import RECV, DeadConnectionError, describe
from aistore.wire.http1.chunked import ChunkedDecoder
from aistore.wire.http1.content_encoding import decode, is_coded
from aistore.wire.http1.parse import CHUNKED, UNTIL_CLOSE, MalformedMessageError, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.sdk.transport.connection import Connection
    from aistore.sdk.transport.pool import Pool

_SMALL = 64 * 1024
_AT_ONCE = 1 << 20  # the most that is received by one call into bytes


class Watcher(Protocol):
    """Gets the bytes of a body as they are read."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """Take notice of the end; may raise."""


class BodyReader(AnswerFace):
    """Raw body of an answer, with the interface of a `urllib3.HTTPResponse`.

    Content codings are left alone unless `decode_content` says otherwise. The connection goes back to the
    pool with the last byte; `close` before that closes it.

    Args:
        conn: Connection whose head was read.
        pool: Where the connection goes afterwards.
        head: Head of the response.
        length: How the body is framed (`response_length`).
        method: Method of the request.
        url: URL of the request.
        deadline: Monotonic time by which the body must be there, or None.
        received: Called once, when the connection is given up, with the number of bytes that were read.

    Raises:
        AISChunkedEncodingError: (any read) the connection ended before the body did.
        AISReadTimeout: (any read) nothing came within the read timeout.
        AISProtocolError: (any read) the framing is malformed.
    """

    def __init__(
        self,
        conn: Connection,
        pool: Pool,
        head: ResponseHead,
        length: int,
        method: str,
        url: str,
        deadline: float | None = None,
        received: Callable[[int], None] | None = None,
    ) -> None:
        self._pool = pool
        self._head = head
        self._url = url
        self._method = method
        if conn.deadline is not None or deadline is not None:
            if deadline is None:
                conn.limit(conn.read)
            conn.deadline = deadline
        self._received = received
        self._decoder = ChunkedDecoder() if length == CHUNKED else None
        self._length = length
        self._pos = 0
        self._ended = False
        self._watcher: Watcher | None = None
        self._conn: Connection | None = conn  # last: with it, there is something to close
        if length == 0:
            self._finish()

    # ------------------------------------------------------------ the connection's use

    @property
    def data(self) -> bytes:
        """The rest of the body, decoded."""
        return self.read(decode_content=True)

    def isclosed(self) -> bool:
        """Tell whether the connection is given up."""
        return self._conn is None

    def tell(self) -> int:
        """Count the bytes read so far."""
        return self._pos

    def release_conn(self) -> None:
        """Give up the connection."""
        self.close()

    def drain_conn(self) -> None:
        """Read and drop the rest, so that the connection can be used again."""
        self._watcher = None
        while self.read1(_SMALL):
            pass

    def drain_ready(self, most: int) -> bool:
        """Read and drop what is there, without waiting for more.

        Args:
            most: How much to read in bytes, about.

        Returns:
            Whether the body has ended, so that the connection can be used again.
        """
        self._watcher = None
        while self._conn is not None and most > 0 and self._conn.wait_readable(0):
            if self._decoder is None:
                most -= len(self.read1(min(most, RECV)))
            else:
                most -= self._drop_chunks(self._conn, self._decoder)
        return self._ended

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket.

        Raises:
            ValueError: The connection is given up.
        """
        sock = self._conn.sock if self._conn is not None else None
        if sock is None:
            raise ValueError("the connection of this body is given up")
        return sock.fileno()

    def watch(self, watcher: Watcher) -> None:
        """Pass all bytes that are read from now on to a watcher, which may raise at the end of the body.

        Args:
            watcher: Gets the bytes.
        """
        self._watcher = watcher
        if self._ended:
            watcher.finish()

    def limit(self, seconds: float) -> None:
        """Have the rest of the body within a time from now: reads after it fail.

        Args:
            seconds: How long.
        """
        if self._conn is not None:
            self._conn.deadline = time.monotonic() + seconds

    # ------------------------------------------------------------ reading

    def readinto(self, buffer: Any) -> int:
        """Read what is there, at least one byte, straight into a buffer.

        Args:
            buffer: Writable buffer.

        Returns:
            Number of bytes; 0 at the end of the body.
        """
        # Every view is released here, also when reading fails: the caller may resize the buffer at once.
        with memoryview(buffer) as whole, whole.cast("B") as view:
            limit = self._ready(len(view))
            if not limit:
                return 0
            with view[:limit] as part:
                size: int = self._receive(self._open().recv_into, part)
                if self._watcher is not None:
                    self._watcher.update(part[:size])
        return self._took(size)

    def read1(self, amt: int | None = -1, decode_content: bool | None = None) -> bytes:
        """Read what is there, at least one byte.

        Args:
            amt: The most to read in bytes; negative or None for no limit.
            decode_content: Not supported here; `stream` does it.

        Returns:
            The bytes; `b""` at the end of the body.
        """
        limit = self._ready(_SMALL if amt is None or amt < 0 else min(amt, _AT_ONCE))
        if not limit:
            return b""
        data: bytes = self._receive(self._open().recv, limit)
        if self._watcher is not None:
            self._watcher.update(data)
        self._took(len(data))
        return data

    def read(
        self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False
    ) -> bytes:
        """Read `amt` bytes, fewer only at the end of the body.

        Args:
            amt: How many bytes; None or negative for the rest.
            decode_content: True undoes a content coding; only for the rest of the body.
            cache_content: Ignored: nothing is kept.

        Returns:
            The bytes; `b""` at the end of the body.
        """
        if amt is None or amt < 0:
            data = self._read_rest()
            return self._decoded(data) if decode_content else data
        if self._length >= 0:
            return self._read_exactly(min(amt, self._length - self._pos))
        return self._read_pieces(amt)

    def readall(self) -> bytes:
        """Read the rest."""
        return self._read_rest()

    def stream(self, amt: int | None = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        """Read piece by piece: pieces of `amt` bytes when the length is known, else as they arrive.

        Args:
            amt: Size of a piece in bytes; None for the default of 64 KiB.
            decode_content: True undoes a content coding.

        Yields:
            Pieces, never empty.
        """
        size = _SMALL if amt is None or amt <= 0 else amt
        pieces = iter(lambda: (self.read if self._length >= 0 else self.read1)(size), b"")
        encoding = self._head.fields.get("content-encoding")
        if decode_content and is_coded(encoding):
            try:
                yield from decode(pieces, str(encoding))
            except MalformedMessageError as err:
                raise self._failed(AISProtocolError(str(err))) from err
        else:
            yield from pieces

    def _decoded(self, data: bytes) -> bytes:
        encoding = self._head.fields.get("content-encoding")
        if not is_coded(encoding):
            return data
        try:
            return b"".join(decode([data], str(encoding)))
        except MalformedMessageError as err:
            raise self._failed(AISProtocolError(str(err))) from err

    def _read_rest(self) -> bytes:
        if self._length >= 0:
            return self._read_exactly(self._length - self._pos)
        return b"".join(iter(lambda: self.read1(_AT_ONCE), b""))

    def _read_pieces(self, size: int) -> bytes:
        pieces = []
        while size > 0:
            piece = self.read1(size)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _read_exactly(self, size: int) -> bytes:
        if size <= 0:
            return b""
        if size <= _SMALL:
            data = self.read1(size)
            while len(data) < size:
                piece = self.read1(size - len(data))
                if not piece:  # closed by another thread
                    break
                data += piece
            return data
        # A BytesIO over a bytes object nobody else holds is filled in place and handed out without a copy,
        # so that a body of known length is allocated once. calloc makes the zeros free.
        try:
            target = io.BytesIO(bytes(size))
        except MemoryError:  # a length may be announced that never comes
            return self._read_pieces(size)
        with target.getbuffer() as view:
            done = 0
            while done < size:
                with view[done:] as rest:
                    count = self.readinto(rest)
                if not count:
                    break
                done += count
        if done < size:
            target.truncate(done)
        return target.getvalue()

    # ------------------------------------------------------------ the connection

    def _ready(self, limit: int) -> int:
        """Say how many bytes of payload may be received now, up to `limit`; 0 at the end."""
        if self._conn is None:
            if not self._ended:
                raise ValueError("read of a body that was closed before its end")
            return 0
        if self._decoder is None:
            return limit if self._length == UNTIL_CLOSE else min(limit, self._length - self._pos)
        return min(limit, self._next_chunk(self._conn, self._decoder))

    def _next_chunk(self, conn: Connection, decoder: ChunkedDecoder) -> int:
        while not decoder.remaining:
            data = conn.buffer or self._receive(conn.recv, RECV)
            if not data:
                self._cut_short()
            try:
                pos = decoder.advance(data, 0)
            except MalformedMessageError as err:
                raise self._failed(AISProtocolError(str(err))) from err
            conn.buffer = data[pos:]
            if decoder.done:
                self._finish()
                return 0
        return decoder.remaining

    def _drop_chunks(self, conn: Connection, decoder: ChunkedDecoder) -> int:
        """Receive once, and drop payload and framing; return how many bytes came."""
        data = self._receive(conn.recv, RECV)
        if not data:
            self._cut_short()
        try:
            pos, payload = decoder.skip(data)
        except MalformedMessageError as err:
            raise self._failed(AISProtocolError(str(err))) from err
        self._pos += payload
        if decoder.done:
            conn.buffer = data[pos:]
            self._finish()
        return len(data)

    def _open(self) -> Connection:
        assert self._conn is not None
        return self._conn

    def _receive(self, call: Callable[[Any], Any], arg: Any) -> Any:
        try:
            if self._conn is not None and self._conn.deadline is not None:
                self._conn.shorten()
            return call(arg)
        except AISReadTimeout as err:
            raise self._failed(err) from None
        except TimeoutError as err:
            raise self._failed(self._timed_out()) from err
        except OSError as err:
            raise self._failed(AISChunkedEncodingError(f"{self._so_far()}: {describe(err)}")) from err
        except (DeadConnectionError, ValueError) as err:  # closed meanwhile, or the parent process's
            raise self._failed(AISChunkedEncodingError(f"{self._so_far()}: {err}")) from err
        except BaseException:
            # A signal handler raised it: what was received may be lost, so nothing more can be read.
            self._failed(AISChunkedEncodingError(self._so_far()))
            raise

    def _timed_out(self) -> AISReadTimeout:
        what = "no more of the body"
        return (
            AISReadTimeout(f"{what} within the read timeout")
            if self._conn is None
            else self._conn.timed_out(what)
        )

    def _took(self, size: int) -> int:
        if not size:
            if self._length == UNTIL_CLOSE:
                self._finish()
                return 0
            self._cut_short()
        self._pos += size
        if self._decoder is not None:
            self._decoder.consumed(size)
        elif self._pos == self._length:
            self._finish()
        return size

    def _so_far(self) -> str:
        total = f" of {self._length}" if self._length >= 0 else ""
        return f"connection lost after {self._pos}{total} bytes of the body"

    def _cut_short(self) -> None:
        raise self._failed(AISChunkedEncodingError(self._so_far()))

    def _failed(self, err: AISNetworkError) -> AISNetworkError:
        conn = self._give_up()
        if conn is not None:
            conn.close()
        err.method, err.url = self._method, self._url
        return err

    def _finish(self) -> None:
        self._ended = True
        conn = self._give_up()
        if conn is not None:
            if self._head.keep_alive:
                self._pool.give(conn)
            else:
                conn.close()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.finish()

    def close(self) -> None:
        """Give up the connection: to the pool when the whole body has arrived, else by closing it."""
        self._watcher = None
        conn = self._conn
        if conn is not None:
            left = self._length - self._pos
            if 0 <= left == len(conn.buffer):
                conn.buffer = b""
                self._finish()
                self._ended = not left
            else:
                self._give_up()
                conn.close()
        super().close()

    def _give_up(self) -> Connection | None:
        conn, self._conn = self._conn, None
        if conn is not None and self._received is not None:
            self._received(self._pos)
        return conn

    def __del__(self) -> None:
        conn = getattr(self, "_conn", None)
        # An inherited connection was closed right after the fork: its body is the parent's to close.
        if conn is not None and conn.sock is not None:
            warnings.warn(f"unclosed answer of {self._method} {self._url}", ResourceWarning, stacklevel=2)
            self.close()
