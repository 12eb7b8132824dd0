"""How an ETL server handles a request: one source of the logic for all servers, blocking or not.

A flow is a generator that yields what is to be done (read the body, fetch, transform, put, ...) and is sent
the outcome; it does no I/O itself. `drive` runs it with blocking calls (Flask, multi-threaded),
`drive_async` on an event loop (FastAPI). What differs between servers is only how a step is performed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeAlias

from aistore.sdk.const import (
    ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT,
    HEADER_DIRECT_PUT_LENGTH,
    HEADER_ETL_RETRY_REASON,
    HEADER_NODE_URL,
    STATUS_BAD_GATEWAY,
    STATUS_BAD_REQUEST,
    STATUS_FORBIDDEN,
    STATUS_INTERNAL_SERVER_ERROR,
    STATUS_OK,
)
from aistore.sdk.errors import ETLDirectPutTransientError, InvalidPipelineError
from aistore.sdk.etl.webserver.destinations import DestinationGuard
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
from aistore.sdk.etl.webserver.steps import (
    CallTransform,
    CheckDestination,
    Fetch,
    OpenBody,
    OpenFetch,
    OpenFile,
    Pause,
    Put,
    ReadBody,
    StartStream,
    Step,
    TransformFile,
)
from aistore.sdk.etl.webserver.utils import compose_etl_direct_put_url, is_stage_url

STATUS_NOT_FOUND = 404

RETRY_BACKOFF_BASE = 2.0
RETRY_BACKOFF_MAX = 30.0


Flow: TypeAlias = Generator[Step, Any, Reply]


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
    logger: logging.Logger

    def resolve_fqn(self, fqn: str) -> str:
        """Turn a file's name, as the request gave it, into the path to read."""

    def get_mime_type(self) -> str:
        """Return the media type of results."""

    def is_transient(self, exc: Exception) -> bool:
        """Say whether a failed put may succeed when it is tried again."""


# ---------------------------------------------------------------- flows


def handle(host: FlowHost, method: str, path: str, query: str, pipeline: str) -> Flow:
    """Handle a GET or PUT of any path but the health check's."""
    try:
        request = parse_request(method, path, query, pipeline)
    except InvalidPipelineError as exc:
        message = f"Invalid pipeline header: {exc}"
        return Reply(STATUS_BAD_REQUEST, error=message)
    return (yield from transform(host, request))


def transform(host: FlowHost, request: TransformRequest) -> Flow:
    """Transform one object and deliver the result; never raises an `Exception`."""
    try:
        if host.use_streaming:
            return (yield from _streamed(host, request))
        return (yield from _buffered(host, request))
    except RequestFailed as exc:
        host.logger.warning("%s %s: %d %s", request.method, request.path, exc.status, exc.message)
        return Reply(exc.status, error=exc.message, headers=exc.headers)
    except TransformFailed as exc:
        host.logger.error("transform of %s failed", request.path, exc_info=exc.error)  # noqa: TRY400 - the cause's
        return Reply(STATUS_INTERNAL_SERVER_ERROR, error=describe(exc.error), transform_failed=True)
    except Exception as exc:
        host.logger.exception("%s %s failed", request.method, request.path)
        return Reply(STATUS_INTERNAL_SERVER_ERROR, error=describe(exc))


def _buffered(host: FlowHost, request: TransformRequest) -> Flow:
    url = yield from _destination(host, request)
    result = as_bytes((yield from _transformed(host, request)))
    if not url:
        return Reply(STATUS_OK, result, host.get_mime_type())
    attempt = 0
    while True:
        reply = yield from _deliver(host, request, url, result, attempt)
        if reply is not None:
            return reply
        attempt += 1


def _streamed(host: FlowHost, request: TransformRequest) -> Flow:
    url = yield from _destination(host, request)
    attempt = 0
    while True:
        reader = yield from _open(host, request)
        output = yield StartStream(reader, request)
        if not url:
            return Reply(STATUS_OK, output, host.get_mime_type())
        reply = yield from _deliver(host, request, url, output, attempt)
        if reply is not None:
            return reply
        attempt += 1


def _deliver(
    host: FlowHost, request: TransformRequest, url: str, result: bytes | Output, attempt: int
) -> Generator[Step, Any, Reply | None]:
    """Put the result to the next hop; after a failure that may pass, wait and return None."""
    try:
        answer, sent = yield Put(url, result, _node_header(request), is_stage_url(request.next_url))
    except TransformFailed:
        raise
    except Exception as exc:  # noqa: BLE001 - judged there
        _check_put_error(host, request, exc, attempt)
    else:
        if not answer.retry or not _may_retry(host, request, attempt):
            return _delivered(host, request, answer, sent)
    yield Pause(backoff(attempt))
    return None


