"""`GET /v1/ml/moss[/BUCKET]`: Get-Batch (protocol-ml/01)."""

from __future__ import annotations

import asyncio
import html
import time
from typing import TYPE_CHECKING

from aistore.local.api import errors
from aistore.local.api.redirect import base36, was_redirected
from aistore.local.api.registry import Noun
from aistore.local.api.response import Response
from aistore.local.batch.pending import Pending
from aistore.local.batch.produce import Maker, Multipart
from aistore.local.batch.request import parse_request
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.limits import SMALL_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from aistore.local.api.request import Request
    from aistore.local.batch.pending import Ticket
    from aistore.local.batch.request import BatchRequest
    from aistore.local.nodes import Node
    from aistore.local.state import State


class _Room:
    """Answers batch requests of one cluster."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending = Pending(state.jobs)
        self._spread = 0
        state.jobs.before_query.append(self._pending.end_idle)

    async def handle(self, req: Request) -> Response:
        parts = req.parts
        if len(parts) < 2 or not parts[1]:
            raise errors.too_short(req, 3)
        if parts[1] != "moss" or len(parts) > 6:
            raise errors.invalid_uri(req)
        if req.node.is_proxy:
            return await self._at_proxy(req)
        return await self._at_target(req)

    async def _at_proxy(self, req: Request) -> Response:
        if len(req.parts) > 3:
            raise errors.invalid_uri(req)
        bck = req.bck(req.parts[2]) if len(req.parts) == 3 and req.parts[2] else None
        coloc = req.query.get("coloc", "") or "0"
        if coloc not in {"0", "1", "2"}:
            raise InvalidRequest(f"invalid 'coloc={coloc}' (expecting 0, 1, or 2)")
        body = await req.body()
        catalog = self._state.catalog
        if len(body) > SMALL_BODY:
            request = await req.state.run(parse_request, body, bck, catalog)
        else:
            request = parse_request(body, bck, catalog)
        node = self._designate(request, by_owner=coloc != "0")
        job_id, work_id = self._pending.add(request, bck, node.id, req.client)
        targets = len(self._state.nodes.targets)
        tail = f"{job_id}/{work_id}/{targets}"
        query = f"pid={req.node.id}&utm={base36(time.time_ns())}"
        if req.raw_query:
            query = f"{req.raw_query}&{query}"
        path = f"{req.raw_path.rstrip('/')}/{tail}"
        if req.state.authn is not None:
            query = req.state.authn.sign(req.method, path, query, "")
        location = f"{req.url_of(node)}{path}?{query}"
        body = f'<a href="{html.escape(location)}">Temporary Redirect</a>.\n\n'.encode()
        return Response(307, body, headers=[("Location", location)], content_type="text/html; charset=utf-8")

    def _designate(self, request: BatchRequest, *, by_owner: bool) -> Node:
        targets = self._state.nodes.targets
        if by_owner:
            owned = [0] * len(targets)
            for entry in request.entries:
                owned[self._state.store.place(entry.bucket.bck, entry.name)] += 1
            return targets[owned.index(max(owned))]
        self._spread += 1
        return targets[self._spread % len(targets)]

    async def _at_target(self, req: Request) -> Response:
        if not was_redirected(req):
            raise LocalError("direct target access denied", status=401, with_node=True)
        if len(req.parts) not in {5, 6}:
            raise errors.invalid_uri(req)
        async for _ in req.stream():
            pass
        job_id, work_id = req.parts[-3:-1]
        ticket = self._pending.take(job_id, work_id, req.node.id)
        try:
            return await (self._stream if ticket.request.streaming else self._multipart)(req, ticket)
        except BaseException:
            self._pending.done(ticket)
            raise

    def _maker(self, req: Request, ticket: Ticket) -> Maker:
        place = req.node.index
        return Maker(
            self._state.store,
            ticket.request,
            req.node.label,
            lambda size: ticket.job.moved(place, place, size),
            self._state.piece_size,
        )

    async def _multipart(self, req: Request, ticket: Ticket) -> Response:
        maker = self._maker(req, ticket)
        form = await req.run(self._state.batches, Multipart, maker, ticket.job.id, self._state.store)
        stream = self._send(req, ticket, form.pieces(), b"", lambda: False)
        return Response(content_type=f"multipart/mixed; boundary={form.boundary}", stream=stream)

    async def _stream(self, req: Request, ticket: Ticket) -> Response:
        maker = self._maker(req, ticket)
        pieces = maker.pieces()
        # Until the first piece exists an error is the response; later it cuts the connection.
        first = await req.run(self._state.batches, next, pieces)
        stream = self._send(req, ticket, pieces, first, lambda: maker.is_done)
        return Response(content_type=ticket.request.kind.content_type, stream=stream)

    async def _send(
        self,
        req: Request,
        ticket: Ticket,
        pieces: Generator[bytes, None, None],
        first: bytes,
        is_done: Callable[[], bool],
    ) -> AsyncIterator[bytes]:
        """Send the pieces: while one is on its way the next is made, and no thread waits for the client."""
        piece: bytes | None = first
        ahead: asyncio.Future[bytes | None] | None = None
        try:
            with self._state.streaming() as hold:
                while piece is not None:
                    hold(2 * len(piece))
                    ahead = None if is_done() else asyncio.ensure_future(self._next(req, pieces))
                    yield piece
                    piece = None if ahead is None else await ahead
        finally:
            if ahead is not None:
                await asyncio.wait([ahead])
                if not ahead.cancelled():
                    ahead.exception()  # raised where it was waited for
            pieces.close()
            self._pending.done(ticket)

    async def _next(self, req: Request, pieces: Iterator[bytes]) -> bytes | None:
        return await req.run(self._state.batches, next, pieces, None)


def register(state: State) -> None:
    """Add the route."""
    state.registry.nouns["ml"] = Noun(_Room(state).handle, "GET")
