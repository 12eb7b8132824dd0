"""Transforming a bucket, or a selection of its objects, into a bucket."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import LocalError, NotFound
from aistore.local.etl.exchange import EtlError, Result, TransformCall, escape_element
from aistore.local.etl.spec import WS
from aistore.local.jobs import transfer
from aistore.local.jobs.results import Results
from aistore.local.jobs.selection import Selection
from aistore.local.jobs.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aistore.local.catalog import Bucket
    from aistore.local.etl.instance import Etl
    from aistore.local.etl.room import EtlRoom
    from aistore.local.jobs import Job
    from aistore.local.jobs.transfer import Destination, TransferOptions
    from aistore.local.names import Bck
    from aistore.local.state import State
    from aistore.local.store import ObjectFile

_AUTO_WORKERS = 4
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


class _Sent(NamedTuple):
    """How an object was sent: the pipeline header, whether it ends at a target, its result, who is told."""

    pipeline: str
    delivers: bool
    key: tuple[str, str]
    to_name: str
    report: Callable[[int, LocalError | None], None]


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
    return _Transform(state, room, chain, src, to, selection, options).start("etl-bck")


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
    return _Transform(state, room, chain, src, to, selection, options).start("etl-listrange")


class _Transform:
    """One job."""

    def __init__(
        self,
        state: State,
        room: EtlRoom,
        chain: EtlChain,
        src: Bucket,
        to: Bck,
        selection: Selection,
        options: TransferOptions,
    ) -> None:
        self._store, self._nodes, self._jobs = state.store, state.nodes, state.jobs
        self._catalog = state.catalog
        self._room, self._chain, self._options = room, chain, options
        self._src = src
        self._destination: Destination = transfer.open_destination(state.catalog, to, src)
        self._selection = selection._replace(since=transfer.not_newer(src.bck, to))
        self._results = Results(state.store)
        self._failure: LocalError | None = None

    def start(self, kind: str) -> Job:
        src, dst = self._src.bck, self._destination.bucket.bck
        about = {"bck": dst if kind == "etl-bck" else src, "src": src, "dst": dst}
        what = self._options.describe("etl", src, dst)
        return self._jobs.start(kind, self._run, what=what, etls=self._chain.names, **about)

    def _run(self, job: Job) -> None:
        names = transfer.selected(self._selection.objects(self._store, self._src), self._options.prefix)
        wanted = self._options.workers
        each = {0: _AUTO_WORKERS, -1: 1}.get(wanted, wanted)
        with transfer.filling(self._catalog, self._destination):
            try:
                self._jobs.each(job, names, lambda name: self._one(job, name), each * len(job.targets))
            finally:
                self._results.flush()
            self._go_on()

    def _go_on(self) -> None:
        """Raise what made storing a result fail, unless the job is to go on after failures."""
        if self._failure is not None and not self._options.keep_going:
            raise self._failure

    def _one(self, job: Job, name: str) -> None:
        self._go_on()
        try:
            self._transform(job, name)
        except NotFound as err:
            if not self._selection.is_list:
                return
            self._failed(job, name, "object not found", 404)
            if not self._options.keep_going:
                raise LocalError(err.message, status=404) from err
        except LocalError as err:
            job.check()
            self._failed(job, name, err.message, err.status)
            if not self._options.keep_going:
                raise

    def _failed(self, job: Job, name: str, message: str, status: int) -> None:
        job.failed(message, full_name=f"{self._src.bck}/{name}", code=status)

    def _transform(self, job: Job, name: str) -> None:
        dst = self._destination.bucket
        to_name = self._options.rename(name)
        source, owner = self._store.place(self._src.bck, name), self._store.place(dst.bck, to_name)
        key = (job.id, dst.bck.uname(to_name))
        target = self._nodes.targets[source].id
        pipeline = [etl.pods[target].url for etl in self._chain.rest if target in etl.pods]
        delivers = owner != source and self._chain.last.spec.direct_put and not self._options.dry_run
        if delivers:
            url = f"{self._nodes.targets[owner].url}/{escape_element(key[1])}"
            pipeline.append(f"{url}?owt={_OWT}&uuid={job.id}")

        def report(size: int, failure: LocalError | None) -> None:
            if failure is None:
                job.moved(source, owner, size)
            else:
                self._failure = failure
                self._failed(job, name, failure.message, failure.status)

        self._room.deliveries.expect(key)
        try:
            self._send(name, target, _Sent(",".join(pipeline), delivers, key, to_name, report))
        finally:
            self._room.deliveries.forget(key)

    def _send(self, name: str, target: str, sent: _Sent) -> None:
        for attempt in range(_CHANGED_TRIES):
            with self._source(name) as reader:
                try:
                    self._take(self._room.exchange.transform(self._call(reader, target, sent)), sent)
                    return
                except EtlError as err:
                    if (
                        err.status != 404
                        or attempt + 1 == _CHANGED_TRIES
                        or not self._was_replaced(name, reader)
                    ):
                        raise

    def _source(self, name: str) -> contextlib.AbstractContextManager[ObjectFile]:
        """The object; open if its bytes are to be sent."""
        if self._options.latest:
            return self._store.open(self._src, name)
        return contextlib.nullcontext(self._store.locate(self._src, name))

    def _call(self, reader: ObjectFile, target: str, sent: _Sent) -> TransformCall:
        etl = self._chain.first
        pod = etl.pods.get(target)
        if pod is None:
            raise EtlError(f"ETL {etl.name} was stopped")
        bck = self._src.bck
        by_path = not self._options.latest
        return TransformCall(
            etl, pod, reader, bck.uname(reader.meta.name), bck.name, "", sent.pipeline, by_path
        )

    def _was_replaced(self, name: str, reader: ObjectFile) -> bool:
        """Whether the object got other bytes, so that the file named to the ETL may be gone."""
        return self._store.head(self._src, name).file != reader.meta.file

    def _take(self, result: Result, sent: _Sent) -> None:
        """Store what came back. A server that says it delivered must have done so."""
        if result.status == 204:
            for _ in result.pieces:
                pass
            delivered = self._room.deliveries.take(sent.key)
            if delivered is not None:
                self._results.add(delivered, partial(sent.report, delivered.size))
                return
            name = self._chain.first.name
            if sent.delivers or self._chain.first.spec.communication == WS:
                raise EtlError(f"ETL error: {name} says that it delivered the result, but none arrived")
            # There was nowhere to deliver to: the result is empty.
        if self._options.dry_run:
            sent.report(sum(len(piece) for piece in result.pieces), None)
            return
        writer = self._store.writer(self._destination.bucket, sent.to_name)
        try:
            for piece in result.pieces:
                writer.write(piece)
            if result.length not in {None, writer.size}:
                raise EtlError(f"ETL error: the answer has {writer.size} bytes instead of {result.length}")
        except BaseException:
            writer.abort()
            raise
        self._results.add(writer, partial(sent.report, writer.size))
