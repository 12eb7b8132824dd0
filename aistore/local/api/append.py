"""Append with a handle: bytes gathered over several requests, then flushed into an object (protocol/03)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from aistore.local.api.object_put import announced_checksum, receive_into
from aistore.local.api.response import Response
from aistore.local.errors import InvalidRequest, LocalError, ObjectNotFound
from aistore.local.nodes import new_id
from aistore.local.numbers import whole_number
from aistore.local.store import unchanged

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.state import State
    from aistore.local.store import ObjectWriter

_MAX_OPEN = 1024
# Not used for so long a handle is worth nothing; when there are too many, the one that was not used longest.
_IDLE_SECONDS = 900.0
_LEAST_IDLE_SECONDS = 30.0
_KEPT_FLUSHED = 4096


class _Work:
    """An object under way.

    Attributes:
        before: The object that it goes on after, or None.
        step: Is counted in the handle, so that bytes sent twice are not taken twice.
        used: When the last request ended, on the monotonic clock.
    """

    def __init__(self, writer: ObjectWriter, before: ObjectMeta | None) -> None:
        self.writer = writer
        self.before = before
        self.step = 0
        self.used = time.monotonic()
        self.lock = asyncio.Lock()


class Appends:
    """All appends under way; they end with the process, or when they are not used for 15 minutes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._timer: asyncio.TimerHandle | None = None
        self._open: dict[str, _Work] = {}
        self._flushed: OrderedDict[str, None] = OrderedDict()

    def close(self) -> None:
        """Discard what was not flushed."""
        for work in self._open.values():
            work.writer.abort()
        self._open.clear()

    async def put(self, req: Request, bucket: Bucket, name: str) -> Response:
        """Answer a PUT with `append_type`."""
        kind = req.query["append_type"]
        if kind in {"", "append"}:
            return await self._append(req, bucket, name)
        if kind == "flush":
            return await self._flush(req, bucket, name)
        raise InvalidRequest(
            f'invalid operation "{kind}" (expecting either "append" or "flush") - check "append_type" query'
        )

    async def _append(self, req: Request, bucket: Bucket, name: str) -> Response:
        """Take the body and answer with the handle to go on with."""
        handle = req.query.get("append_handle", "")
        work_id, work = await self._begin(bucket, name) if not handle else self._find(bucket, name, handle)
        async with work.lock:
            if handle and _step(handle) != work.step:
                raise InvalidRequest(
                    f'stale APPEND handle: "{handle}" was used already: each answer has a new one'
                )
            # A request that ends early must not leave half of its bytes behind.
            try:
                await receive_into(req, work.writer)
            except BaseException:
                self._open.pop(work_id, None)
                work.writer.abort()
                raise
            work.step += 1
            work.used = time.monotonic()
        kind = bucket.checksum_type
        digest = base64.b64encode(work.writer.digest(kind).encode()).decode()
        new_handle = f"{req.node.id}|{work_id}.{work.step}|{kind}|{digest}"
        return Response(headers=[("Ais-Append-Handle", new_handle)])

    async def _begin(self, bucket: Bucket, name: str) -> tuple[str, _Work]:
        """New work; on an object that exists it starts with what that contains."""
        if len(self._open) >= _MAX_OPEN:
            self._expire(_LEAST_IDLE_SECONDS, most=1)
        if len(self._open) >= _MAX_OPEN:
            raise LocalError(f"too many objects are being appended to (the limit is {_MAX_OPEN})", status=429)
        store = self._state.store
        writer = store.writer(bucket, name)
        before = None
        try:
            with contextlib.suppress(ObjectNotFound), store.open(bucket, name) as reader:
                before = reader.meta
                await self._state.run(writer.write_from, reader.fileno())
        except BaseException:
            writer.abort()
            raise
        work_id = new_id(12)
        work = self._open[work_id] = _Work(writer, before)
        self._expire_later()
        return work_id, work

    def _expire_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS / 2, self._expire_now)

    def _expire_now(self) -> None:
        self._timer = None
        self._expire(_IDLE_SECONDS)
        if self._open:
            self._expire_later()

    def _expire(self, seconds: float, most: int = _MAX_OPEN) -> None:
        """Discard what was not used for so long, the longest unused first, and give its space back."""
        now = time.monotonic()
        idle = sorted(
            (work.used, work_id)
            for work_id, work in self._open.items()
            if now - work.used >= seconds and not work.lock.locked()
        )
        for _, work_id in idle[:most]:
            self._open.pop(work_id).writer.abort()

    def _find(self, bucket: Bucket, name: str, handle: str) -> tuple[str, _Work]:
        work_id = _work_id(handle)
        work = self._open.get(work_id)
        if work is None or (work.writer.bucket.id, work.writer.name) != (bucket.id, name):
            raise InvalidRequest(f'invalid APPEND handle: "{handle}"')
        return work_id, work

    async def _flush(self, req: Request, bucket: Bucket, name: str) -> Response:
        """Publish what was gathered.

        What another request did to the object meanwhile must not be lost: the flush is refused then.
        """
        handle = req.query.get("append_handle", "")
        if not handle:
            raise InvalidRequest(
                "failed to finalize append-file operation: empty source in the "
                "{partialCksum:<nil> nodeID: workFQN:} handle"
            )
        async for _ in req.stream():
            pass
        if _work_id(handle) in self._flushed:
            return Response()
        work_id, work = self._find(bucket, name, handle)
        async with work.lock:
            check = announced_checksum(req)
            if check is not None:
                await self._state.run(work.writer.verify, *check, f"{bucket.bck}/{name}")
            self._open.pop(work_id, None)
            try:
                same = unchanged(bucket, name, work.before)
                await self._state.run(work.writer.commit, only_if=same)
            finally:
                work.writer.abort()
        self._flushed[work_id] = None
        while len(self._flushed) > _KEPT_FLUSHED:
            self._flushed.popitem(last=False)
        return Response()


def _work_id(handle: str) -> str:
    parts = handle.split("|")
    return parts[1].partition(".")[0] if len(parts) == 4 else ""


def _step(handle: str) -> int:
    step = whole_number(handle.split("|")[1].partition(".")[2])
    return -1 if step is None else step


def register(state: State) -> None:
    """Add this form of PUT."""
    appends = Appends(state)
    state.registry.put_forms["append_type"] = appends.put
    state.on_stop.append(appends.close)
