"""How an ETL server handles a request: one source of the logic for all servers.

What differs between servers is how a request's body is received, which its `RequestIO` knows, and how the
reply is written. Everything here blocks: servers run it in a thread, never on an event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from aistore.sdk.const import (
    ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT,
    HEADER_DIRECT_PUT_LENGTH,
    HEADER_ETL_RETRY_REASON,
    HEADER_ETL_SECRET,
    HEADER_NODE_URL,
    STATUS_BAD_GATEWAY,
    STATUS_BAD_REQUEST,
    STATUS_FORBIDDEN,
    STATUS_INTERNAL_SERVER_ERROR,
    STATUS_OK,
)
from aistore.sdk.errors import ETLDirectPutTransientError, InvalidPipelineError
from aistore.sdk.etl.webserver.exchange import (
    HopAnswer,
    Output,
    Reply,
    RequestFailed,
    TransformRequest,
    describe,
    direct_put_failed,
    interpret_hop,
    is_refused,
    parse_request,
)
from aistore.sdk.etl.webserver.utils import compose_etl_direct_put_url, is_stage_url

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.destinations import DestinationGuard
    from aistore.sdk.etl.webserver.settings import ServerSettings

STATUS_NOT_FOUND = 404

RETRY_BACKOFF_BASE = 2.0
RETRY_BACKOFF_MAX = 30.0


class TransformFailed(Exception):  # noqa: N818 - private to the servers, always turned into an answer
    """The user's code raised.

    Attributes:
        error: What it raised; not `__cause__`, which HTTP clients drop on the way.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(describe(error))
        self.error = error


class FlowHost(Protocol):
    """What a flow needs to know of its server."""

    host_target: str
    direct_fqn: bool
    direct_put_retries: int
    use_streaming: bool
    guard: DestinationGuard
    settings: ServerSettings
    logger: logging.Logger

    def transform(self, data: Any, path: str, etl_args: str) -> bytes:
        """Run the user's code."""

    def resolve_fqn(self, fqn: str) -> str:
        """Turn a file's name, as the request gave it, into the path to hand out."""

    def get_mime_type(self) -> str:
        """Return the media type of results."""

    def is_transient(self, exc: Exception) -> bool:
        """Say whether a failed put may succeed when it is tried again."""


class FlowIO(Protocol):
    """What a flow does with the world for one request."""

    def read_body(self) -> bytes:
        """Read the request's body whole."""

    def open_body(self) -> BinaryIO:
        """Open the request's body."""

    def read_file(self, fqn: str) -> bytes:
        """Read the file that the request names whole."""

    def open_file(self, fqn: str) -> BinaryIO:
        """Open the file that the request names."""

    def fetch(self, url: str) -> bytes | HopAnswer:
        """Get an object from the target whole; a `HopAnswer` is its refusal."""

    def open_fetch(self, url: str) -> BinaryIO | HopAnswer:
        """Start to get an object from the target; a `HopAnswer` is its refusal."""

    def start_stream(self, reader: BinaryIO, request: TransformRequest) -> Output:
        """Call `transform_stream` and take the first chunk; the output's end closes the reader."""

    def put(
        self, url: str, data: bytes | Output, headers: Mapping[str, str], *, stage: bool
    ) -> tuple[HopAnswer, int]:
        """Put a result to the next hop; return its answer and the bytes sent."""

    def pause(self, seconds: float) -> None:
        """Wait."""


# ---------------------------------------------------------------- flows


def handle(host: FlowHost, io: FlowIO, method: str, path: str, query: str, pipeline: str) -> Reply:
    """Handle a GET or PUT of any path but the health check's."""
    try:
        request = parse_request(method, path, query, pipeline)
    except InvalidPipelineError as exc:
        return invalid_pipeline(exc)
    return transform(host, io, request)


def invalid_pipeline(exc: InvalidPipelineError) -> Reply:
    """Make the answer to a request whose pipeline cannot be read."""
    return Reply(STATUS_BAD_REQUEST, error=f"Invalid pipeline header: {exc}")


def transform(host: FlowHost, io: FlowIO, request: TransformRequest) -> Reply:
    """Transform one object and deliver the result; never raises an `Exception`.

    An error goes to whoever asked for the object: it repeats no secret of this server's.
    """
    reply = _transform(host, io, request)
    return reply._replace(error=host.settings.hide(reply.error)) if reply.error else reply


