"""Changes of a store, each killed at every point where something reaches the disk.

As a program, `kill_points.py FOLDER STEP`: runs the changes in `FOLDER/<number>` once for every STEP-th
point, in a process that kills itself there, and prints a line for each: the number, the changes that were
acknowledged, and whether the process was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aistore.local import bucket_props
from aistore.local.catalog import Bucket, Catalog, Completion, Part, database
from aistore.local.names import Bck
from aistore.local.store import ContentWriter, Store
from aistore.local.store.assembly import assemble
from aistore.local.store.janitor import Janitor
from aistore.local.store.publishing import publish_all

Content = dict[str, bytes]
"""Bytes by `bucket/name`."""


class Change(NamedTuple):
    """A change of a store, and what it makes of the content."""

    make: Callable[[Store], object]
    model: Callable[[Content], object] = lambda content: content


def open_store(root: Path) -> Store:
    """Open a folder, which is made if it does not exist."""
    root.mkdir(exist_ok=True)
    return Store(root, Catalog(root / "catalog.sqlite"), quota=1 << 30)


def bucket_of(store: Store, name: str = "b") -> Bucket:
    return store.catalog.buckets.get(Bck(name))


def _create(name: str) -> Change:
    return Change(lambda store: store.catalog.buckets.create(Bck(name), bucket_props.new_props("ais")))


def _put(name: str, data: bytes, bucket: str = "b") -> Change:
    return Change(
        lambda store: store.put(bucket_of(store, bucket), name, data),
        lambda content: content.update({f"{bucket}/{name}": data}),
    )


def _upload(number: int, name: str, *, again: bool = False) -> list[Change]:
    upload = f"upload-{name}"

    def create(store: Store) -> None:
        if not again:
            store.catalog.uploads.create(upload, bucket_of(store), name)

    def part(store: Store) -> None:
        bucket = bucket_of(store)
        writer = ContentWriter(store, name, 0, bucket.checksum_type)
        writer.write(b"part %d" % number + b" again" * again)
        kind = bucket.checksum_type
        done = Part(number, writer.finish(), writer.size, kind, writer.digest(kind))
        assert store.catalog.uploads.put_part(upload, done)
        writer.keep()

    return [Change(create), Change(part)]


def _complete(name: str, data: bytes) -> Change:
    def complete(store: Store) -> None:
        parts = store.catalog.uploads.parts(f"upload-{name}")
        assemble(store, bucket_of(store), name, Completion(f"upload-{name}", parts, only_these=True))

    return Change(complete, lambda content: content.update({f"b/{name}": data}))


def _rewrite(store: Store) -> None:
    store.rewrite(
        bucket_of(store),
        "a",
        lambda reader, writer: writer.write((reader.read_all() if reader else b"") + b" and more"),
    )


def _publish_all(store: Store) -> None:
    writers = [store.writer(bucket_of(store), name) for name in ("a", "job")]
    for writer in writers:
        writer.write(b"of a job")
        writer.finish()
    publish_all(store, bucket_of(store), writers)
    for writer in writers:
        writer.keep()


def _tidy(store: Store) -> None:
    """Do what the background does."""
    while store._janitor.remove_some():
        pass
    store.catalog.checkpoint()


def _without(prefix: str) -> Callable[[Content], object]:
    def model(content: Content) -> None:
        for name in [name for name in content if name.startswith(prefix)]:
            del content[name]

    return model


CHANGES: list[Change] = [
    _create("b"),
    _put("a", b"first"),
    _put("a", b"second"),
    _put("b", b"other"),
    Change(
        lambda store: store.copy(bucket_of(store), "a", bucket_of(store), "c"),
        lambda content: content.update({"b/c": content["b/a"]}),
    ),
    Change(
        lambda store: store.rename(bucket_of(store), "b", "d"),
        lambda content: content.update({"b/d": content.pop("b/b")}),
    ),
    Change(lambda store: store.delete(bucket_of(store), "c"), _without("b/c")),
    Change(lambda store: store.update(bucket_of(store), "a", custom={"k": "v"})),
    *_upload(1, "single"),
    *_upload(1, "single", again=True),
    _complete("single", b"part 1 again"),
    *_upload(2, "many"),
    *_upload(1, "many", again=True),
    _complete("many", b"part 1 againpart 2"),
    *_upload(1, "open"),
    Change(_rewrite, lambda content: content.update({"b/a": content["b/a"] + b" and more"})),
    Change(_tidy),
    Change(_publish_all, lambda content: content.update({"b/a": b"of a job", "b/job": b"of a job"})),
    _create("gone"),
    _put("x", b"in a bucket that is removed", "gone"),
    Change(lambda store: store.catalog.buckets.drop(Bck("gone")), _without("gone/")),
    Change(lambda store: store.catalog.begin_journal()),
    _put("last", b"last"),
    Change(_tidy),
]


def contents() -> list[Content]:
    """The content after none of the changes, after the first, and so on."""
    found: list[Content] = [{}]
    for change in CHANGES:
        content = dict(found[-1])
        change.model(content)
        found.append(content)
    return found


def read(store: Store) -> Content:
    """The content that a store has."""
    found = {}
    for bucket in store.catalog.buckets.all():
        for meta in store.walk(bucket):
            with store.open(bucket, meta.name) as reader:
                found[f"{bucket.bck.name}/{meta.name}"] = reader.read_all()
    return found


class _Points:
    """Counts the points where something reaches the disk, and kills the process at one of them."""

    def __init__(self, killed_at: int) -> None:
        self.killed_at = killed_at
        self.count = 0

    def reach(self) -> None:
        if self.count == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.reach()
            result = call(*args, **kwargs)
            self.reach()
            return result

        return counted

    def install(self) -> None:
        points = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                call = super().execute
                return (points.around(call) if sql == "COMMIT" else call)(sql, *args)

        connect = sqlite3.connect
        database.sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Connection, **kwargs)  # type: ignore[assignment, misc]
        for name in ("unlink", "rename", "link", "write", "open"):
            setattr(os, name, self.around(getattr(os, name)))


def _run(root: Path, killed_at: int, told: int) -> None:
    tell = os.write
    points = _Points(killed_at)
    Janitor._run = lambda _: None  # type: ignore[method-assign]
    store = open_store(root)
    points.install()
    for change in CHANGES:
        change.make(store)
        tell(told, b".")
    store.close()
    tell(told, b"%d" % points.count)


def _fork(root: Path, killed_at: int) -> tuple[int, bytes]:
    """Run in another process; returns its signal and what it acknowledged."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        try:
            _run(root, killed_at, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    with open(read_end, "rb") as source:
        told = source.read()
    return os.waitpid(child, 0)[1] & 0x7F, told


def main(folder: Path, step: int) -> None:
    """Run at every point."""
    _, told = _fork(folder / "whole", -1)
    total = int(told.lstrip(b"."))
    for number in range(0, total, step):
        killed, told = _fork(folder / str(number), number)
        line = {"number": number, "done": told.count(b"."), "killed": killed == signal.SIGKILL}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