def _may_retry(host: FlowHost, request: TransformRequest, attempt: int) -> bool:
    """Say whether the result can be sent once more: a streamed one only when its source can be read again."""
    return attempt < host.direct_put_retries and (request.replayable or not host.use_streaming)


def _destination(host: FlowHost, request: TransformRequest) -> Generator[Step, Any, str]:
    """Check where the result is to go before any work; the next stage checks what follows it."""
    if not request.next_url:
        return ""
    try:
        yield CheckDestination(host.guard, request.next_url)
    except InvalidPipelineError as exc:
        raise RequestFailed(STATUS_FORBIDDEN, str(exc)) from None
    return compose_etl_direct_put_url(request.next_url, host.host_target, request.path, request.etl_args)


def _transformed(host: FlowHost, request: TransformRequest) -> Generator[Step, Any, Any]:
    if not request.fqn:
        data = yield from _load(request, host.host_target)
        return (yield CallTransform(data, request))
    path = host.resolve_fqn(request.fqn)
    if host.direct_fqn:
        return (yield CallTransform(path, request))
    try:
        return (yield TransformFile(path, request))
    except OSError as exc:
        raise _unreadable(request, exc) from None


def _load(request: TransformRequest, host_target: str) -> Generator[Step, Any, bytes]:
    if request.method != "GET":
        try:
            body: bytes = yield ReadBody()
        except RequestFailed:
            raise
        except Exception as exc:
            raise RequestFailed(
                STATUS_BAD_REQUEST, f"Cannot read the request's body: {describe(exc)}"
            ) from exc
        return body
    try:
        fetched: bytes | HopAnswer = yield Fetch(f"{host_target}/{request.fetch_path}")
    except RequestFailed:
        raise
    except Exception as exc:
        raise _unreachable(request, exc) from exc
    if isinstance(fetched, HopAnswer):
        raise _target_refused(fetched)
    return fetched


def _open(host: FlowHost, request: TransformRequest) -> Generator[Step, Any, Any]:
    if request.fqn:
        try:
            return (yield OpenFile(host.resolve_fqn(request.fqn)))
        except OSError as exc:
            raise _unreadable(request, exc) from None
    if request.method != "GET":
        return (yield OpenBody())
    try:
        reader = yield OpenFetch(f"{host.host_target}/{request.fetch_path}")
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


def _node_header(request: TransformRequest) -> dict[str, str]:
    return {HEADER_NODE_URL: request.rest} if request.rest else {}


def _check_put_error(host: FlowHost, request: TransformRequest, exc: Exception, attempt: int) -> None:
    """Raise the answer unless the put is to be tried again."""
    url = request.next_url
    if is_refused(exc):
        message = f"direct_put to '{url}' failed: {type(exc).__name__}: {exc}"
        raise RequestFailed(STATUS_BAD_GATEWAY, message) from exc
    if not host.is_transient(exc):
        message = f"direct_put to '{url}' failed: {type(exc).__name__}: {exc}"
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


def as_bytes(result: Any) -> bytes:
    """Accept what a transform may return: bytes, anything bytes-like, or text (as UTF-8).

    Raises:
        TransformFailed: It is something else.
    """
    if isinstance(result, bytes):
        return result
    if isinstance(result, (bytearray, memoryview)):
        return bytes(result)
    if isinstance(result, str):
        return result.encode()
    raise TransformFailed(TypeError(f"transform returned {type(result).__name__}, expected bytes"))


# ---------------------------------------------------------------- drivers


def drive(flow: Flow, perform: Callable[[Step], Any]) -> Reply:
    """Run a flow with blocking calls."""
    try:
        step = next(flow)
        while True:
            try:
                outcome = perform(step)
            except Exception as exc:  # noqa: BLE001 - the flow decides
                step = flow.throw(exc)
            else:
                step = flow.send(outcome)
    except StopIteration as stop:
        reply: Reply = stop.value
        return reply


async def drive_async(flow: Flow, perform: Callable[[Step], Awaitable[Any]]) -> Reply:
    """Run a flow on an event loop."""
    try:
        step = next(flow)
        while True:
            try:
                outcome = await perform(step)
            except Exception as exc:  # noqa: BLE001 - the flow decides
                step = flow.throw(exc)
            else:
                step = flow.send(outcome)
    except StopIteration as stop:
        reply: Reply = stop.value
        return reply


__all__ = ["Output", "backoff", "drive", "drive_async", "handle", "transform"]
