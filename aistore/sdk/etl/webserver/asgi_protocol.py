"""Connections of a FastAPI server: uvicorn's own, behind the grammar that all servers share."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from aistore.wire.http1.messages import RequestGuard
from aistore.wire.http1.parse import MalformedMessageError
from aistore.wire.http1.write import encode_refusal

# How long a head may take to come, from the connection or from its first byte on.
HEAD_SECONDS = 60.0


class StrictProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # the package is optional
    """An HTTP/1.1 connection on which what breaks the rules is refused before uvicorn's parser gets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = RequestGuard()
        self._refused = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin a connection, whose first head must come in time."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._end_head_timer()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Judge what came, then have it parsed."""
        if self._refused:
            return
        if self._is_between_requests():
            self._await_head()
        self._parse(data)
        is_upgraded = self.transport.get_protocol() is not self
        if is_upgraded or not self._is_between_requests():
            self._end_head_timer()

    def _parse(self, data: bytes) -> None:
        try:
            self._guard.feed(data)
        except MalformedMessageError as exc:
            super().data_received(data[: self._guard.passed])  # the requests before it
            self.send_400_response(str(exc))
        else:
            super().data_received(data)

    def on_headers_complete(self) -> None:
        """Begin a request; trailers, which come later, are no headers of it."""
        super().on_headers_complete()
        if not self.parser.should_upgrade():  # which is looked for in them
            self.headers: list[tuple[bytes, bytes]] = []

    def send_400_response(self, msg: str) -> None:
        """Refuse a request, unless the response to the one before, or to itself, is under way."""
        self._refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(encode_refusal(msg))
        self.transport.close()
