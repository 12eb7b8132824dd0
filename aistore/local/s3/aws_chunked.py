"""The body framing `aws-chunked`: sized chunks, each maybe signed, and trailing headers; no I/O.

    <hex size>[;chunk-signature=<signature>] CRLF <data> CRLF ... 0[;chunk-signature=...] CRLF
    [<name>:<value> CRLF ...] [x-amz-trailer-signature:<signature> CRLF] CRLF

Invariant: for every way of cutting the input into pieces the same content comes out, and what comes out after
an error is nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from aistore.local.s3 import signature

if TYPE_CHECKING:
    from collections.abc import Generator

MAX_LINE = 4096
MAX_TRAILERS = 16

_HEAD = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(rb"([A-Za-z0-9-]+):[ \t]*(.*?)[ \t]*")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class BadFraming(ValueError):  # noqa: N818 - named for what happened
    """The body is not framed as announced."""


class BadChunkSignature(ValueError):  # noqa: N818 - named for what happened
    """A chunk, or the trailer, was not signed with the key."""


class ChunkSigner:
    """Follows the chain of chunk signatures.

    Args:
        key (bytes): The signing key.
        claim (signature.Claim): The signature of the request, which the chain begins with.
    """

    def __init__(self, key: bytes, claim: signature.Claim) -> None:
        self._key = key
        self._date = claim.date
        self._scope = claim.scope
        self._previous = claim.signature

    def check_chunk(self, given: str, data_sha256: str) -> None:
        """Check the next chunk.

        Raises:
            BadChunkSignature: It is not the one that belongs there.
        """
        args = (self._key, self._date, self._scope, self._previous)
        self._check(signature.sign_chunk(*args, data_sha256), given, "a chunk")

    def check_trailer(self, given: str, trailer: bytes) -> None:
        """Check the trailing headers.

        Raises:
            BadChunkSignature: They are not those that were signed.
        """
        args = (self._key, self._date, self._scope, self._previous)
        self._check(signature.sign_trailer(*args, trailer), given, "the trailer")

    def _check(self, expected: str, given: str, what: str) -> None:
        if not signature.same(expected, given):
            raise BadChunkSignature(f"the signature of {what} does not match")
        self._previous = given


class Decoder:
    """Takes framed bytes and gives back the content.

    Args:
        signer (ChunkSigner | None): Checks signatures; None takes them as they are.
        signed_trailer (bool): The trailer has a signature of its own.

    Attributes:
        trailers: Trailing headers by lower-case name, complete when `finish` has returned.
        size: Content bytes so far.
    """

    def __init__(self, signer: ChunkSigner | None = None, *, signed_trailer: bool = False) -> None:
        self.trailers: dict[str, str] = {}
        self.size = 0
        self._signer = signer
        self._signed_trailer = signed_trailer
        # Cheap to take from at the front, however small the chunks are.
        self._buffer = bytearray()
        self._steps = self._run()
        self._out: list[bytes] = []
        self._done = False
        next(self._steps)

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes; the content that they complete, in pieces.

        Raises:
            BadFraming: They are not framed as announced, or come after the end.
            BadChunkSignature: A signature does not match.
        """
        self._buffer += data
        if self._done:
            if self._buffer:
                raise BadFraming("bytes after the last chunk")
            return []
        # The generator is at its one `yield`: "more bytes, please".
        next(self._steps, None)
        out, self._out = self._out, []
        return out

    def finish(self) -> None:
        """The input has ended.

        Raises:
            BadFraming: In the middle of something.
        """
        if not self._done:
            raise BadFraming("the body ends before its last chunk does")

    def _run(self) -> Generator[None, None, None]:
        while True:
            line = yield from self._line()
            head = _HEAD.fullmatch(line)
            if head is None:
                raise BadFraming("a chunk does not begin with its size")
            given = (head[2] or b"").decode()
            size = int(head[1], 16)
            digest = hashlib.sha256()
            left = size
            while left:
                while not self._buffer:
                    yield
                piece = bytes(self._buffer[:left])
                del self._buffer[:left]
                left -= len(piece)
                self.size += len(piece)
                if self._signer is not None:
                    digest.update(piece)
                self._out.append(piece)
            if self._signer is not None:
                self._signer.check_chunk(given, digest.hexdigest())
            if not size:
                break
            if (yield from self._line()):
                raise BadFraming("a chunk is longer than its size")
        yield from self._read_trailers()
        self._done = True
        if self._buffer:
            raise BadFraming("bytes after the last chunk")

    def _read_trailers(self) -> Generator[None, None, None]:
        signed = b""
        while line := (yield from self._line()):
            found = _TRAILER.fullmatch(line)
            if found is None or len(self.trailers) == MAX_TRAILERS:
                raise BadFraming("the trailer is not a few headers")
            name, value = found[1].decode().lower(), found[2].decode("latin-1")
            self.trailers[name] = value
            if name != _TRAILER_SIGNATURE:
                signed += f"{name}:{value}\n".encode("latin-1")
        if self._signer is not None and self._signed_trailer:
            self._signer.check_trailer(self.trailers.get(_TRAILER_SIGNATURE, ""), signed)

    def _line(self) -> Generator[None, None, bytes]:
        """The next line without its end, as the value of `yield from`."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_LINE:
                break
            yield
        if end < 0 or end > MAX_LINE:
            raise BadFraming("a line is too long")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line
