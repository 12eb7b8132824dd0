"""Transforming a bucket, or a selection of its objects, into a bucket."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import LocalError, NotFound
from aistore.local.etl.abreast import Abreast, Flight
from aistore.local.etl.exchange import EtlError, Result, TransformCall, escape_element
from aistore.local.etl.spec import WS
from aistore.local.jobs import MAX_THREADS, transfer
from aistore.local.jobs.results import Results
from aistore.local.jobs.selection import Found, Selection
from aistore.local.jobs.template import Template
from aistore.local.store import ObjectFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aistore.local.catalog import Bucket
    from aistore.local.etl.http_client import Answer
    from aistore.local.etl.instance import Etl
    from aistore.local.etl.room import EtlRoom
    from aistore.local.jobs import Job
    from aistore.local.jobs.transfer import Destination, TransferOptions
    from aistore.local.names import Bck
    from aistore.local.state import State

_AUTO_WORKERS = 8
_CHANGED_TRIES = 3
_OWT = 3


class EtlChain(NamedTuple):
    """An ETL and those that follow it."""

    first: Etl
    rest: tuple[Etl, ...] = ()

    @property
    def last(self) -> Etl:
        """The one whose result is stored."""
        return self.rest[-1] if self.rest else self.first

    @property
    def names(self) -> frozenset[str]:
        """The names of all."""
        return frozenset(etl.name for etl in (self.first, *self.rest))


class _Plan(NamedTuple):
    """An object on its way.

    Attributes:
        name: Its name.
        uname: Its full name.
        source: Index of the target that has it.
        owner: Index of the target that the result belongs to.
        pipeline: Where its ETL sends the result: other ETLs, then maybe that target.
        delivers: Whether the result ends there, instead of coming back.
        key: Job and full name of the result.
        to_name: Name of the result.
    """

    name: str
    uname: str
    source: int
    owner: int
    pipeline: str
    delivers: bool
    key: tuple[str, str]
    to_name: str


class _Flight(Flight):
    """An object that was asked for."""

    __slots__ = ("plan",)

    def __init__(self, call: TransformCall, plan: _Plan) -> None:
        super().__init__(call)
        self.plan = plan


def find_chain(room: EtlRoom, name: str, pipeline: Sequence[str]) -> EtlChain:
    """The ETLs of these names.

    Raises:
        LocalError: One doesn't run (404).
    """
    found = []
    for part in (name, *pipeline):
        etl = room.find_running(part)
        if etl is None:
            raise LocalError(f"ETL {part} doesn't exist", status=404)
        found.append(etl)
    return EtlChain(found[0], tuple(found[1:]))


def transform_bucket(
    state: State, room: EtlRoom, chain: EtlChain, src: Bucket, to: Bck, options: TransferOptions
) -> Job:
    """Start to transform a bucket's objects."""
    selection = Selection(template=Template(options.prefix), recursive=options.recursive)
    return _start("etl-bck", state, room, chain, src, to, selection, options)


def transform_selected(
    state: State,
    room: EtlRoom,
    chain: EtlChain,
    src: Bucket,
    to: Bck,
    selection: Selection,
    options: TransferOptions,
) -> Job:
    """Start to transform a selection."""
    return _start("etl-listrange", state, room, chain, src, to, selection, options)


def _start(
    kind: str,
    state: State,
    room: EtlRoom,
    chain: EtlChain,
    src: Bucket,
    to: Bck,
    selection: Selection,
    options: TransferOptions,
) -> Job:
    destination = transfer.open_destination(state.catalog, to, src)
    selection = selection._replace(since=transfer.not_newer(src.bck, to))
    dst = destination.bucket.bck
    return state.jobs.start(
        kind,
        lambda job: _Transform(job, state, room, chain, src, destination, selection, options).run(),
        lambda: destination.discard(state.catalog),
        chain.first.job_threads,
        what=options.describe("etl", src.bck, dst),
        names=len(selection.names),
        etls=chain.names,
        bck=dst if kind == "etl-bck" else src.bck,
        src=src.bck,
        dst=dst,
    )


