"""Performs the steps of a flow with blocking calls: what Flask and the multi-threaded server share."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from aistore.sdk.const import STATUS_OK
from aistore.sdk.etl.webserver import flow
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator, ETLServer, hop_answer
from aistore.sdk.etl.webserver.exchange import HopAnswer, Output, Reply

if TYPE_CHECKING:
    import requests


class BlockingSteps:
    """Performs steps for one request.

    Args:
        server: The server.
        body: The request's body, ending at its last byte.
    """

    def __init__(self, server: ETLServer, body: BinaryIO) -> None:
        self._server = server
        self._body = body

    def run(self, method: str, path: str, query: str, pipeline: str) -> Reply:
        """Handle a request."""
        return flow.drive(flow.handle(self._server, method, path, query, pipeline), self._perform)

    def _perform(self, step: flow.Step) -> Any:
        return self._performers[type(step)](self, step)

    def _read_body(self, _step: flow.ReadBody) -> bytes:
        return self._body.read()

    def _read_file(self, step: flow.ReadFile) -> bytes:
        return Path(step.path).read_bytes()

    def _fetch(self, step: flow.Fetch) -> HopAnswer:
        resp = self._get(step.url, stream=False)
        return hop_answer(resp.status_code, resp.content, resp.headers)

    def _call_transform(self, step: flow.CallTransform) -> Any:
        request = step.request
        try:
            return self._server.transform(step.data, request.path, request.etl_args)
        except Exception as exc:
            raise flow.TransformFailed(exc) from exc

    def _open_body(self, _step: flow.OpenBody) -> BinaryIO:
        return self._body

    def _open_file(self, step: flow.OpenFile) -> BinaryIO:
        return Path(step.path).open("rb")

    def _open_fetch(self, step: flow.OpenFetch) -> BinaryIO | HopAnswer:
        resp = self._get(step.url, stream=True)
        if resp.status_code != STATUS_OK:
            resp.close()
            return HopAnswer(resp.status_code)
        return io.BufferedReader(ResponseReader(resp), 1 << 16)

    def _start_stream(self, step: flow.StartStream) -> Output:
        return start_stream(self._server, step)

    def _check_destination(self, step: flow.CheckDestination) -> None:
        step.guard.check(step.url)

    def _put(self, step: flow.Put) -> tuple[HopAnswer, int]:
        if isinstance(step.data, bytes):
            resp = self._server.client_put(step.url, step.data, step.headers)
            return hop_answer(resp.status_code, resp.content, resp.headers), len(step.data)
        chunks = CountingIterator(whole(step.data))
        try:
            resp = self._server.client_put(step.url, chunks, step.headers)
        finally:
            close_output(step.data)
        return hop_answer(resp.status_code, resp.content, resp.headers), chunks.bytes_sent

    def _pause(self, step: flow.Pause) -> None:
        time.sleep(step.seconds)

    def _get(self, url: str, *, stream: bool) -> requests.Response:
        server = self._server
        return server.session.get(url, timeout=server.settings.timeout, stream=stream, allow_redirects=False)

    _performers: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {
        flow.ReadBody: _read_body,
        flow.ReadFile: _read_file,
        flow.Fetch: _fetch,
        flow.CallTransform: _call_transform,
        flow.OpenBody: _open_body,
        flow.OpenFile: _open_file,
        flow.OpenFetch: _open_fetch,
        flow.StartStream: _start_stream,
        flow.CheckDestination: _check_destination,
        flow.Put: _put,
        flow.Pause: _pause,
    }


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


def start_stream(server: ETLServer, step: flow.StartStream) -> Output:
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
