"""What a request asks of an ETL server and what it answers: values and rules, no I/O.

Sources: the protocol between target and container, and `init_class` on a real cluster (points 4, 8 and 9).
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from aistore.sdk.const import (
    ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT,
    HEADER_ETL_RETRY_REASON,
    QPARAM_ETL_ARGS,
    QPARAM_ETL_FQN,
    STATUS_BAD_GATEWAY,
    STATUS_NO_CONTENT,
    STATUS_OK,
    STATUS_SERVICE_UNAVAILABLE,
)
from aistore.sdk.errors import ETLDirectPutTransientError
from aistore.sdk.etl.webserver.caller import split_secret
from aistore.sdk.etl.webserver.utils import parse_etl_pipeline
from aistore.wire.query import parse_query

STATUS_TOO_LARGE = 413

HEALTH_BODY = b"Running"

# provider/@uuid#namespace/bucket/object, as hpull requests name it
_UNAME = re.compile(r"[a-z0-9]+/@[^#/]*#[^/]*/(?P<rest>[^/]+/.+)", re.DOTALL)
# .../@provider/[@uuid/][#namespace/]bucket/%ob/object, as targets lay out their disks
_OBJECT_FQN = re.compile(r"/@[a-z0-9]+/(?:[@#][^/]*/)*(?P<bucket>[^/]+)/%ob/.+", re.DOTALL)


# How the multi-threaded server words an error.
_ERROR_PAGE = re.compile(r"<p>Message: (?P<message>.*?)\.?</p>", re.DOTALL)


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class TransformRequest(NamedTuple):
    """One request to transform an object.

    Attributes:
        method: `GET` (hpull: the server fetches the object) or `PUT` (hpush: the body or a file is the
            object).
        path: `bucket/object`, decoded: what a transform sees, whatever the server and the way of talking.
        uname: The request's path, decoded, without leading slash: what hpull fetches.
        etl_args: The caller's arguments, stripped.
        fqn: The object's file, as the query gave it (still escaped once), or "".
        next_url: Where the result goes, or "" when it goes back to the caller.
        rest: The pipeline after `next_url`.
        next_secret: What the next stage wants to be shown, or "".
    """

    method: str
    path: str
    uname: str
    etl_args: str = ""
    fqn: str = ""
    next_url: str = ""
    rest: str = ""
    next_secret: str = ""

    @property
    def replayable(self) -> bool:
        """Whether the source can be read again: a file or an object of the target can, a body cannot."""
        return bool(self.fqn) or self.method == "GET"

    @property
    def fetch_path(self) -> str:
        """The path to fetch the object with, below the target's URL."""
        return quote(self.uname, safe="@", errors="surrogateescape")


def decode_path(path: str | bytes) -> str:
    """Decode the path of a request; bytes that are not UTF-8 are kept by `surrogateescape`."""
    text = path.decode("latin-1") if isinstance(path, bytes) else path
    return unquote(text, errors="surrogateescape")


def parse_request(method: str, path: str, query: str, pipeline: str) -> TransformRequest:
    """Read what a request asks for.

    Args:
        method: `GET` or `PUT`.
        path: The request's path, with or without its leading slash, as `decode_path` decodes it.
        query: The query string, as sent.
        pipeline: Value of the header `Ais-Node-Url`, or "".

    Raises:
        InvalidPipelineError: The pipeline has an empty entry.
    """
    uname = path.removeprefix("/")
    next_url, rest = parse_etl_pipeline(pipeline) if pipeline else ("", "")
    next_url, secret = split_secret(next_url)
    values = parse_query(query) if query else {}
    etl_args, fqn = values.get(QPARAM_ETL_ARGS, "").strip(), values.get(QPARAM_ETL_FQN, "").strip()
    return TransformRequest(method, plain_path(uname), uname, etl_args, fqn, next_url, rest, secret)


def parse_ws_control(control: Mapping[str, Any]) -> TransformRequest:
    """Read the control message of a websocket request.

    A target sends the object's name without its bucket; where it also sends the file, the bucket is taken
    from there.

    Raises:
        InvalidPipelineError: The pipeline has an empty entry.
    """
    name = str(control.get("path") or "").removeprefix("/")
    fqn = str(control.get("fqn") or "")
    next_url, rest = parse_etl_pipeline(str(control.get("pipeline") or ""))
    next_url, secret = split_secret(next_url)
    match = _OBJECT_FQN.search(unquote(fqn, errors="surrogateescape"))
    # The file's own name says nothing: that of a long object name is a digest.
    path = f"{match['bucket']}/{name}" if match else plain_path(name)
    return TransformRequest(
        method="PUT",
        path=path,
        uname=name,
        etl_args=str(control.get("etl_args") or "").strip(),
        fqn=fqn,
        next_url=next_url,
        rest=rest,
        next_secret=secret,
    )


def plain_path(uname: str) -> str:
    """Reduce an object's unique name to `bucket/object`; any other path stays as it is."""
    match = _UNAME.fullmatch(uname)
    return match["rest"] if match else uname


def is_object_fqn(path: str) -> bool:
    """Say whether a normalised path is that of an object below a mount path of a target."""
    return _OBJECT_FQN.search(path) is not None


