"""Websockets to ETL servers: one exchange at a time on each, so that answers match their questions."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.local import work
from aistore.local.errors import LocalError
from aistore.sdk.const import HEADER_ETL_SECRET

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_CONNECT_SECONDS = 5.0
MAX_MESSAGE = 1 << 30
"""Bytes of an object or a result: either is one message, which is in memory."""

_MAX_IDLE = 16


class WebSockets:
    """Open websockets that wait for the next exchange, by server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[ClientConnection]] = {}
        self._closed = False

    def exchange(
        self, url: str, secret: str, control: dict[str, Any], data: bytes | None, timeout: float
    ) -> bytes | str:
        """Send a question and return the answer: bytes are a result, text says that it was handled.

        Args:
            url (str): The server's `http://host:port`.
            secret (str): What it is shown.
            control (dict[str, Any]): The first message.
            data (bytes | None): The second message.
            timeout (float): Seconds for all of it.

        Raises:
            OSError: The connection broke before anything was asked, or while it was.
            LocalError: The server closed it and said why.
            TimeoutError: No answer in time.
        """
        try:
            from websockets.exceptions import ConnectionClosed, WebSocketException
        except ImportError as err:
            raise LocalError(
                f"ws:// needs the package websockets: pip install 'aistore[etl]' ({err})"
            ) from err
        connection = self._take(url)
        fresh = connection is None
        try:
            if connection is None:
                connection = _connect(url, secret, timeout)
            connection.send(msgspec.json.encode(control))
            if data is not None:
                connection.send(data)
            answer = _receive(connection, time.monotonic() + timeout)
        except ConnectionClosed as err:
            assert connection is not None
            self._drop(connection)
            reason = err.rcvd.reason if err.rcvd is not None else ""
            if reason:
                raise LocalError(f"ETL error: {reason}", status=500) from err
            if fresh and err.rcvd is not None and err.rcvd.code == 1000:
                raise LocalError(
                    "ETL error: the server takes no websockets (it has transform_stream, not transform)",
                    status=500,
                ) from err
            raise ConnectionError(str(err)) from err
        except WebSocketException as err:
            raise ConnectionError(str(err)) from err
        except BaseException:
            if connection is not None:
                self._drop(connection)
            raise
        self._give_back(url, connection)
        return answer

    def _take(self, url: str) -> ClientConnection | None:
        with self._lock:
            idle = self._idle.get(url)
            return idle.pop() if idle else None

    def _give_back(self, url: str, connection: ClientConnection) -> None:
        with self._lock:
            idle = self._idle.setdefault(url, [])
            if not self._closed and len(idle) < _MAX_IDLE:
                idle.append(connection)
                return
        self._drop(connection)

    def forget(self, url: str) -> None:
        """Close the idle connections to a server."""
        with self._lock:
            idle = self._idle.pop(url, [])
        for connection in idle:
            self._drop(connection)

    def close(self) -> None:
        """Close all, and keep none from now on."""
        self._closed = True
        for url in list(self._idle):
            self.forget(url)

    @staticmethod
    def _drop(connection: ClientConnection) -> None:
        with contextlib.suppress(Exception):  # it is given up, whatever is wrong with it
            connection.close()


def _receive(connection: ClientConnection, deadline: float) -> bytes | str:
    while True:
        left = deadline - time.monotonic()
        try:
            return connection.recv(timeout=max(min(left, work.WAIT_SECONDS), 0.01))
        except TimeoutError:
            if left <= work.WAIT_SECONDS:
                raise
            work.check()


def _connect(url: str, secret: str, timeout: float) -> ClientConnection:
    from websockets.sync.client import connect

    return connect(
        f"ws{url.removeprefix('http')}/ws",
        additional_headers={HEADER_ETL_SECRET: secret},
        open_timeout=min(_CONNECT_SECONDS, max(timeout, 0.01)),
        close_timeout=1.0,
        max_size=MAX_MESSAGE,
        compression=None,
        proxy=None,
        ping_interval=None,
    )
