"""A request as the routers see it, and the pieces of it that are read the way the cluster reads them."""

from __future__ import annotations

import re
import threading
import time
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import unquote

import msgspec

from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.limits import MAX_JSON, SMALL_BODY, check_values
from aistore.local.names import make_bck
from aistore.local.work import AbandonedError, until
from aistore.sdk.models.prepare import prepared
from aistore.wire.query import parse_query
from aistore.wire.serialization import decode_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aistore.local.catalog import Bucket
    from aistore.local.names import Bck
    from aistore.local.nodes import Node
    from aistore.local.shares import Pool, Shares
    from aistore.local.state import State

BODY_SECONDS = 120.0
"""For a body that is taken whole."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d*)?")
_ETL_SECRET = re.compile(r"^(/v1/etl/_object/[^/]*/)[^/]+")
_NOWHERE: dict[str, Any] = {}
P = ParamSpec("P")
T = TypeVar("T")

_TRUE = {"true", "1", "t", "y", "yes", "on"}
# Most requests name one of few buckets.
_known_bck = lru_cache(1024)(make_bck)


class ClientGoneError(AbandonedError):
    """The client went away, or the server stops."""


class ActionMsg(msgspec.Struct):
    """The body of a control request."""

    action: str = ""
    name: str = ""
    value: Any = None


class Request:
    """One request to one node.

    Attributes:
        state: The cluster.
        node: The node that was asked.
        method: The verb.
        path: The decoded path; undecodable bytes are kept by `surrogateescape`.
        raw_path: The path as sent.
        raw_query: The query as sent.
        headers: Headers by lower-case name; of repeated ones the first.
        held: What the client has of what all use, until its response is sent; None if that is nothing.
        client: The client's address, by which its share of what all use is counted.
        parts: The path after `/v1/`, split at slashes.
    """

    __slots__ = (
        "_body",
        "_gone",
        "_headers",
        "_query",
        "_receive",
        "_unread",
        "client",
        "headers",
        "held",
        "method",
        "node",
        "parts",
        "path",
        "raw_path",
        "raw_query",
        "remote",
        "state",
    )

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        state: State,
        node: Node,
    ) -> None:
        self.state = state
        self.node = node
        self.method: str = scope["method"]
        self.raw_path: str = scope["raw_path"].decode("ascii")
        self.raw_query: str = scope["query_string"].decode("latin-1")
        path = self.raw_path
        self.path = unquote(path, errors="surrogateescape") if "%" in path else path
        self.parts = self.path.split("/")[2:]
        client = scope.get("client")
        self.client: str = client[0] if client else ""
        self.remote = f"{client[0]}:{client[1]}" if client else ""
        self._gone: threading.Event = scope.get("state", _NOWHERE).get("gone") or threading.Event()
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("utf-8", "surrogateescape")
            for name, value in reversed(self._headers)
        }
        self._query: dict[str, str] | None = None
        self._receive = receive
        self._unread = True
        self._body: bytes | None = None
        self.held: AsyncExitStack | None = None

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; of repeated ones the first."""
        if self._query is None:
            self._query = parse_query(self.raw_query)
        return self._query

    @property
    def logged_path(self) -> str:
        """The path as sent, without the secret that an ETL's server shows there."""
        return _ETL_SECRET.sub(r"\1***", self.raw_path)

    def set_query(self, raw_query: str) -> None:
        """Replace the query, for a path that stands for another."""
        self.raw_query = raw_query
        self._query = None

    def flag(self, name: str) -> bool:
        """A boolean parameter: absent, empty and anything unknown are false."""
        return self.query.get(name, "").lower() in _TRUE

    def header_values(self, name: str) -> list[str]:
        """Every value of a repeated header."""
        raw = name.lower().encode()
        return [v.decode("utf-8", "surrogateescape") for key, v in self._headers if key.lower() == raw]

    @property
    def host(self) -> str:
        """The name or address by which the client reached this machine."""
        found = _HOST.fullmatch(self.headers.get("host", ""))
        return (found[1] or found[2]) if found else self.node.host

    def url_of(self, node: Node) -> str:
        """A node's URL that this client can reach."""
        return node.url_at(self.host)

    @property
    def content_length(self) -> int | None:
        """Announced length of the body, None when it is chunked or there is none."""
        value = self.headers.get("content-length")
        return int(value) if value is not None and value.isdigit() else None

    def bck(self, name: str) -> Bck:
        """The identity of a bucket of this name with the query's provider and namespace.

        Raises:
            InvalidRequest: A name or provider that the cluster refuses.
        """
        query = self.query
        return _known_bck(name, query.get("provider", ""), query.get("namespace", ""))

    def bucket(self, name: str) -> Bucket:
        """The bucket of this name with the query's provider and namespace.

        Raises:
            BucketNotFound: There is none.
        """
        return self.state.catalog.buckets.get(self.bck(name))

    @property
    def withholds_body(self) -> bool:
        """Whether the client waits for `100 Continue` and was not told to go on."""
        return self._unread and self.headers.get("expect", "").lower() == "100-continue"

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            ClientGoneError: The connection ended before the body did.
        """
        if self._body is not None:
            yield self._body
            return
        self._unread = False
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            if message["body"]:
                yield message["body"]
            if not message.get("more_body", False):
                return

    def check(self) -> None:
        """Raise if the client no longer waits for the response; for any thread.

        Raises:
            ClientGoneError: The client is gone, or the server stops.
        """
        if self._gone.is_set() or self.state.stopping.is_set():
            raise ClientGoneError

    def is_abandoned(self) -> bool:
        """Whether the client no longer waits for the response; for any thread."""
        return self._gone.is_set() or self.state.stopping.is_set()

    def working(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """A call for a thread, which ends when the client no longer waits for the response."""

        def work() -> T:
            self.check()
            with until(self.check):
                return call(*args, **kwargs)

        return work

    async def run(self, pool: Pool, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that may take long; it ends when the client no longer waits for the response.

        Args:
            pool (Pool): The threads for work of its kind.
            call: The call.
            args: Arguments of the call.
            kwargs: Keyword arguments of the call.

        Raises:
            ClientGoneError: The client no longer waits.
        """
        return await pool.run(self.client, self.working(call, *args, **kwargs))

    async def hold(self, shares: Shares, amount: int) -> None:
        """Wait for a part of what clients share, which is the client's until its response is sent."""
        if self.held is None:
            self.held = AsyncExitStack()
        await self.held.enter_async_context(shares.hold(self.client, amount))

    async def body(self, limit: int = MAX_JSON) -> bytes:
        """The whole body; it can be asked for again. Larger ones wait until there is memory for them.

        Raises:
            LocalError: It is longer than `limit` bytes (413), or takes too long (408).
        """
        if self._body is None:
            self._body = await self.gather(self.stream(), limit)
        return self._body

    async def gather(self, content: AsyncIterator[bytes], limit: int) -> bytes:
        """Join the content of the body. Larger ones wait until there is memory for them.

        Args:
            content (AsyncIterator[bytes]): The body, as it comes or unframed.
            limit (int): Bytes that it may have.

        Raises:
            LocalError: It is longer (413), or takes too long (408).
        """
        pieces = []
        size = 0
        deadline = time.monotonic() + BODY_SECONDS
        is_held = False
        async for chunk in content:
            size += len(chunk)
            if size > limit:
                raise LocalError(f"request body is too long: the limit is {limit} bytes", status=413)
            if size > SMALL_BODY and not is_held:
                is_held = True
                await self.hold(self.state.bodies, min(self.content_length or limit, limit))
            elif time.monotonic() > deadline:
                raise LocalError(f"request body takes longer than {BODY_SECONDS:g} s", status=408)
            pieces.append(chunk)
        return b"".join(pieces)

    async def action(self, kind: str = "apc.ActMsg") -> ActionMsg:
        """The control message in the body.

        Raises:
            InvalidRequest: There is none, or it isn't one.
        """
        msg: ActionMsg = self.decode(await self.body(), ActionMsg, kind)
        return msg

    async def optional_action(self) -> ActionMsg:
        """The control message in the body; an empty one when there is no body.

        Raises:
            InvalidRequest: The body is something else.
        """
        return await self.action() if (await self.body()).strip() else ActionMsg()

    def decode(self, body: bytes, type: Any, kind: str) -> Any:
        """Decode a JSON body; `kind` is the cluster's name of the type, for its message.

        Raises:
            InvalidRequest: The body is empty or not of this type.
            LocalError: It has too many values (413).
        """
        check_values(body)
        try:
            if not body.strip():
                raise msgspec.DecodeError("EOF")
            return decode_json(body, prepared(type))
        except msgspec.DecodeError as err:
            message = f"{self.node.label}: failed to unmarshal [*{kind}] ({self.method}), err: {err}"
            raise InvalidRequest(message) from err
