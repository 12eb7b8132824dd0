"""What handling a request reads and sends: its body, files, the target, the next hop."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Protocol

from aistore.sdk.etl.webserver import files, flow
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator, ETLServer
from aistore.sdk.etl.webserver.blocking_stream import close_output, read_whole, start_stream, whole
from aistore.sdk.etl.webserver.exchange import HopAnswer, Output, Reply, TransformRequest, check_size
from aistore.sdk.etl.webserver.stage_put import needs_both_ways, put_to_stage


class Carrier(Protocol):
    """Fetches objects and delivers results: `outgoing.Courier`, or what obeys a program's own client."""

    def fetch(self, url: str) -> bytes | HopAnswer:
        """Get an object whole; a `HopAnswer` is a refusal."""

    def open(self, url: str) -> BinaryIO | HopAnswer:
        """Start to get an object; a `HopAnswer` is a refusal."""

    def put(self, url: str, data: bytes | Iterable[bytes], headers: Mapping[str, str]) -> HopAnswer:
        """Deliver a result."""


class RequestBody(Protocol):
    """The body of a request, which ends at its last byte."""

    def read_whole(self, limit: int) -> bytes:
        """Return it; an `ObjectTooLarge` when it has more bytes than the limit."""

    def open(self) -> BinaryIO:
        """Return it as a file."""


class BytesBody:
    """A body that has been received.

    Args:
        data: The body.
    """

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_whole(self, limit: int) -> bytes:
        """Return it."""
        check_size(limit, len(self._data))
        return self._data

    def open(self) -> BinaryIO:
        """Return it as a file."""
        return io.BytesIO(self._data)


class FileBody:
    """A body that a web framework gives as a file.

    Args:
        file: The body.
        announced: How many bytes the request says it has, or None.
    """

    __slots__ = ("_announced", "_file")

    def __init__(self, file: BinaryIO, announced: str | None) -> None:
        self._file = file
        self._announced = announced

    def read_whole(self, limit: int) -> bytes:
        """Read it."""
        return read_whole(self._file, limit, self._announced)

    def open(self) -> BinaryIO:
        """Return the file."""
        return self._file


class RequestIO:
    """Reads and sends for one request, with blocking calls.

    Args:
        server: The server.
        body: The request's body.
    """

    __slots__ = ("_body", "_server")

    def __init__(self, server: ETLServer, body: RequestBody) -> None:
        self._server = server
        self._body = body

    def run(self, method: str, path: str, query: str, pipeline: str) -> Reply:
        """Handle a request."""
        return flow.handle(self._server, self, method, path, query, pipeline)

    def run_parsed(self, request: TransformRequest) -> Reply:
        """Handle a request that has been parsed."""
        return flow.transform(self._server, self, request)

    def read_body(self) -> bytes:
        """Read the request's body whole."""
        return self._body.read_whole(self._server.settings.max_buffered)

    def open_body(self) -> BinaryIO:
        """Open the request's body."""
        return self._body.open()

    def read_file(self, fqn: str) -> bytes:
        """Read the file that the request names whole."""
        server = self._server
        return files.read_whole_file(server.open_fqn(fqn), server.settings.max_buffered)

    def open_file(self, fqn: str) -> BinaryIO:
        """Open the file that the request names."""
        return files.open_whole_file(self._server.open_fqn(fqn))

    def fetch(self, url: str) -> bytes | HopAnswer:
        """Get an object from the target whole."""
        return self._server.carrier().fetch(url)

    def open_fetch(self, url: str) -> BinaryIO | HopAnswer:
        """Start to get an object from the target."""
        return self._server.carrier().open(url)

    def start_stream(self, reader: BinaryIO, request: TransformRequest) -> Output:
        """Call `transform_stream` and take the first chunk."""
        return start_stream(self._server, reader, request)

    def put(
        self, url: str, data: bytes | Output, headers: Mapping[str, str], *, stage: bool
    ) -> tuple[HopAnswer, int]:
        """Put a result to the next hop."""
        if stage and needs_both_ways(data):
            return put_to_stage(url, data, dict(headers), self._server.settings)
        if isinstance(data, bytes):
            return self._server.carrier().put(url, data, headers), len(data)
        chunks = CountingIterator(whole(data))
        try:
            answer = self._server.carrier().put(url, chunks, headers)
        finally:
            close_output(data)
        return answer, chunks.bytes_sent

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