def _transform(host: FlowHost, io: FlowIO, request: TransformRequest) -> Reply:
    try:
        return _streamed(host, io, request) if host.use_streaming else _buffered(host, io, request)
    except RequestFailed as exc:
        host.logger.warning("%s %s: %d %s", request.method, request.path, exc.status, exc.message)
        return Reply(exc.status, error=exc.message, headers=exc.headers)
    except TransformFailed as exc:
        host.logger.error("transform of %s failed", request.path, exc_info=exc.error)  # noqa: TRY400 - the cause's
        return Reply(STATUS_INTERNAL_SERVER_ERROR, error=describe(exc.error), transform_failed=True)
    except Exception as exc:
        host.logger.exception("%s %s failed", request.method, request.path)
        return Reply(STATUS_INTERNAL_SERVER_ERROR, error=describe(exc))


def _buffered(host: FlowHost, io: FlowIO, request: TransformRequest) -> Reply:
    url = _destination(host, request) if request.next_url else ""
    result = _transformed(host, io, request)
    if not url:
        return Reply(STATUS_OK, result, host.get_mime_type())
    attempt = 0
    while True:
        reply = _deliver(host, io, request, url, result, attempt)
        if reply is not None:
            return reply
        attempt += 1


def _streamed(host: FlowHost, io: FlowIO, request: TransformRequest) -> Reply:
    url = _destination(host, request) if request.next_url else ""
    attempt = 0
    while True:
        output = io.start_stream(_open(host, io, request), request)
        if not url:
            return Reply(STATUS_OK, output, host.get_mime_type())
        reply = _deliver(host, io, request, url, output, attempt)
        if reply is not None:
            return reply
        attempt += 1


def _deliver(
    host: FlowHost, io: FlowIO, request: TransformRequest, url: str, result: bytes | Output, attempt: int
) -> Reply | None:
    """Put the result to the next hop; after a failure that may pass, wait and return None."""
    headers = {HEADER_NODE_URL: request.rest} if request.rest else {}
    if request.next_secret:
        headers[HEADER_ETL_SECRET] = request.next_secret
    try:
        answer, sent = io.put(url, result, headers, stage=is_stage_url(request.next_url))
    except TransformFailed:
        raise
    except Exception as exc:  # noqa: BLE001 - judged there
        _check_put_error(host, request, exc, attempt)
    else:
        if not answer.retry or not _may_retry(host, request, attempt):
            return _delivered(host, request, answer, sent)
    io.pause(backoff(attempt))
    return None


def _may_retry(host: FlowHost, request: TransformRequest, attempt: int) -> bool:
    """Say whether the result can be sent once more: a streamed one only when its source can be read again."""
    return attempt < host.direct_put_retries and (request.replayable or not host.use_streaming)


def _destination(host: FlowHost, request: TransformRequest) -> str:
    """Check where the result is to go before any work; the next stage checks what follows it."""
    try:
        host.guard.check(request.next_url)
    except InvalidPipelineError as exc:
        raise RequestFailed(STATUS_FORBIDDEN, str(exc)) from None
    return compose_etl_direct_put_url(request.next_url, host.host_target, request.path, request.etl_args)


def _transformed(host: FlowHost, io: FlowIO, request: TransformRequest) -> bytes:
    data: bytes | str
    if not request.fqn:
        data = _load(io, request, host.host_target)
    elif host.direct_fqn:
        data = host.resolve_fqn(request.fqn)
    else:
        try:
            data = io.read_file(request.fqn)
        except OSError as exc:
            raise _unreadable(request, exc) from None
    try:
        result = host.transform(data, request.path, request.etl_args)
    except Exception as exc:
        raise TransformFailed(exc) from exc
    return as_bytes(result)


def _load(io: FlowIO, request: TransformRequest, host_target: str) -> bytes:
    if request.method != "GET":
        try:
            return io.read_body()
        except RequestFailed:
            raise
        except Exception as exc:
            message = f"Cannot read the request's body: {describe(exc)}"
            raise RequestFailed(STATUS_BAD_REQUEST, message) from exc
    try:
        fetched = io.fetch(f"{host_target}/{request.fetch_path}")
    except RequestFailed:
        raise
    except Exception as exc:
        raise _unreachable(request, exc) from exc
    if isinstance(fetched, HopAnswer):
        raise _target_refused(fetched)
    return fetched


