"""The body of a request: unframed, and held against what was announced for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api.object_put import receive_into
from aistore.local.errors import LocalError
from aistore.local.s3 import digests, signature
from aistore.local.s3.auth import CONTENT_HASH, SIGNED_STREAMS, STREAMS, content_hash
from aistore.local.s3.aws_chunked import BadChunkSignature, BadFraming, ChunkSigner, Decoder
from aistore.local.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aistore.local.api.request import Request
    from aistore.local.s3.auth import Grant
    from aistore.local.store import ContentWriter

MAX_DOCUMENT = 8 << 20


class _Counter:
    """Counts and hashes on the way to where the bytes are written, if anywhere."""

    def __init__(self, writer: ContentWriter | None, algorithms: set[str]) -> None:
        self.size = 0
        self.hashers = {name: digests.new_digest(name) for name in algorithms}
        self._writer = writer

    def write(self, data: bytes, /) -> None:
        for hasher in self.hashers.values():
            hasher.update(data)
        if self._writer is not None:
            self._writer.write(data)
        self.size += len(data)


class Body:
    """One request's body, to be read once.

    Args:
        req (Request): The request.
        grant (Grant | None): Its signature, where signatures are checked.

    Raises:
        S3Error: What is announced for it can't be read, or can't be verified.
    """

    def __init__(self, req: Request, grant: Grant | None) -> None:
        self._req = req
        self.expected = digests.announced(req.headers)
        self._late = digests.in_trailer(req.headers)
        content = content_hash(req) or signature.UNSIGNED
        is_sum = content not in STREAMS and content != signature.UNSIGNED
        self._decoder: Decoder | None = None
        if content in STREAMS or "aws-chunked" in req.headers.get("content-encoding", ""):
            if is_sum:
                raise S3Error("InvalidArgument", f"{CONTENT_HASH} of an aws-chunked body: expecting a stream")
            signer = ChunkSigner(grant.key, grant.claim) if grant and content in SIGNED_STREAMS else None
            self._decoder = Decoder(signer, signed_trailer=content.endswith("-TRAILER"))
        elif is_sum:
            self.expected.append(digests.Expected(CONTENT_HASH, "sha256", content))

    async def _content(self) -> AsyncIterator[bytes]:
        if self._decoder is None:
            async for data in self._req.stream():
                yield data
            return
        try:
            async for data in self._req.stream():
                for piece in self._decoder.feed(data):
                    yield piece
            self._decoder.finish()
        except BadFraming as err:
            raise S3Error("IncompleteBody", str(err)) from err
        except BadChunkSignature as err:
            raise S3Error("SignatureDoesNotMatch", str(err)) from err

    async def receive(self, writer: ContentWriter) -> tuple[str, bool]:
        """Write the content, and verify it.

        Returns:
            Its MD5, and whether it was small enough for the rest to be done without a change of thread.

        Raises:
            S3Error: It is not what was announced.
        """
        counter = _Counter(writer, self._algorithms() | {"md5"})
        inline = await receive_into(self._req, counter, self._content())
        self._verify(counter)
        return counter.hashers["md5"].hexdigest(), inline

    async def read(self) -> bytes:
        """The content of a body that is a document.

        Raises:
            S3Error: It is not what was announced, or longer than a document may be.
        """
        try:
            document = await self._req.gather(self._content(), MAX_DOCUMENT)
        except LocalError as err:
            if err.status != 413:
                raise
            raise S3Error("MalformedXML", f"the document is longer than {MAX_DOCUMENT} bytes") from err
        counter = _Counter(None, self._algorithms())
        counter.write(document)
        self._verify(counter)
        return document

    def _algorithms(self) -> set[str]:
        return {item.algorithm for item in self.expected} | set(self._late)

    def _verify(self, counter: _Counter) -> None:
        decoded = self._req.headers.get("x-amz-decoded-content-length", "")
        if self._decoder is not None:
            if decoded and decoded != str(counter.size):
                raise S3Error("IncompleteBody", f"got {counter.size} bytes, {decoded[:40]} were announced")
            late = digests.announced(self._decoder.trailers)
            if {item.algorithm for item in late} != set(self._late):
                raise S3Error("InvalidRequest", "the trailer does not have what x-amz-trailer announces")
            self.expected += late
        for item in self.expected:
            item.check(counter.hashers[item.algorithm].hexdigest())
