"""Performs the steps of a flow with blocking calls: what Flask and the multi-threaded server share."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from aistore.sdk.const import HEADER_CONTENT_LENGTH, STATUS_OK
from aistore.sdk.etl.webserver import flow, steps
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator, ETLServer, hop_answer
from aistore.sdk.etl.webserver.blocking_stream import (
    ResponseReader,
    call_transform,
    close_output,
    read_whole,
    start_stream,
    transform_file,
    whole,
)
from aistore.sdk.etl.webserver.exchange import HopAnswer, Output, Reply
from aistore.sdk.etl.webserver.stage_put import needs_both_ways, put_to_stage

if TYPE_CHECKING:
    import requests


class BlockingSteps:
    """Performs steps for one request.

    Args:
        server: The server.
        body: The request's body, ending at its last byte.
        announced: How many bytes the request says it has, or None.
    """

    def __init__(self, server: ETLServer, body: BinaryIO, announced: str | None = None) -> None:
        self._server = server
        self._body = body
        self._announced = announced

    def run(self, method: str, path: str, query: str, pipeline: str) -> Reply:
        """Handle a request."""
        return flow.drive(flow.handle(self._server, method, path, query, pipeline), self._perform)

    def _perform(self, step: steps.Step) -> Any:
        return self._performers[type(step)](self, step)

    def _read_body(self, _step: steps.ReadBody) -> bytes:
        return read_whole(self._body, self._server.settings.max_buffered, self._announced)

    def _fetch(self, step: steps.Fetch) -> bytes | HopAnswer:
        with self._get(step.url) as resp:
            if resp.status_code != STATUS_OK:
                return HopAnswer(resp.status_code)
            announced = resp.headers.get(HEADER_CONTENT_LENGTH)
            source = io.BufferedReader(ResponseReader(resp))
            return read_whole(source, self._server.settings.max_buffered, announced)

    def _call_transform(self, step: steps.CallTransform) -> Any:
        return call_transform(self._server, step)

    def _transform_file(self, step: steps.TransformFile) -> Any:
        return transform_file(self._server, step)

    def _open_body(self, _step: steps.OpenBody) -> BinaryIO:
        return self._body

    def _open_file(self, step: steps.OpenFile) -> BinaryIO:
        return Path(step.path).open("rb")

    def _open_fetch(self, step: steps.OpenFetch) -> BinaryIO | HopAnswer:
        resp = self._get(step.url)
        if resp.status_code != STATUS_OK:
            resp.close()
            return HopAnswer(resp.status_code)
        return io.BufferedReader(ResponseReader(resp), 1 << 16)

    def _start_stream(self, step: steps.StartStream) -> Output:
        return start_stream(self._server, step)

    def _check_destination(self, step: steps.CheckDestination) -> None:
        step.guard.check(step.url)

    def _put(self, step: steps.Put) -> tuple[HopAnswer, int]:
        if step.stage and needs_both_ways(step.data):
            return put_to_stage(step.url, step.data, step.headers, self._server.settings)
        if isinstance(step.data, bytes):
            resp = self._server.client_put(step.url, step.data, step.headers)
            return hop_answer(resp.status_code, resp.content, resp.headers), len(step.data)
        chunks = CountingIterator(whole(step.data))
        try:
            resp = self._server.client_put(step.url, chunks, step.headers)
        finally:
            close_output(step.data)
        return hop_answer(resp.status_code, resp.content, resp.headers), chunks.bytes_sent

    def _pause(self, step: steps.Pause) -> None:
        time.sleep(step.seconds)

    def _get(self, url: str) -> requests.Response:
        server = self._server
        return server.session.get(url, timeout=server.settings.timeout, stream=True, allow_redirects=False)

    _performers: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {
        steps.ReadBody: _read_body,
        steps.Fetch: _fetch,
        steps.CallTransform: _call_transform,
        steps.TransformFile: _transform_file,
        steps.OpenBody: _open_body,
        steps.OpenFile: _open_file,
        steps.OpenFetch: _open_fetch,
        steps.StartStream: _start_stream,
        steps.CheckDestination: _check_destination,
        steps.Put: _put,
        steps.Pause: _pause,
    }