def _open(host: FlowHost, io: FlowIO, request: TransformRequest) -> BinaryIO:
    if request.fqn:
        try:
            return io.open_file(request.fqn)
        except OSError as exc:
            raise _unreadable(request, exc) from None
    if request.method != "GET":
        return io.open_body()
    try:
        reader = io.open_fetch(f"{host.host_target}/{request.fetch_path}")
    except Exception as exc:
        raise _unreachable(request, exc) from exc
    if isinstance(reader, HopAnswer):
        raise _target_refused(reader)
    return reader


def _unreadable(request: TransformRequest, exc: OSError) -> RequestFailed:
    missing = isinstance(exc, (FileNotFoundError, NotADirectoryError, IsADirectoryError))
    status = STATUS_NOT_FOUND if missing else STATUS_INTERNAL_SERVER_ERROR
    return RequestFailed(status, f"Error processing object {request.path}: {exc.strerror or exc}")


def _unreachable(request: TransformRequest, exc: Exception) -> RequestFailed:
    return RequestFailed(STATUS_BAD_GATEWAY, f"Cannot get {request.path} from the target: {describe(exc)}")


def _target_refused(answer: HopAnswer) -> RequestFailed:
    status = answer.status if answer.status >= 400 else STATUS_BAD_GATEWAY
    return RequestFailed(status, "Target request failed")


def _check_put_error(host: FlowHost, request: TransformRequest, exc: Exception, attempt: int) -> None:
    """Raise the answer unless the put is to be tried again."""
    url = request.next_url
    path, mark, query = url.partition("?")
    # Not with the query, which may have a secret.
    why = str(exc).replace(mark + query, "") if query else str(exc)
    message = f"direct_put to '{path}' failed: {type(exc).__name__}: {why}"
    if is_refused(exc):
        raise RequestFailed(STATUS_BAD_GATEWAY, message) from exc
    if not host.is_transient(exc):
        raise RequestFailed(STATUS_INTERNAL_SERVER_ERROR, message) from exc
    one_shot = host.use_streaming and not request.replayable
    error = exc if isinstance(exc, ETLDirectPutTransientError) else None
    bail = one_shot or (error is not None and error.bail_without_local_retry)
    if bail or not _may_retry(host, request, attempt):
        cause = error.cause if error else exc
        raise direct_put_failed(
            ETLDirectPutTransientError(url, cause, bail_without_local_retry=bail)
        ) from exc
    host.logger.warning(
        "direct put of %s failed (%s), attempt %d of %d",
        request.path,
        describe(exc),
        attempt + 1,
        host.direct_put_retries + 1,
    )


def _delivered(host: FlowHost, request: TransformRequest, answer: HopAnswer, sent: int) -> Reply:
    outcome = interpret_hop(answer, sent, stage=is_stage_url(request.next_url))
    headers = {HEADER_DIRECT_PUT_LENGTH: str(outcome.length)} if outcome.length else {}
    if outcome.retry:
        headers[HEADER_ETL_RETRY_REASON] = ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT
    content_type = (outcome.content_type or host.get_mime_type()) if outcome.status != 204 else ""
    return Reply(outcome.status, outcome.body, content_type, headers)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after a failed attempt, counted from 0."""
    return float(min(RETRY_BACKOFF_BASE**attempt, RETRY_BACKOFF_MAX))


def as_chunks(result: Any) -> Iterator[Any]:
    """Return an iterator over what `transform_stream` returned.

    Raises:
        TypeError: It is not iterable, or a whole result: iterated, bytes are numbers.
    """
    if isinstance(result, (bytes, bytearray, memoryview, str)):
        raise TypeError(f"transform_stream returned {type(result).__name__}, expected an iterator of bytes")
    return iter(result)


def as_bytes(result: Any, what: str = "transform returned") -> bytes:
    """Accept what a transform may return: bytes, anything bytes-like, or text (as UTF-8).

    Args:
        result: The result, or a chunk of it.
        what: Where it comes from, for the error. Default: "transform returned".

    Raises:
        TransformFailed: It is something else, or text that is not Unicode.
    """
    if isinstance(result, bytes):
        return result
    if isinstance(result, (bytearray, memoryview)):
        return bytes(result)
    if isinstance(result, str):
        try:
            return result.encode()
        except UnicodeEncodeError as exc:
            raise TransformFailed(exc) from exc
    raise TransformFailed(TypeError(f"{what} {type(result).__name__}, expected bytes"))
