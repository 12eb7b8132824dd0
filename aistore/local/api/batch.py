"""`GET /v1/ml/moss[/BUCKET]`: Get-Batch (protocol-ml/01)."""

from __future__ import annotations

import asyncio
import contextlib
import html
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from aistore.local.api import errors
from aistore.local.api.redirect import base36, was_redirected
from aistore.local.api.registry import Noun
from aistore.local.api.request import ClientGoneError
from aistore.local.api.response import Response
from aistore.local.batch.pending import Pending
from aistore.local.batch.produce import Joined, Maker, Multipart
from aistore.local.batch.request import parse_request
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.limits import SMALL_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from aistore.local.api.request import Request
    from aistore.local.batch.pending import Ticket
    from aistore.local.batch.request import BatchRequest
    from aistore.local.nodes import Node
    from aistore.local.state import State

_THREADS = 64
_PIECES_AHEAD = 8


class _Abandoned(Exception):  # noqa: N818 - ends the producer, is never reported
    """The client is gone."""


class _Room:
    """Answers batch requests of one cluster."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending = Pending(state.jobs)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="batch")
        self._stopping = threading.Event()
        self._spread = 0
        state.jobs.before_query.append(self._pending.end_idle)
        state.on_stop.append(self.stop)

    def stop(self) -> None:
        self._stopping.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

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

    def _maker(self, req: Request, ticket: Ticket, ended: threading.Event) -> Maker:
        place = req.node.index

        def check() -> None:
            if ended.is_set() or self._stopping.is_set() or req.is_abandoned():
                raise _Abandoned

        return Maker(
            self._state.store,
            ticket.request,
            req.node.label,
            lambda size: ticket.job.moved(place, place, size),
            check,
        )

    async def _multipart(self, req: Request, ticket: Ticket) -> Response:
        loop = asyncio.get_running_loop()
        gone = threading.Event()
        maker = self._maker(req, ticket, gone)
        try:
            form = await loop.run_in_executor(
                self._threads, lambda: Multipart(maker, ticket.job.id, str(self._state.root))
            )
        except _Abandoned as err:
            raise ClientGoneError from err
        stream = self._send_form(form, ticket)
        return Response(content_type=f"multipart/mixed; boundary={form.boundary}", stream=stream)

    async def _send_form(self, form: Multipart, ticket: Ticket) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        pieces: Iterator[bytes] = form.pieces()
        try:
            while (piece := await loop.run_in_executor(self._threads, next, pieces, None)) is not None:
                yield piece
        finally:
            form.close()
            self._pending.done(ticket)

    async def _stream(self, req: Request, ticket: Ticket) -> Response:
        ended = threading.Event()
        maker = self._maker(req, ticket, ended)
        producer = _Producer(maker, ended, req.is_abandoned, lambda: self._pending.done(ticket))
        # Until the first piece is there an error is an answer of its own; afterwards it cuts the connection.
        first = await producer.begin(self._threads)
        return Response(content_type=ticket.request.kind.content_type, stream=producer.pieces(first))


class _Producer:
    """Makes the archive on a thread, a few pieces ahead of the client, never more."""

    def __init__(
        self,
        maker: Maker,
        ended: threading.Event,
        is_abandoned: Callable[[], bool],
        on_end: Callable[[], None],
    ) -> None:
        self._maker = maker
        self._abandoned = ended
        self._is_abandoned = is_abandoned
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(_PIECES_AHEAD)

    def abandon(self) -> None:
        """End: nobody reads any more; called on the event loop, as often as one likes."""
        self._abandoned.set()
        self._room.release()
        self._queue.put_nowait(None)

    async def begin(self, threads: ThreadPoolExecutor) -> bytes | None:
        """Start, and return the first piece; None if there is none."""
        threads.submit(self._run)
        try:
            return await self._next()
        except BaseException:
            self._abandoned.set()
            raise

    async def pieces(self, first: bytes | None) -> AsyncIterator[bytes]:
        """Every piece."""
        piece = first
        try:
            while piece is not None:
                yield piece
                piece = await self._next()
        finally:
            self.abandon()
            self._on_end()

    async def _next(self) -> bytes | None:
        piece = await self._queue.get()
        self._room.release()
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def _put(self, piece: bytes | BaseException | None) -> None:
        while not self._room.acquire(timeout=1.0):
            if self._is_abandoned():
                raise _Abandoned
        if self._abandoned.is_set():
            raise _Abandoned
        self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)

    def _run(self) -> None:
        try:
            joined = Joined(self._put)
            self._maker.write(joined.write)
            joined.flush()
            self._put(None)
        except _Abandoned:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._queue.put_nowait, ClientGoneError())
        except Exception as err:  # noqa: BLE001 - raised where the answer is made
            with contextlib.suppress(_Abandoned):
                self._put(err)


def register(state: State) -> None:
    """Add the route."""
    state.registry.nouns["ml"] = Noun(_Room(state).handle, "GET")
