"""A batch read by single GETs straight from the targets that own the objects, many of them ahead.

The answers look like those of Get-Batch: one for each entry, in order, with what is missing in its place.
What a target does not answer as it should is asked for again as any GET of the client: through the proxy.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.sdk.batch.entries import BatchEntries
from aistore.sdk.batch.errors import ErrBatchEntryNotFound, ErrBatchIncomplete
from aistore.sdk.batch.pairing import full_name, missing_text, new_outcome, range_text
from aistore.sdk.batch.types import MossIn, MossOut
from aistore.sdk.const import (
    HEADER_RANGE,
    HTTP_METHOD_GET,
    QPARAM_ARCHPATH,
    QPARAM_PROVIDER,
    STATUS_OK,
    STATUS_PARTIAL_CONTENT,
)
from aistore.sdk.errors import (
    AISNetworkError,
    ErrBckNotFound,
    ErrChecksumMismatch,
    ErrObjNotFound,
    ErrRangeMismatch,
    ErrRangeNotSatisfiable,
)
from aistore.sdk.obj.content_iterator.body import ObjectBody
from aistore.sdk.obj.stream_errors import STREAM_ERRORS
from aistore.sdk.obj.verification import compare_content
from aistore.sdk.provider import Provider
from aistore.sdk.transport.call import own_fields
from aistore.sdk.transport.lane import Lane, LaneLostError
from aistore.sdk.transport.url import encode_params
from aistore.wire.http1.content_encoding import is_coded
from aistore.wire.http1.write import encode_head, encode_token
from aistore.wire.names import bucket_objects_path, wire_object_name
from aistore.wire.ranges import EVERYTHING, Bounds, format_byte_range, locate_range

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient
    from aistore.sdk.transport.routing import Permit, Router, Targets
    from aistore.sdk.transport.url import Base

_LANES = 4  # connections to one target
_AHEAD = 256  # requests not answered yet, all in all
_LANE_AHEAD = 64  # and on one lane: their heads fit into the buffers of the operating system
_RUN = 8  # requests on a lane before another one is opened

_AIS = Provider.AIS.value
_GLOBAL = "@#"
_GET = HTTP_METHOD_GET.upper()
_PARAMS = {QPARAM_PROVIDER: _AIS}
_QUERY = encode_params(_PARAMS)


class _Answer(NamedTuple):
    """What came of an entry: its bytes, or why there are none."""

    body: bytes
    error: str | None = None


class _Ask:
    """An entry, as it is asked for."""

    __slots__ = ("bounds", "bucket", "entry", "params", "path", "range", "sent", "target", "uname")

    def __init__(self, entry: MossIn) -> None:
        self.entry = entry
        name = entry.obj_name
        self.bucket, objects = _bucket_names(entry.bck or "")
        self.uname = f"{self.bucket}/{name}"
        self.path = f"{objects}/{wire_object_name(name)}"
        self.params = _PARAMS
        self.bounds = EVERYTHING
        self.range = None
        self.sent = 0.0
        if entry.start or entry.length:
            self.bounds = _bounds_of(entry.start or 0, entry.length or 0)
        if entry.archpath:
            self.params = {**_PARAMS, QPARAM_ARCHPATH: entry.archpath.removeprefix("/")}
        elif self.bounds != EVERYTHING:
            self.range = format_byte_range(self.bounds)
        self.target = f"{self.path}?{encode_params(self.params) if entry.archpath else _QUERY}"

    def take(self, status: int, fields: Mapping[str, str], body: bytes, *, validate: bool) -> _Answer:
        """Return what a good response on a lane has of the entry.

        Raises:
            ErrRangeMismatch: It has neither the bytes asked for nor the whole object.
            ErrChecksumMismatch: The bytes are not those of its checksum.
        """
        if self.bounds == EVERYTHING and status == STATUS_OK:
            if validate and not self.entry.archpath:
                compare_content(self.path, fields, body)
            return _Answer(body)

        def read() -> bytes:
            part = locate_range(self.path, self.bounds, status, fields.get("content-range"), len(body))
            return b"".join(part.cut([body]))

        return self.checked(read)

    def checked(self, read: Callable[[], bytes]) -> _Answer:
        """Return the bytes, or that they are not those that the entry asks for."""
        entry = self.entry
        try:
            body = read()
        except ErrRangeNotSatisfiable:
            return _Answer(b"", range_text(entry, 0))
        if entry.length is not None and 0 < entry.length != len(body):
            return _Answer(b"", range_text(entry, len(body)))
        return _Answer(body)


@lru_cache(maxsize=256)
def _bucket_names(name: str) -> tuple[str, str]:
    """Return the full name of a bucket, and the path of its objects."""
    return f"{_AIS}/{_GLOBAL}/{name}", bucket_objects_path(name)


def can_read(entries: list[MossIn]) -> bool:
    """Return whether all entries are objects of the cluster's own buckets in the global namespace.

    Get-Batch reads nothing that is in a cloud only; a GET would fetch it.

    Args:
        entries: They; each names its bucket.
    """
    return all(entry.uname is None and entry.provider in (_AIS, None, "") and entry.bck for entry in entries)


class DirectResults(BatchEntries):
    """Iterates over the entries of a batch. Closing or dropping it gives its connections up.

    Args:
        client: Sends requests; it has direct routing.
        entries: What to read; `can_read` is true of them.
        cont_on_err: Report an entry that is missing in its place.
        options: `timeout` of single requests.
        views: Yield views of the bytes, as of a tar's members. Default: `False`.
    """

    def __init__(
        self,
        client: RequestClient,
        entries: list[MossIn],
        cont_on_err: bool,
        options: dict[str, Any],
        views: bool = False,
    ) -> None:
        self._direct = _Exchange(client, entries, options)
        super().__init__(self._direct, self._direct.entries(cont_on_err, views))

    def begin(self) -> bool:
        """Read the first entry of each bucket, unless the proxy has let such requests pass a moment ago.

        Returns:
            Whether the others can be read straight from the targets.

        Raises:
            ErrBckNotFound: There is no such bucket.
            APIRequestError: Another answer that is neither good nor says that the object is missing.
        """
        return self._direct.begin()


class _Run:
    """Requests to one target that follow each other on one lane.

    Args:
        lane: The lane.
        heads: Heads of the requests that are about to be sent on it.
        left: How many more there may be.
    """

    __slots__ = ("heads", "lane", "left")

    def __init__(self, lane: Lane, heads: list[str], left: int) -> None:
        self.lane = lane
        self.heads = heads
        self.left = left


class _Window:
    """Requests that are about to be sent.

    Args:
        auth: Field line with the token.

    Attributes:
        heads: Their heads, by lane.
        current: What the last request to a target is a part of.
        permits: What is known of the buckets that were looked at.
    """

    def __init__(self, auth: bytes) -> None:
        self.heads: dict[Lane, list[str]] = {}
        self.current: dict[Base, _Run] = {}
        self.permits: dict[str, tuple[Permit, Targets] | None] = {}
        self._auth = auth
        self._time = time.monotonic()
        self._ends: dict[tuple[Base, Permit, str | None], str] = {}

    def load(self, lane: Lane) -> int:
        """Return how many answers a lane will have to bring."""
        return lane.waiting + len(self.heads.get(lane, ()))

    def begin(self, lane: Lane, owner: Base) -> None:
        """Have the next requests to a target on a lane that has room for one."""
        left = min(_RUN, _LANE_AHEAD - self.load(lane))
        self.current[owner] = _Run(lane, self.heads.setdefault(lane, []), left)

    def add(self, run: _Run, ask: _Ask, owner: Base, permit: Permit) -> None:
        """Add a request."""
        run.left -= 1
        ask.sent = self._time
        key = (owner, permit, ask.range)
        end = self._ends.get(key)
        if end is None:
            fields = own_fields(None if ask.range is None else {HEADER_RANGE: ask.range})
            head = encode_head("", "", owner.origin.netloc, fields + self._auth, b"").decode("latin-1")
            end = self._ends[key] = f"&{permit.mark()}{head[1:]}"
        run.heads.append(f"{_GET} {owner.prefix}/{ask.target}{end}")


class _Exchange:
    """The requests of a batch, and their answers.

    Invariant: `_slots[index]` of an entry that was asked for and not handed out is its answer, or the lane
    that brings it; lanes bring answers in the order of entries.
    """

    def __init__(self, client: RequestClient, entries: list[MossIn], options: dict[str, Any]) -> None:
        assert client.router is not None
        self._client = client
        self._router: Router = client.router
        self._transport = client.session_manager.transport
        self._pool = self._transport.pool
        self._limits = client.limits(options)
        self._options = options
        self._validates = client.validate_checksum
        self._asks = [_Ask(entry) for entry in entries]
        self._slots: dict[int, _Answer | Lane] = {}
        self._lanes: dict[Base, list[Lane]] = {}
        self._asked = 0

    def begin(self) -> bool:
        seen = set()
        for index, ask in enumerate(self._asks):
            if ask.bucket in seen:
                continue
            seen.add(ask.bucket)
            if self._permit(ask) is None:
                self._slots[index] = self._get(ask)
                if self._permit(ask) is None:
                    return False
        return True

    def close(self) -> None:
        lanes = [lane for lanes in self._lanes.values() for lane in lanes]
        self._lanes = {}
        for lane in lanes:
            lane.end(self._pool)

    def entries(self, cont_on_err: bool, views: bool) -> Generator[tuple[MossOut, Any], None, None]:
        total = len(self._asks)
        for index, ask in enumerate(self._asks):
            if self._asked < total and self._asked - index <= _AHEAD // 2:
                self._ask_ahead(index)
            slot = self._slots.pop(index, None)
            try:
                answer = self._receive(ask, slot) if not isinstance(slot, _Answer) else slot
            except STREAM_ERRORS as err:
                names = [full_name(ask.entry) for ask in self._asks[index:]]
                raise ErrBatchIncomplete(names, total) from err
            if answer.error is not None and not cont_on_err:
                raise ErrBatchEntryNotFound(full_name(ask.entry), answer.error)
            if index == total - 1:
                self.close()
            body = memoryview(answer.body) if views else answer.body
            yield new_outcome(ask.entry, answer.error, len(body)), body

    # ------------------------------------------------------------ ahead

    def _token(self) -> str:
        return self._client.token or ""

    def _permit(self, ask: _Ask) -> tuple[Permit, Targets] | None:
        return self._router.find_permit(_GET, ask.bucket, self._token())

    def _ask_ahead(self, index: int) -> None:
        """Ask for the entries from `index` on, as far as may be ahead."""
        window = _Window(encode_token(self._token(), None))
        renewed = False
        for number in range(max(index, self._asked), min(index + _AHEAD, len(self._asks))):
            ask = self._asks[number]
            if number not in self._slots:
                if ask.bucket not in window.permits:
                    window.permits[ask.bucket] = self._permit(ask)
                found = window.permits[ask.bucket]
                if found is not None:
                    permit, targets = found
                    owner = targets.owner(ask.uname)
                    run = window.current.get(owner)
                    if run is None or not run.left:
                        lane = self._lane(owner, window)
                        if lane is None:
                            break
                        window.begin(lane, owner)
                        run = window.current[owner]
                    window.add(run, ask, owner, permit)
                    self._slots[number] = run.lane
                elif not renewed:
                    # The permit is over, or there was a doubt. An ordinary request gets a new one.
                    renewed = True
                    if number > index:
                        break
                    self._slots[number] = self._get(ask)
                    del window.permits[ask.bucket]
            self._asked = number + 1
        for lane, heads in window.heads.items():
            try:
                lane.send("".join(heads).encode("latin-1"), len(heads))
            except LaneLostError:
                self._drop(lane)

    def _lane(self, owner: Base, window: _Window) -> Lane | None:
        """Return the lane for the next requests to a target, or None when there is no room on any."""
        lanes = self._lanes.setdefault(owner, [])
        lane = min(lanes, key=window.load, default=None)
        load = 0 if lane is None else window.load(lane)
        if lane is None or (load >= _RUN and len(lanes) < _LANES):
            try:
                conn = self._pool.take(owner.origin, self._limits.connect, self._limits.read, fresh=False)
            except AISNetworkError:
                return lane if load < _LANE_AHEAD else None
            lane = Lane(conn)
            lanes.append(lane)
        elif load >= _LANE_AHEAD:
            return None
        return lane

    def _drop(self, lane: Lane) -> None:
        """Forget a lane: entries that it was to bring are asked for one by one."""
        lane.close()
        for lanes in self._lanes.values():
            if lane in lanes:
                lanes.remove(lane)
        for index in [index for index, slot in self._slots.items() if slot is lane]:
            del self._slots[index]

    # ------------------------------------------------------------ answers

    def _receive(self, ask: _Ask, lane: Lane | None) -> _Answer:
        if lane is not None:
            try:
                status, fields, body = lane.answer()
            except LaneLostError:
                self._drop(lane)
            else:
                recorder = self._transport.recorder
                recorder.answered(_GET, status, time.monotonic() - ask.sent, 0, 0, 1)
                recorder.received(len(body))
                coding = fields.get("content-encoding")
                if status in (STATUS_OK, STATUS_PARTIAL_CONTENT) and not (coding and is_coded(coding)):
                    with contextlib.suppress(ErrRangeMismatch, ErrChecksumMismatch):
                        return ask.take(status, fields, body, validate=self._validates)
            # The proxy is to say what is the matter.
            self._router.doubt(_GET, ask.bucket, self._token())
        return self._get(ask)

    def _get(self, ask: _Ask) -> _Answer:
        headers = {} if ask.range is None else {HEADER_RANGE: ask.range}

        def read() -> bytes:
            response = self._client.request(
                HTTP_METHOD_GET, path=ask.path, params=ask.params, headers=headers, **self._options
            )
            body = ObjectBody(response, ask.bounds, ask.path)
            content = body.content()
            is_whole = ask.bounds == EVERYTHING and not ask.entry.archpath
            if is_whole and self._validates and body.identity.as_stored:
                compare_content(ask.path, body.fields, content)
            return content

        try:
            return ask.checked(read)
        except ErrBckNotFound:
            raise
        except ErrObjNotFound:
            return _Answer(b"", missing_text(ask.entry))


def _bounds_of(start: int, length: int) -> Bounds:
    if not start and length < 0:
        return EVERYTHING
    return start, start + length - 1 if length > 0 else None
