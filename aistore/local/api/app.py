"""The ASGI application of every port: the port tells the node, the path the router; errors become answers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from aistore.local.api import errors
from aistore.local.api.request import Request
from aistore.local.api.response import Response, send_response
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.work import AbandonedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aistore.local.access_log import AccessLog
    from aistore.local.api.guard import Guard
    from aistore.local.nodes import Node
    from aistore.local.protocol import JoiningTransport
    from aistore.local.state import State

log = logging.getLogger(__name__)

Message = dict[str, Any]


class App:
    """The application.

    Args:
        state (State): The cluster.
        ports (dict[int, Node]): Which node listens on which port.
        guard (Guard): What is refused before anything else.
        access_log (AccessLog | None): Where answered requests are logged.
    """

    def __init__(
        self, state: State, ports: dict[int, Node], guard: Guard, access_log: AccessLog | None = None
    ) -> None:
        self._state = state
        self._ports = ports
        self._guard = guard
        self._access_log = access_log

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        node = self._ports[scope["server"][1]]
        begin = time.perf_counter_ns()
        req = Request(scope, receive, self._state, node)
        try:
            await self._exchange(req, send, scope["state"]["transport"], begin)
        finally:
            if req.held is not None:
                await req.held.aclose()

    async def _exchange(
        self,
        req: Request,
        send: Callable[[Message], Awaitable[None]],
        transport: JoiningTransport,
        begin: int,
    ) -> None:
        try:
            response = await self._answer(req)
        except AbandonedError:
            self._log(req, 0, -1, begin)
            return
        if req.withholds_body:
            # It may send its body now or leave it out: what comes next on this connection can't be told.
            response.headers.append(("Connection", "close"))
        try:
            sent = await send_response(response, req.method, send, transport)
        except AbandonedError:
            # The connection ends with it, so that a part of the response is not taken for the whole.
            self._log(req, response.status, -1, begin)
            return
        except Exception:
            # Raising is what makes the HTTP server cut the connection: the receiver must not take a part for
            # the whole.
            log.exception("sending the response to %s %s failed", req.method, req.logged_path)
            self._log(req, response.status, -1, begin)
            raise
        self._state.stats.record(req, response.status, time.perf_counter_ns() - begin)
        self._log(req, response.status, sent, begin)

    def _log(self, req: Request, status: int, sent: int, begin: int) -> None:
        if self._access_log is not None:
            elapsed = time.perf_counter_ns() - begin
            self._access_log.write(req, status=status, sent=max(sent, 0), elapsed_ns=elapsed, cut=sent < 0)

    async def _answer(self, req: Request) -> Response:
        try:
            self._guard.check(req)
            return await self._route(req)
        except LocalError as err:
            return errors.error_response(req, err)
        except AbandonedError:
            raise
        except RecursionError:
            return errors.error_response(req, InvalidRequest("what the request says is nested too deeply"))
        except Exception as err:
            log.exception("%s %s failed", req.method, req.logged_path)
            return errors.error_response(req, LocalError(f"internal error: {err!r}", status=500))

    async def _route(self, req: Request) -> Response:
        registry = self._state.registry
        path = req.path
        if path.startswith("/v1/"):
            noun = registry.nouns.get(req.parts[0])
        else:
            noun = registry.roots.get(path.split("/", 2)[1])
        if noun is None:
            raise errors.invalid_uri(req)
        if req.method == "OPTIONS":
            return Response(headers=[("Allow", noun.allow)])
        if not noun.accepts(req.method):
            raise errors.method_not_allowed(noun.allow)
        return await noun.handler(req)
