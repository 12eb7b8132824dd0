"""One run: the input shards are looked through, their records sorted, and the output shards written.

Output shards are written to content files that nothing names, and published all together at the end: a run
that fails or is aborted leaves nothing, and one whose results replace its inputs reads them whole.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

from aistore.local.archives import new_archive, open_archive
from aistore.local.batch.produce import PIECE, Joined
from aistore.local.dsort.index import MemberRef, RecordIndex
from aistore.local.dsort.key_map import read_key_map
from aistore.local.dsort.keys import MAX_CONTENT_KEY, Grouper, KeyMaker, content_key
from aistore.local.dsort.payload import Sources
from aistore.local.dsort.plan import FillPlan, MappedPlan
from aistore.local.dsort.spec import count_names
from aistore.local.errors import InvalidRequest, NotFound, OutOfSpace
from aistore.local.jobs.selection import Selection
from aistore.local.names import check_object_name
from aistore.local.store import ContentWriter, unchanged
from aistore.local.store.spool import Reservation, Spool
from aistore.wire.archive.formats import by_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.dsort.index import Totals
    from aistore.local.dsort.metrics import Metrics
    from aistore.local.dsort.spec import SortSpec
    from aistore.local.jobs import Job
    from aistore.local.state import State
    from aistore.local.store import ObjectReader

_AUTO_WORKERS = 2
# A check costs a lock; looking through a tar takes microseconds a member.
_CHECK_EVERY = 256


class Sorter:
    """A run.

    Args:
        state (State): The cluster.
        job (Job): The job that it is.
        spec (SortSpec): What to do.
        metrics (Metrics): Told how far it is.
        folder (Path): For what doesn't fit into memory; exists, and is the caller's to remove.
    """

    def __init__(self, state: State, job: Job, spec: SortSpec, metrics: Metrics, folder: Path) -> None:
        self._state = state
        self._job = job
        self._spec = spec
        self._metrics = metrics
        self._index = RecordIndex(
            folder / "records.sqlite",
            spec.memory // 2,
            lambda: job.is_aborting,
            Reservation(state.store),
        )
        self._payload = Spool(state.store, spec.memory // 2)
        self._files: list[tuple[str, str]] = []
        self._read: dict[tuple[int, str], ObjectMeta] = {}

    def run(self, output: Bucket | None, hosts: Collection[str]) -> None:
        """Do everything.

        Args:
            output (Bucket | None): Where the results go; None for a dry run.
            hosts: `host:port` that this cluster is known by, for the key map's URL.

        Raises:
            LocalError: It can't be done.
            Aborted: The job was aborted.
        """
        try:
            totals = self._extract()
            names = self._sort(totals, hosts)
            self._create(output, names)
        except sqlite3.OperationalError as err:
            # The index breaks off its work when the job is aborted.
            self._job.check()
            if "full" in str(err):
                raise OutOfSpace(f"out of space: {err}") from err
            raise
        finally:
            self._payload.close()
            self._index.close()

    # ---- looking through the input

    def _extract(self) -> Totals:
        metrics = self._metrics
        metrics.extraction.begin()
        bucket = self._state.catalog.buckets.get(self._spec.input_bck)
        keys = KeyMaker(self._spec.algorithm)
        next_record = 0
        metrics.set_total(self._count_inputs())
        for name in self._input_names(bucket):
            self._job.check()
            try:
                reader = self._state.store.open(bucket, name)
            except NotFound:
                self._react(self._spec.reactions.missing_shards, f"shard {bucket.bck}/{name} is missing")
                continue
            with reader, self._index.writing():
                next_record = self._extract_shard(bucket, reader, keys, next_record)
        totals = self._index.finish()
        if self._spec.reactions.duplicated_records != "ignore":
            path = self._index.find_duplicate()
            if path is not None:
                self._react(self._spec.reactions.duplicated_records, f"{path} is in the input more than once")
        metrics.extraction.end()
        return totals

    def _count_inputs(self) -> int:
        template = self._spec.input_template
        return len(self._spec.input_names) if template is None else count_names(template) or 0

    def _input_names(self, bucket: Bucket) -> Iterable[str]:
        spec = self._spec
        if spec.input_template is None:
            return spec.input_names
        if spec.input_template.is_unbounded:
            return Selection((), spec.input_template).objects(self._state.store, bucket)
        return spec.input_template.names()

    def _react(self, reaction: str, message: str) -> None:
        if reaction == "abort":
            raise InvalidRequest(message)
        if reaction == "warn":
            self._metrics.warn(message)

    def _extract_shard(self, bucket: Bucket, reader: ObjectReader, keys: KeyMaker, first: int) -> int:
        """Add the records of a shard to the index; returns the number of the next record."""
        grouper = Grouper(first)
        source = len(self._files)
        self._files.append((f"{bucket.bck}/{reader.meta.name}", reader.path))
        self._read[bucket.id, reader.meta.name] = reader.meta
        place = self._state.store.place(bucket.bck, reader.meta.name)
        files = size = copied = copied_size = 0
        archive = open_archive(reader, by_name(reader.meta.name))
        for member, pieces in archive.files():
            if not files % _CHECK_EVERY:
                self._job.check()
            content: Iterable[bytes] = self._checked(pieces)
            head = grouper.add(member.name, member.size)
            if keys.is_content(member.name):
                data = self._read_key(member.name, member.size, content)
                head.content = content_key(data, self._spec.algorithm.key_type, member.name)
                content = (data,)
            ref = MemberRef(member.name, member.size, member.mtime, source, member.offset)
            if member.offset < 0:
                ref = ref._replace(source=-1, offset=self._payload.size)
                for piece in content:
                    self._payload.write(piece)
                copied += 1
                copied_size += member.size
            elif member.offset + member.size > reader.meta.size:
                raise InvalidRequest(f"{bucket.bck}/{reader.meta.name}: {member.name} is cut off")
            self._index.add_member(head.id, ref)
            files += 1
            size += member.size
        self._index.add_records((head, keys.key(head)) for head in grouper.heads.values())
        self._metrics.add(place, extracted_count=1, extracted_size=size, extracted_record_count=files)
        if self._payload.is_on_disk:
            self._metrics.add(place, extracted_to_disk_count=copied, extracted_to_disk_size=copied_size)
        self._job.moved(place, place, size)
        return first + len(grouper.heads)

    def _checked(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._job.check()
            yield piece

    @staticmethod
    def _read_key(path: str, size: int, pieces: Iterable[bytes]) -> bytes:
        if size > MAX_CONTENT_KEY:
            raise InvalidRequest(f"{path} is too long to be a key: {size} > {MAX_CONTENT_KEY} bytes")
        return b"".join(pieces)

    # ---- sorting

    def _sort(self, totals: Totals, hosts: Collection[str]) -> list[str]:
        """Decide where each record goes; returns the names of the output shards."""
        spec = self._spec
        self._metrics.sorting.begin()
        plan: FillPlan | MappedPlan
        decreasing = spec.algorithm.decreasing and spec.algorithm.kind not in {"none", "shuffle"}
        if spec.output_template is None:
            with contextlib.closing(read_key_map(self._state, spec, hosts, self._metrics.warn)) as key_map:
                plan = MappedPlan(key_map, spec.output_extension, spec.shard_size)
                self._index.place(plan.place, decreasing=decreasing)
        else:
            size = spec.shard_size
            if not size:
                # Rounded up, so that the names suffice.
                size = max(1, -(-totals.size // (count_names(spec.output_template) or 1)))
            plan = FillPlan(spec.output_template, spec.output_extension, size)
            self._index.place(plan.place, decreasing=decreasing)
        for name in plan.names:
            check_object_name(name)
            self._metrics.add(self._owner(name), to_create=1)
        self._metrics.sorting.end()
        return plan.names

    def _owner(self, name: str) -> int:
        return self._state.store.place(self._spec.output_bck, name)

    # ---- writing the output

    def _create(self, output: Bucket | None, names: list[str]) -> None:
        self._metrics.creation.begin()
        if output is None:
            for name in names:
                self._metrics.add(self._owner(name), created_count=1)
        else:
            self._write_all(output, names)
        self._metrics.creation.end()

    def _write_all(self, output: Bucket, names: list[str]) -> None:
        written: dict[int, ContentWriter] = {}
        lock = threading.Lock()

        def write(number: int) -> None:
            writer = ContentWriter(
                self._state.store, names[number], self._owner(names[number]), output.checksum_type
            )
            try:
                self._write(writer, number)
            except BaseException:
                writer.abort()
                raise
            with lock:
                written[number] = writer
            self._metrics.add(self._owner(names[number]), created_count=1)

        try:
            workers = self._spec.workers or _AUTO_WORKERS
            self._state.jobs.each(self._job, range(len(names)), write, workers)
            self._job.check()
            # One transaction: all of the output is there, or none of it.
            with self._state.catalog.db.write():
                for number, name in enumerate(names):
                    self._publish(output, name, written[number])
            for writer in written.values():
                writer.keep()
        finally:
            for writer in written.values():
                writer.abort()

    def _write(self, writer: ContentWriter, number: int) -> None:
        joined = Joined()
        archive = new_archive(self._spec.output_kind, joined.write)
        sources = Sources(self._files)
        try:
            for ref in self._index.members(number):
                if ref.source < 0:
                    pieces = self._payload.read(ref.offset, ref.size)
                else:
                    pieces = sources.read(ref.source, ref.offset, ref.size)
                for _ in archive.adding(ref.name, ref.size, self._checked(pieces), mtime=ref.mtime):
                    if joined.size >= PIECE:
                        writer.write(joined.take())
        finally:
            sources.close()
        archive.close()
        writer.write(joined.take())
        writer.finish()

    def _publish(self, output: Bucket, name: str, writer: ContentWriter) -> None:
        kind = output.checksum_type
        cksum = (kind, writer.digest(kind))
        # In place of an input: what was written there since must not be lost.
        before = self._read.get((output.id, name))
        condition = unchanged(output, name, before) if before is not None else None
        self._state.store.publish(
            output, name, file=writer.file, size=writer.size, cksum=cksum, only_if=condition
        )