class _Transform:
    """One job."""

    def __init__(
        self,
        job: Job,
        state: State,
        room: EtlRoom,
        chain: EtlChain,
        src: Bucket,
        destination: Destination,
        selection: Selection,
        options: TransferOptions,
    ) -> None:
        self._job = job
        self._store, self._nodes, self._jobs = state.store, state.nodes, state.jobs
        self._catalog = state.catalog
        self._room, self._chain, self._options = room, chain, options
        self._src, self._destination, self._selection = src, destination, selection
        last = chain.last.spec
        # Targets are one process: only what wants to be tried as on a cluster takes the way over HTTP.
        self._may_deliver = (
            last.direct_put
            and not options.dry_run
            and (last.command is not None or state.options.etl_direct_put)
        )
        # Then the ETL's processes read through the target what is begun here, and nothing else.
        self._is_limited = state.authn is not None
        self._results = Results(state.store, destination.bucket)
        self._failure: LocalError | None = None

    def run(self) -> None:
        job = self._job
        prefix = self._options.prefix
        found = self._selection.found(self._store, self._src)
        if prefix and self._selection.template != Template(prefix):
            found = (item for item in found if item.name.startswith(prefix))
        wanted = self._options.workers
        most = {0: _AUTO_WORKERS, -1: 1}.get(wanted, wanted) * len(job.targets)
        with transfer.filling(self._catalog, self._destination):
            try:
                if self._chain.first.spec.communication == WS or self._options.latest:
                    self._jobs.each(job, (name for name, _ in found), self._one, most)
                else:
                    job.workers = most = min(most, MAX_THREADS)
                    Abreast(self._jobs, job, self._room.exchange, self._chain.first, self, most).run(found)
            finally:
                self._results.flush()
            self._go_on()

    def _go_on(self) -> None:
        """Raise what made storing a result fail, unless the job is to go on after failures."""
        if self._failure is not None and not self._options.keep_going:
            raise self._failure

    # ---- many under way

    def begin(self, item: Found) -> _Flight | None:
        """Plan what becomes of an object."""
        self._go_on()
        name, meta = item
        try:
            plan = self._plan(name)
            store = self._store
            reader = store.locate(self._src, name) if meta is None else ObjectFile(meta, store.path(meta))
            call = self._call(reader, plan)
        except LocalError as err:
            self._fail(name, err)
            return None
        self._expect(plan)
        return _Flight(call, plan)

    def store(self, flight: _Flight, result: Result) -> None:
        """Store a result."""
        try:
            self._take(result, flight.plan)
        except LocalError as err:
            self._fail(flight.plan.name, err)
        finally:
            self._forget(flight.plan)

    def insist(self, flight: _Flight, asked: Answer | OSError) -> None:
        """Take a result that is long, or ask again, or note the failure."""
        try:
            self._send(flight.plan, flight.call, asked, flight.deadline)
        except LocalError as err:
            self._fail(flight.plan.name, err)
        finally:
            self._forget(flight.plan)

    def drop(self, flight: _Flight) -> None:
        """Wait no longer for a result."""
        self._forget(flight.plan)

    # ---- one in each thread

    def _one(self, name: str) -> None:
        self._go_on()
        try:
            plan = self._plan(name)
            with self._source(name) as reader:
                call = self._call(reader, plan)
                self._expect(plan)
                try:
                    self._send(plan, call)
                finally:
                    self._forget(plan)
        except LocalError as err:
            self._fail(name, err)

    def _source(self, name: str) -> contextlib.AbstractContextManager[ObjectFile]:
        """The object; open if its bytes are to be sent."""
        if self._options.latest:
            return self._store.open(self._src, name)
        return contextlib.nullcontext(self._store.locate(self._src, name))

    # ---- each object

    def _fail(self, name: str, err: LocalError) -> None:
        """Note that an object failed; raise the error unless the job is to go on."""
        if not isinstance(err, NotFound):
            self._job.check()
            self._note(name, err.message, err.status)
        elif self._selection.is_list:
            self._note(name, "object not found", 404)
            err = LocalError(err.message, status=404)
        else:
            return
        if not self._options.keep_going:
            raise err

    def _note(self, name: str, message: str, status: int) -> None:
        self._job.failed(message, full_name=f"{self._src.bck}/{name}", code=status)

    def _plan(self, name: str) -> _Plan:
        to_name = self._options.rename(name)
        uname, to_uname = self._src.bck.uname(name), self._destination.bucket.bck.uname(to_name)
        source, owner = self._nodes.place(uname), self._nodes.place(to_uname)
        key = (self._job.id, to_uname)
        target = self._nodes.targets[source].id
        pipeline = [etl.pods[target].stage_url for etl in self._chain.rest if target in etl.pods]
        delivers = self._may_deliver and owner != source
        if delivers:
            url = f"{self._nodes.targets[owner].url}/{escape_element(key[1])}"
            pipeline.append(f"{url}?owt={_OWT}&uuid={self._job.id}")
        return _Plan(name, uname, source, owner, ",".join(pipeline), delivers, key, to_name)

    def _expect(self, plan: _Plan) -> None:
        if self._is_limited:
            self._chain.first.begin_reading(plan.uname)
        if plan.delivers:
            self._room.deliveries.expect(plan.key)

    def _forget(self, plan: _Plan) -> None:
        if self._is_limited:
            self._chain.first.end_reading(plan.uname)
        if plan.delivers:
            self._room.deliveries.forget(plan.key)

    def _call(self, reader: ObjectFile, plan: _Plan) -> TransformCall:
        etl = self._chain.first
        pod = etl.pods.get(self._nodes.targets[plan.source].id)
        if pod is None:
            raise EtlError(f"ETL {etl.name} was stopped")
        by_path = not self._options.latest
        return TransformCall(etl, pod, reader, plan.uname, self._src.bck.name, "", plan.pipeline, by_path)

    def _send(
        self,
        plan: _Plan,
        call: TransformCall,
        asked: Answer | OSError | None = None,
        deadline: float = 0.0,
    ) -> None:
        for attempt in range(_CHANGED_TRIES):
            try:
                self._take(self._room.exchange.transform(call, asked, deadline), plan)
                return
            except EtlError as err:
                if err.status != 404 or attempt + 1 == _CHANGED_TRIES or not self._was_replaced(call):
                    raise
            call, asked, deadline = self._call(self._store.locate(self._src, plan.name), plan), None, 0.0

    def _was_replaced(self, call: TransformCall) -> bool:
        """Whether the object got other bytes, so that the file named to the ETL may be gone."""
        return call.by_path and self._store.head(self._src, call.name).file != call.reader.meta.file

    def _take(self, result: Result, plan: _Plan) -> None:
        """Store what came back. A server that says it delivered must have done so."""
        report = partial(self._report, plan)
        if result.status == 204:
            for _ in result.pieces:
                pass
            delivered = self._room.deliveries.take(plan.key) if plan.delivers else None
            if delivered is not None:
                self._results.add(delivered, partial(report, delivered.size))
                return
            name = self._chain.first.name
            if plan.delivers or self._chain.first.spec.communication == WS:
                raise EtlError(f"ETL error: {name} says that it delivered the result, but none arrived")
            # There was nowhere to deliver to: the result is empty.
        if self._options.dry_run:
            report(sum(len(piece) for piece in result.pieces), None)
            return
        writer = self._store.writer(self._destination.bucket, plan.to_name)
        try:
            for piece in result.pieces:
                writer.write(piece)
            if result.length not in {None, writer.size}:
                raise EtlError(f"ETL error: the answer has {writer.size} bytes instead of {result.length}")
        except BaseException:
            writer.abort()
            raise
        self._results.add(writer, partial(report, writer.size))

    def _report(self, plan: _Plan, size: int, failure: LocalError | None) -> None:
        if failure is None:
            self._job.moved(plan.source, plan.owner, size)
        else:
            self._failure = failure
            self._note(plan.name, failure.message, failure.status)
