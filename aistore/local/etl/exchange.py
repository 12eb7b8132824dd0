"""What a target says to an ETL server, and what it takes from the answer (protocol-ml/03)."""

from __future__ import annotations

import re
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, quote_plus

from aistore.local import work
from aistore.local.errors import LocalError
from aistore.local.etl.http_client import Connections, make_head
from aistore.local.etl.pump import Pump
from aistore.local.etl.spec import HPULL, WS
from aistore.local.etl.websocket import MAX_MESSAGE, WebSockets
from aistore.local.store import ObjectReader
from aistore.sdk.const import HEADER_ETL_SECRET, HEADER_NODE_URL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from aistore.local.etl.http_client import Answer
    from aistore.local.etl.instance import Etl
    from aistore.local.etl.pod import Pod
    from aistore.local.store import ObjectFile

T = TypeVar("T")

CONNECT_SECONDS = 5.0
RETRIES = 10
_BACKOFF_SECONDS = 0.1
_MAX_BACKOFF_SECONDS = 1.0
_RETRY_HEADER = "ais-etl-retry-reason"
_RETRY_REASON = "direct-put-transient"
_CHUNK = 256 << 10
_MAX_MESSAGE = 64 << 10

# What stays as it is in an escaped path element, and in a path.
_ELEMENT = "$&+:=@"
_PATH = "$&+,/:;=@"
# What no escaping changes, and so need not be looked at character by character.
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.~/-]*")


class EtlError(LocalError):
    """An object that an ETL could not transform; `status` is the ETL server's."""

    status = 500


class TransformCall(NamedTuple):
    """One object to transform.

    Attributes:
        etl: By which ETL.
        pod: The process.
        reader: The object; open, unless it is named by its path.
        uname: Its full name.
        bucket: Its bucket's bare name.
        args: Opaque text for the transform.
        pipeline: Where the result goes instead of back: other ETL servers, then maybe a target.
        by_path: Name the object's file instead of sending its bytes.
    """

    etl: Etl
    pod: Pod
    reader: ObjectFile
    uname: str
    bucket: str
    args: str = ""
    pipeline: str = ""
    by_path: bool = True

    @property
    def name(self) -> str:
        """The object's name."""
        return self.reader.meta.name

    @property
    def content(self) -> ObjectReader:
        """The object, open."""
        assert isinstance(self.reader, ObjectReader)
        return self.reader

    def url(self) -> str:
        """What is asked of the ETL server."""
        return f"{self.pod.url}{self.target()}"

    def target(self) -> str:
        """Path and query of what is asked of the ETL server."""
        if self.etl.spec.communication == HPULL:
            path = escape_element(self.uname)
        else:
            path = f"{self.bucket}/{self.name}"
            if not _PLAIN_PATH.fullmatch(path):
                path = quote(path.encode("utf-8", "surrogateescape"), safe=_PATH)
        return f"/{path}{self.query()}"

    def query(self) -> str:
        """The query, with its question mark."""
        pairs = []
        if self.args:
            pairs.append(f"etl_args={quote_plus(self.args.encode('utf-8', 'surrogateescape'))}")
        if self.by_path:
            pairs.append(f"etl_fqn={escape_fqn(self.reader.path)}")
        return f"?{'&'.join(pairs)}" if pairs else ""


def escape_fqn(path: str) -> str:
    """A file's path as the value in a query: as an element of a path, and that escaped once more."""
    folder, _, base = path.rpartition("/")
    return f"{_escape_twice(folder)}%252F{base if _PLAIN.fullmatch(base) else _escape_twice(base)}"


@lru_cache(maxsize=64)
def _escape_twice(text: str) -> str:
    return quote_plus(escape_element(text))


def escape_element(text: str) -> str:
    """Text as one element of a path: slashes escaped too."""
    if _PLAIN.fullmatch(text):
        return text
    return quote(text.encode("utf-8", "surrogateescape"), safe=_ELEMENT)