@dataclass
class Output:
    """A streamed result: the first chunk, which proves that it started well, and the others.

    Attributes:
        first: The first chunk.
        rest: The other chunks.
        length: Bytes of all chunks, or None when that is not known beforehand.
    """

    first: bytes
    rest: Iterator[bytes]
    length: int | None = None


class HopAnswer(NamedTuple):
    """What the next stage or the destination answered.

    Attributes:
        status: HTTP status.
        body: The body; that of a stage may be a stream.
        length: Bytes that were delivered, of those that say so.
        content_type: Media type of the body, or "".
        retry: Whether it asks for the same request again.
    """

    status: int
    body: bytes | Output = b""
    length: int = 0
    content_type: str = ""
    retry: bool = False


def interpret_hop(answer: HopAnswer, sent: int, *, stage: bool) -> HopAnswer:
    """Turn the next hop's answer into the one to our caller.

    A destination that stored the result answers 200 without a body. The same from a stage is an empty
    result, which is the caller's to store: as 204 the object would be lost when its destination is the
    caller.

    Args:
        answer: What the next hop answered.
        sent: Bytes that were sent to it.
        stage: Whether it is another ETL server rather than a destination target.
    """
    if answer.status == STATUS_NO_CONTENT:
        return HopAnswer(STATUS_NO_CONTENT, b"", answer.length)
    if answer.status == STATUS_OK and not answer.body and not stage:
        return HopAnswer(STATUS_NO_CONTENT, b"", sent)
    return HopAnswer(answer.status, answer.body, 0, answer.content_type, answer.retry)


class Reply(NamedTuple):
    """What to answer.

    Attributes:
        status: HTTP status.
        body: The whole body, or its chunks; the receiver iterates them, then calls `close`.
        content_type: Media type of the body, "" when it has none.
        headers: Further headers.
        error: Text of the error, "" for a success; each server wraps it in its own format.
        transform_failed: Whether it was the user's code that raised.
    """

    status: int
    body: bytes | Output = b""
    content_type: str = ""
    headers: Mapping[str, str] = _NO_HEADERS
    error: str = ""
    transform_failed: bool = False


class RequestFailed(Exception):  # noqa: N818 - private to the servers, always turned into an answer
    """A request that ends with an error status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class ObjectTooLarge(RequestFailed):
    """An object that does not fit into the memory allowed for it.

    Args:
        limit: Bytes allowed.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            STATUS_TOO_LARGE,
            f"The object is larger than AIS_ETL_MAX_BUFFERED={limit} bytes: raise the limit, or override "
            "transform_stream() instead of transform()",
        )


def check_size(limit: int, announced: str | int | None) -> None:
    """Refuse an object that is said to be larger than the memory allowed for it.

    Args:
        limit: Bytes it may have.
        announced: Value of a header `Content-Length`, or a number; None when there is none.

    Raises:
        ObjectTooLarge: It has more.
    """
    digits = str(announced).lstrip("0")
    # A number of thousands of digits cannot be converted.
    if digits.isdecimal() and (len(digits) > 18 or int(digits) > limit):
        raise ObjectTooLarge(limit)


class Gatherer:
    """Joins the chunks of an object that is to be held in memory.

    Args:
        limit: Bytes it may have.
        announced: As for `check_size`.

    Raises:
        ObjectTooLarge: It is announced to be larger.
    """

    def __init__(self, limit: int, announced: str | int | None = None) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []
        check_size(limit, announced)

    def add(self, chunk: bytes) -> None:
        """Add a chunk.

        Raises:
            ObjectTooLarge: It is one too many.
        """
        self._size += len(chunk)
        if self._size > self._limit:
            raise ObjectTooLarge(self._limit)
        self._chunks.append(chunk)

    def joined(self) -> bytes:
        """Return the object."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


def direct_put_failed(error: ETLDirectPutTransientError) -> RequestFailed:
    """Make the answer for a direct put that did not succeed in time.

    A body that came with the request cannot be sent again from here, so the cluster is asked to repeat the
    request; it does that only for requests with a body.
    """
    if error.bail_without_local_retry:
        return RequestFailed(
            STATUS_SERVICE_UNAVAILABLE,
            f"Direct put bailed (one-shot body): {error}",
            {HEADER_ETL_RETRY_REASON: ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT},
        )
    return RequestFailed(STATUS_BAD_GATEWAY, str(error))


def describe(exc: BaseException) -> str:
    """Name an exception by its text, or its class when it has none."""
    return str(exc) or type(exc).__name__


def message_of(body: bytes | Output) -> str:
    """Take the text of an error out of the page or the JSON that another stage wrapped it in."""
    if not isinstance(body, bytes):
        return ""
    text = body.decode("utf-8", "replace")
    page = _ERROR_PAGE.search(text)
    if page:
        return html.unescape(page["message"])
    from aistore.wire.serialization import parse_json  # slow to import

    with contextlib.suppress(ValueError):
        fields = parse_json(text)
        if isinstance(fields, dict):
            return str(fields.get("detail") or fields.get("error") or text)
    return text


def is_refused(exc: BaseException) -> bool:
    """Say whether a failed request comes down to a refused connection, where waiting does not help."""
    pending: list[Any] = [exc]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, ConnectionRefusedError):
            return True
        pending += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        pending += getattr(current, "exceptions", ())  # an exception group: one per address that was tried
    return False
