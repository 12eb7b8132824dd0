"""Streams of blocking calls: the source of a transform, and the chunks that it makes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from aistore.sdk.etl.webserver import flow, steps
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.exchange import Gatherer, Output, check_size

if TYPE_CHECKING:
    import requests

READ_BYTES = 1 << 20


def read_whole(source: BinaryIO, limit: int, announced: str | int | None = None) -> bytes:
    """Read an object into memory.

    Args:
        source: The object.
        limit: Bytes it may have.
        announced: How many it is said to have, when that is known.

    Raises:
        ObjectTooLarge: It has more.
    """
    gatherer = Gatherer(limit, announced)
    while chunk := source.read(READ_BYTES):
        gatherer.add(chunk)
    return gatherer.joined()


def call_transform(server: ETLServer, step: steps.CallTransform) -> Any:
    """Call `transform`.

    Raises:
        TransformFailed: It raised.
    """
    request = step.request
    try:
        return server.transform(step.data, request.path, request.etl_args)
    except Exception as exc:
        raise flow.TransformFailed(exc) from exc


def transform_file(server: ETLServer, step: steps.TransformFile) -> Any:
    """Call `transform` with the content of a file.

    Raises:
        OSError: The file cannot be read.
        ObjectTooLarge: It does not fit into the memory allowed for it.
        TransformFailed: The user's code raised.
    """
    with open(step.path, "rb", buffering=0) as file:
        check_size(server.settings.max_buffered, os.fstat(file.fileno()).st_size)
        data = file.read()
    return call_transform(server, steps.CallTransform(data, step.request))


class ResponseReader(io.RawIOBase):
    """The body of an answer as a binary file."""

    def __init__(self, resp: requests.Response) -> None:
        self._resp = resp

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end."""
        data = self._resp.raw.read(len(buffer), decode_content=True)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._resp.close()
        super().close()


def start_stream(server: ETLServer, step: steps.StartStream) -> Output:
    """Call `transform_stream` and take the first chunk that is not empty.

    Raises:
        TransformFailed: The user's code raised; the reader is closed.
    """
    request = step.request
    try:
        chunks = iter(server.transform_stream(step.reader, request.path, request.etl_args))
    except Exception as exc:
        server.close_reader(step.reader)
        raise flow.TransformFailed(exc) from exc
    guarded = _guarded(server.iter_and_close(chunks, step.reader))
    return Output(next(guarded, b""), guarded)


def _guarded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Mark what the user's code raises, so that it is not taken for a failure of the connection."""
    try:
        for chunk in chunks:
            if chunk:
                yield flow.as_bytes(chunk)
    except flow.TransformFailed:
        raise
    except Exception as exc:
        raise flow.TransformFailed(exc) from exc
    finally:
        ETLServer.close_reader(chunks)


def whole(output: Output) -> Iterator[bytes]:
    """Iterate over all chunks of an output."""
    if output.first:
        yield output.first
    yield from output.rest


def close_output(output: Output) -> None:
    """End an output early or late: its generator, then the reader behind it."""
    ETLServer.close_reader(output.rest)