class Result(NamedTuple):
    """What came back: 200 with bytes, or 204 when they were delivered elsewhere.

    `pieces` must be run to its end, or closed.
    """

    status: int
    length: int | None
    content_type: str
    pieces: Generator[bytes, None, None]


class Exchange:
    """Talks to ETL servers, over connections that are kept.

    Args:
        memory (int | None): Bytes that a process of an ETL may take, for messages.
    """

    def __init__(self, memory: int | None = None) -> None:
        self._memory = memory
        self._connections = Connections()
        self._sockets = WebSockets()

    def close(self) -> None:
        """Close every idle connection."""
        self._connections.close()
        self._sockets.close()

    def forget(self, urls: Iterable[str]) -> None:
        """Close the idle connections to servers that are gone."""
        for url in urls:
            self._sockets.forget(url)
            self._connections.forget(url)

    def pump(self, etl: Etl) -> Pump[Any]:
        """For asking an ETL for many objects at a time: `ask` each, and `transform` what comes of it."""
        return Pump(self._connections, etl.spec.obj_timeout)

    def ask(self, pump: Pump[T], token: T, call: TransformCall) -> float:
        """Begin to have an object transformed that is named by its path, over HTTP.

        Returns:
            When an answer is too late, by `time.monotonic()`.

        Raises:
            OSError: It can't be asked for.
        """
        limit = call.etl.spec.obj_timeout
        method, headers = self._method(call)
        deadline = time.monotonic() + limit
        head = make_head(call.pod.url, method, call.target(), headers)
        pump.ask(token, call.pod.url, head, min(CONNECT_SECONDS, limit))
        return deadline

    @staticmethod
    def take_whole(answer: Answer | OSError) -> Result | None:
        """The result, if the answer holds all of it; otherwise the answer is for `transform`.

        Its `content_type` is left out.
        """
        if isinstance(answer, OSError) or answer.body is None or answer.status >= 300:
            return None
        # The parser has compared its length with what the head says.
        return Result(answer.status, len(answer.body), "", _whole(answer.body))

    def transform(
        self, call: TransformCall, asked: Answer | OSError | None = None, deadline: float = 0.0
    ) -> Result:
        """Have an object transformed.

        Connection errors are tried again, up to ten times and within `obj_timeout`; a timeout and the
        transform's own error are final.

        Args:
            call (TransformCall): The object.
            asked: What came of asking for it by a pump, which then was the first attempt.
            deadline (float): And what `ask` returned.

        Raises:
            EtlError: The ETL server's answer, or none.
        """
        limit = call.etl.spec.obj_timeout
        deadline = deadline or time.monotonic() + limit
        for attempt in range(RETRIES + 1):
            try:
                if call.etl.spec.communication == WS:
                    return self._over_websocket(call, deadline)
                if isinstance(asked, OSError):
                    raise asked
                answer, asked = asked or self._request(call, deadline), None
                if not _is_transient(answer) or attempt == RETRIES:
                    return self._interpret(call, answer, limit)
                answer.read(_MAX_MESSAGE, limit)
                failure: Exception = EtlError(f"{_RETRY_HEADER}: {_RETRY_REASON}")
            except TimeoutError as err:
                raise self._too_slow(call) from err
            except OSError as err:
                failure, asked = err, None
            self._before_retry(call, attempt, deadline, failure)
        raise AssertionError("the last attempt returns or raises")

    def _before_retry(self, call: TransformCall, attempt: int, deadline: float, failure: Exception) -> None:
        if not call.pod.is_alive:
            raise EtlError(f"ETL error: {call.pod.describe_exit()}") from failure
        work.check()
        pause = min(_BACKOFF_SECONDS * 2**attempt, _MAX_BACKOFF_SECONDS)
        if attempt == RETRIES or time.monotonic() + pause > deadline or call.etl.cancelled.wait(pause):
            raise EtlError(
                f"ETL error: {call.etl.name} can't be reached after {attempt + 1} attempts: {failure}"
            ) from failure

    @staticmethod
    def _method(call: TransformCall) -> tuple[str, dict[str, str]]:
        headers = {"User-Agent": "aistore.local", HEADER_ETL_SECRET: call.pod.secret}
        if call.pipeline:
            headers[HEADER_NODE_URL] = call.pipeline
        if call.etl.spec.communication == HPULL:
            return "GET", headers
        headers["Content-Length"] = "0" if call.by_path else str(call.reader.meta.size)
        return "PUT", headers

    def _request(self, call: TransformCall, deadline: float) -> Answer:
        method, headers = self._method(call)
        sends = method == "PUT" and not call.by_path
        return self._connections.request(
            call.pod.url,
            method,
            call.target(),
            headers,
            body=partial(call.content.chunks, size=_CHUNK) if sends else None,
            connect_seconds=min(CONNECT_SECONDS, max(deadline - time.monotonic(), 0.01)),
            deadline=deadline,
        )

    def _interpret(self, call: TransformCall, answer: Answer, limit: float) -> Result:
        if answer.status >= 300:
            message = answer.read(_MAX_MESSAGE, limit).decode("utf-8", "replace").strip()
            raise EtlError(self._explain(message), status=answer.status if answer.status >= 400 else 500)
        length = answer.headers.get("content-length", "")
        return Result(
            answer.status,
            int(length) if length.isdigit() else None,
            answer.headers.get("content-type", ""),
            _whole(answer.body) if answer.body is not None else self._pieces(call, answer, limit),
        )

    def _pieces(self, call: TransformCall, answer: Answer, limit: float) -> Generator[bytes, None, None]:
        try:
            yield from answer.pieces(limit)
        except TimeoutError as err:
            raise self._too_slow(call) from err
        except OSError as err:
            raise EtlError(f"ETL error: the answer of {call.etl.name} broke off: {err}") from err
        finally:
            answer.close()

    def _over_websocket(self, call: TransformCall, deadline: float) -> Result:
        control = {"path": f"{call.bucket}/{call.name}"}
        if call.by_path:
            control["fqn"] = escape_element(call.reader.path)
        if call.args:
            control["etl_args"] = call.args
        if call.pipeline:
            control["pipeline"] = call.pipeline
        try:
            if not call.by_path and call.reader.meta.size > MAX_MESSAGE:
                raise EtlError(f"ETL error: an object over a websocket has at most {MAX_MESSAGE} bytes")
            data = None if call.by_path else call.content.read_all()
            left = deadline - time.monotonic()
            answer = self._sockets.exchange(call.pod.url, call.pod.secret, control, data, left)
        except TimeoutError as err:
            raise self._too_slow(call) from err
        if isinstance(answer, str):
            # Text means "handled", and from servers of the 2.0.0 package also any failure.
            if not call.pipeline or not answer.isdigit():
                raise EtlError(self._explain(answer))
            return Result(204, 0, "", _whole(b""))
        return Result(200, len(answer), "application/octet-stream", _whole(answer))

    def _explain(self, message: str) -> str:
        """The error of an ETL's server; one that is due to the limit says so."""
        limit = ""
        if self._memory is not None and "MemoryError" in message:
            limit = f" (a process may take {self._memory} bytes of memory: --etl-memory)"
        return f"ETL error: {message}{limit}"

    @staticmethod
    def _too_slow(call: TransformCall) -> EtlError:
        limit = call.etl.spec.obj_timeout
        return EtlError(f"ETL error: {call.etl.name} took longer than obj_timeout ({limit:g} s)")


def _whole(data: bytes) -> Generator[bytes, None, None]:
    if data:
        yield data


def _is_transient(answer: Answer) -> bool:
    return answer.status == 503 and answer.headers.get(_RETRY_HEADER) == _RETRY_REASON
