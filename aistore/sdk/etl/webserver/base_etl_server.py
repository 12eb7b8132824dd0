"""The base of every ETL server: what a user overrides, and what all servers share."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

import requests
import requests.exceptions as rex

from aistore.sdk.const import HEADER_DIRECT_PUT_LENGTH
from aistore.sdk.errors import ETLDirectPutTransientError, InvalidArgumentType
from aistore.sdk.etl.webserver.caller import CallerCheck
from aistore.sdk.etl.webserver.destinations import DestinationGuard
from aistore.sdk.etl.webserver.exchange import interpret_hop
from aistore.sdk.etl.webserver.files import FileRules
from aistore.sdk.etl.webserver.flow import RETRY_BACKOFF_BASE, RETRY_BACKOFF_MAX
from aistore.sdk.etl.webserver.outgoing import Courier, SessionCourier, hop_answer, make_session
from aistore.sdk.etl.webserver.settings import ServerSettings

if TYPE_CHECKING:
    import socket

    from aistore.sdk.etl.webserver.blocking import Carrier

__all__ = [
    "DRAIN_CHUNK_BYTES",
    "RETRY_BACKOFF_BASE",
    "RETRY_BACKOFF_MAX",
    "SYNC_DIRECT_PUT_TRANSIENT_ERRORS",
    "CountingIterator",
    "ETLServer",
]

# An unread request body is discarded in pieces of this many bytes to keep its connection usable.
DRAIN_CHUNK_BYTES = 65536

# Failures of a direct put through `requests` that may pass; a refused connection is told apart and final.
SYNC_DIRECT_PUT_TRANSIENT_ERRORS = (rex.ConnectionError, rex.ChunkedEncodingError)


class CountingIterator:
    """Iterates over chunks and counts their bytes.

    Args:
        inner: The chunks.

    Attributes:
        bytes_sent: Bytes handed out so far; keeps growing when it is iterated again.
    """

    def __init__(self, inner: Iterator[bytes]) -> None:
        self._inner = inner
        self.bytes_sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self.bytes_sent += len(chunk)
            yield chunk


class ETLServer(ABC):
    """Base of the ETL servers.

    A subclass overrides `transform`, or `transform_stream` for objects that should not be held in memory;
    `transform` wins when both are there. It is constructed in the pod, from the environment that the target
    sets (`ServerSettings`).

    Attributes:
        host_target: URL of the target's object API.
        direct_put: Whether direct put was asked for; informational, each request's header decides.
        direct_fqn: Whether `transform` gets the path of the object's file instead of its bytes.
        direct_put_retries: Attempts of a direct put after the first one.
        token: Bearer token for outgoing requests, or None.
        use_streaming: Whether `transform_stream` is what runs.
        guard: Judges the URLs that results are sent to.
        caller: Judges who sends requests.
        on_started: Called once a FastAPI server has run its `startup_event`, or None.
        logger: Logger named after the class.

    Raises:
        InvalidArgumentType: Neither `transform` nor `transform_stream` is overridden.
        InvalidETLEnvironment: The environment lacks something or is wrong.
    """

    def __init__(self) -> None:
        own = type(self)
        transforms = own.transform is not ETLServer.transform
        streams = own.transform_stream is not ETLServer.transform_stream
        if not transforms and not streams:
            raise InvalidArgumentType(f"{own.__name__} must override transform() or transform_stream()")
        self.settings = settings = ServerSettings.from_env()
        self.host_target = settings.host_target.rstrip("/")
        self.direct_put = settings.direct_put
        self.direct_fqn = settings.direct_fqn
        self.direct_put_retries = settings.direct_put_retries
        self.token = settings.token
        self.use_streaming = streams and not transforms
        self.guard = DestinationGuard(settings.host_target, settings.allowed_hosts)
        self.caller = CallerCheck(settings.secret)
        self.logger = logging.getLogger(own.__name__)
        self.on_started: Callable[[], None] | None = None
        self._session: requests.Session | None = None
        self._courier: Courier | None = None
        self._files = FileRules(settings)

    # ---- what a user overrides

    # `Any`, so that an override may say `bytes`: what it gets unless direct file access was asked for.
    def transform(self, data: Any, path: str, etl_args: str) -> bytes:
        """Transform one object.

        Args:
            data: The object's bytes, or the path of its file when direct file access was asked for.
            path: `bucket/object`; over a websocket without a file just the object's name.
            etl_args: Arguments of the request, "" when there are none.

        Returns:
            The result.
        """
        raise NotImplementedError(f"{type(self).__name__} does not override transform()")

    def transform_stream(self, reader: BinaryIO, path: str, etl_args: str) -> Iterator[bytes]:
        """Transform one object without holding it in memory.

        Args:
            reader: The object's bytes; closed by the server.
            path: As for `transform`.
            etl_args: As for `transform`.

        Returns:
            The result in chunks, usually by `yield`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not override transform_stream()")

    def get_mime_type(self) -> str:
        """Return the media type of results."""
        return "application/octet-stream"

    @abstractmethod
    def start(self) -> None:
        """Serve until stopped."""

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a bound socket until stopped: what the runtime entry point calls."""
        raise NotImplementedError(f"{type(self).__name__} cannot serve on a given socket")

    @classmethod
    def try_transform(cls, data: bytes | str | os.PathLike[str], path: str = "", etl_args: str = "") -> bytes:
        """Run the transform here and now, to see that it works before it is sent to a cluster.

        Args:
            data: The object: its bytes, the path of a file, or a URL to get it from.
            path: What the transform is told as `bucket/object`. Default: from the name of the file or URL.
            etl_args: Arguments for the transform.

        Returns:
            The result; that of `transform_stream` is joined.
        """
        from aistore.sdk.etl.webserver.trial import try_transform

        return try_transform(cls, data, path, etl_args)

    # ---- outgoing requests

    @property
    def session(self) -> requests.Session:
        """A `requests.Session` with token, TLS and pool from the environment.

        Once a program has asked for it, or set one of its own, requests are made by it; before that they
        travel by the SDK's own transport.
        """
        if self._session is None:
            self._session = make_session(self.settings)
        return self._session

    @session.setter
    def session(self, session: requests.Session) -> None:
        self._session = session

    @session.deleter
    def session(self) -> None:
        self._session = None

    def carrier(self) -> Carrier:
        """Return what fetches objects and delivers results."""
        if self._session is not None or type(self).client_put is not ETLServer.client_put:
            return SessionCourier(self)
        return self._own_courier()

    def _own_courier(self) -> Courier:
        if self._courier is None:
            self._courier = Courier(self.settings)
        return self._courier

    def client_put(
        self, url: str, data: Any, headers: dict[str, str], timeout: float | None = None
    ) -> requests.Response:
        """Put a result to the next hop; redirects are not followed.

        Args:
            url: Where to.
            data: Bytes, or an iterable of chunks.
            headers: Further headers.
            timeout: Seconds to connect and between bytes. Default: see `ServerSettings`.
        """
        limits = self.settings.timeout if timeout is None else timeout
        return self.session.put(url, data=data, headers=headers, timeout=limits, allow_redirects=False)

    def is_transient(self, exc: Exception) -> bool:
        """Say whether a failed direct put may succeed when it is tried again."""
        if isinstance(exc, rex.SSLError):
            return False
        return isinstance(exc, (*SYNC_DIRECT_PUT_TRANSIENT_ERRORS, rex.Timeout, ETLDirectPutTransientError))

    def handle_direct_put_response(
        self, resp: requests.Response, data: bytes, data_length: int = -1
    ) -> tuple[int, bytes, int]:
        """Interpret what a destination target answered to a direct put.

        Args:
            resp: Its answer.
            data: What was sent.
            data_length: How many bytes were sent. Default: the length of `data`.

        Returns:
            Status, body and direct-put length to answer with.
        """
        sent = data_length if data_length >= 0 else len(data)
        outcome = interpret_hop(hop_answer(resp.status_code, resp.content, resp.headers), sent, stage=False)
        assert isinstance(outcome.body, bytes)
        return outcome.status, outcome.body, outcome.length

    @staticmethod
    def make_direct_put_headers(direct_put_length: int) -> dict[str, str]:
        """Return the header that tells the caller how many bytes were delivered; none for 0."""
        return {HEADER_DIRECT_PUT_LENGTH: str(direct_put_length)} if direct_put_length else {}

    # ---- files named by requests

    def sanitize_fqn(self, fqn: str) -> str:
        """Return the absolute, normalised path of a file as a request names it (escaped once)."""
        return os.path.normpath(os.path.join("/", unquote(fqn, errors="surrogateescape")))

    def resolve_fqn(self, fqn: str) -> str:
        """Return the path to read for a file that a request names.

        A request may name an object's file only: below `AIS_ETL_FQN_ROOTS` where that is set, else one that
        lies as targets lay out their disks (`.../@provider/bucket/%ob/object`). Symbolic links are followed
        first.

        Raises:
            RequestFailed: With 403 when the file may not be read.
        """
        path = self.sanitize_fqn(fqn)
        self._files.check(path)
        return path

    def open_fqn(self, fqn: str) -> int:
        """Open a file that a request names, with the same rules, and return its descriptor.

        Raises:
            RequestFailed: With 403 when the file may not be read.
            OSError: It cannot be.
        """
        return self._files.open(self.sanitize_fqn(fqn))

    # ---- readers

    @staticmethod
    def close_reader(reader: Any) -> None:
        """Close a reader that has a `close`."""
        close = getattr(reader, "close", None)
        if close is not None:
            close()

    @staticmethod
    def iter_and_close(output_iter: Iterator[bytes], reader: Any) -> Iterator[bytes]:
        """Hand out chunks and close the reader at the end, however it comes."""
        try:
            yield from output_iter
        finally:
            ETLServer.close_reader(output_iter)
            ETLServer.close_reader(reader)
