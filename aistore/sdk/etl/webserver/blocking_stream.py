"""Streams of blocking calls: the source of a transform, and the chunks that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from aistore.sdk.etl.webserver import flow
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.exchange import Gatherer, Output, TransformRequest

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


def start_stream(server: ETLServer, reader: BinaryIO, request: TransformRequest) -> Output:
    """Call `transform_stream` and take the first chunk that is not empty.

    Raises:
        TransformFailed: The user's code raised; the reader is closed.
    """
    try:
        chunks = flow.as_chunks(server.transform_stream(reader, request.path, request.etl_args))
    except Exception as exc:
        server.close_reader(reader)
        raise flow.TransformFailed(exc) from exc
    guarded = _guarded(server.iter_and_close(chunks, reader))
    return Output(next(guarded, b""), guarded)


def _guarded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Mark what the user's code raises, so that it is not taken for a failure of the connection."""
    try:
        for chunk in chunks:
            if data := flow.as_bytes(chunk, "transform_stream yielded"):
                yield data
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
