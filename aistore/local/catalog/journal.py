"""The journal: the buckets and objects of the catalog a second time, as lines of JSON.

It has one purpose: when the catalog's file is lost or broken, `fsck --rebuild` makes it again from the
journal and the content files. A line is appended when a transaction has been committed: the journal may lack
the very last change before a crash, and never has one that did not happen.

    <root>/journal/<number>.log     changes, in their order; each start begins another
    <root>/journal/<number>.base    everything that existed when <number>.log began

A `mark` is a number that the catalog has on the device before the journal has it. A catalog whose mark is
less is a copy of before, or another one. Names are bytes, written as Latin-1 text.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aistore.local.data_folder import DataFolder

Record = tuple[Any, ...]
"""`("object", bucket, name, row...)`, `("gone", bucket, name)`, `("dropped", bucket)`,
`("bucket", id, provider, namespace, name, props)`, `("meta", key, value)`, `("mark", folder, number)`, and in
a base `("trash", file)`."""

FOLDER = "journal"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_MIN_LOG = 16 << 20
_BLOCK = 64 << 10
_MARK = b'["mark",'


class Mark(NamedTuple):
    """Which folder a journal or a catalog belongs to, and how far it has come."""

    folder: str
    number: int


def encode(records: Iterable[Record]) -> bytes:
    """Records as lines."""
    return b"".join([msgspec.json.encode(record) + b"\n" for record in records])


class Journal:
    """The journal of a running server.

    Args:
        root (DataFolder): The data folder.
        mark (Mark): Of the catalog, which is on the device.
    """

    def __init__(self, root: DataFolder, mark: Mark) -> None:
        self._root = root
        self._folder = root.path / FOLDER
        with contextlib.suppress(FileExistsError):
            os.mkdir(FOLDER, 0o700, dir_fd=root.fd)
        self._fd = -1
        self._is_torn = False
        self._mark = mark
        self._open_next()

    def _open_next(self) -> int:
        number = max(numbers(self._folder, ".log"), default=0) + 1
        fd = os.open(f"{FOLDER}/{number:06}.log", _FLAGS, 0o600, dir_fd=self._root.fd)
        self._fd, old = fd, self._fd
        self._is_torn = False
        if old >= 0:
            os.close(old)
        self.append(encode([("mark", *self._mark)]))
        return number

    def append(self, lines: bytes) -> None:
        """Add changes; the caller has committed them and lets no other thread commit meanwhile.

        The catalog is what counts: a full disk here must not fail what is done there. What is missing here
        then comes with the next base.
        """
        if self._is_torn:
            lines = b"\n" + lines
        try:
            self._is_torn = os.write(self._fd, lines) != len(lines) or self._is_torn
        except OSError:
            self._is_torn = True

    def mark(self, mark: Mark) -> None:
        """Note how far the catalog on the device has come; the caller lets no other thread commit."""
        self._mark = mark
        self.append(encode([("mark", *mark)]))

    def wants_base(self) -> bool:
        """Whether the logs have grown far beyond the last base, lack changes, or there is no base."""
        logs = sum(_size(self._folder / f"{n:06}.log") for n in numbers(self._folder, ".log"))
        bases = numbers(self._folder, ".base")
        if not bases or self._is_torn:
            return True
        return logs > max(_MIN_LOG, 4 * _size(self._folder / f"{max(bases):06}.base"))

    def rotate(self) -> int:
        """Begin another log and return its number; the caller lets no other thread commit meanwhile."""
        return self._open_next()

    def write_base(self, number: int, records: Iterable[Record]) -> None:
        """Keep everything there is, read after log `number` began, and forget what came before."""
        draft = f"{FOLDER}/{number:06}.draft"
        fd = os.open(draft, _FLAGS | os.O_TRUNC, 0o600, dir_fd=self._root.fd)
        with open(fd, "wb") as out:
            out.write(encode([("mark", *self._mark)]))
            out.writelines(encode([record]) for record in records)
            out.flush()
            os.fsync(out.fileno())
        self._root.check()
        os.rename(draft, f"{FOLDER}/{number:06}.base", src_dir_fd=self._root.fd, dst_dir_fd=self._root.fd)
        for suffix in (".log", ".base", ".draft"):
            for older in numbers(self._folder, suffix):
                if older < number:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(f"{FOLDER}/{older:06}{suffix}", dir_fd=self._root.fd)

    def close(self) -> None:
        """Close the current log."""
        os.close(self._fd)


class Replay:
    """Everything in a journal, in its order.

    Attributes:
        faults: What is missing or can't be read: lines that are no records, logs that are not there. The last
            line of a log may be torn by a crash and is none.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self.faults: list[str] = []

    def __iter__(self) -> Iterator[Record]:
        bases = numbers(self._folder, ".base")
        first = max(bases, default=1)
        logs = [number for number in sorted(numbers(self._folder, ".log")) if number >= first]
        missing = sorted(set(range(first, max(logs, default=first) + 1)) - set(logs))
        self.faults += [f"journal/{number:06}.log is missing" for number in missing]
        if bases:
            yield from self._records(self._folder / f"{first:06}.base")
        for number in logs:
            yield from self._records(self._folder / f"{number:06}.log")

    def _records(self, file: Path) -> Iterator[Record]:
        bad = 0
        with file.open("rb") as lines:
            for line in lines:
                record = _decode(line)
                if record is not None:
                    yield record
                elif line.endswith(b"\n") and line != b"\n":
                    bad += 1
        if bad:
            self.faults.append(f"{bad} lines of journal/{file.name} can't be read")


def _decode(line: bytes) -> Record | None:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        record = msgspec.json.decode(line)
        if isinstance(record, list) and record and isinstance(record[0], str):
            return tuple(record)
    return None


def last_mark(root: Path) -> Mark | None:
    """The newest mark of a journal, without reading all of it; None where there is none."""
    folder = root / FOLDER
    files = [folder / f"{number:06}.log" for number in sorted(numbers(folder, ".log"), reverse=True)]
    files += [folder / f"{number:06}.base" for number in sorted(numbers(folder, ".base"), reverse=True)]
    return next(filter(None, map(_last_mark_of, files)), None)


def _last_mark_of(file: Path) -> Mark | None:
    with file.open("rb") as source:
        end = source.seek(0, os.SEEK_END)
        tail = b""
        while end:
            start = max(0, end - _BLOCK)
            source.seek(start)
            tail, end = source.read(end - start) + tail, start
            lines = tail.split(b"\n")
            # The first piece may be the end of a line, the last one is torn or empty.
            for line in reversed(lines[1 if start else 0 : -1]):
                record = _decode(line) if line.startswith(_MARK) else None
                if record is not None and len(record) == 3 and isinstance(record[2], int):
                    return Mark(str(record[1]), record[2])
            tail = lines[0] + b"\n" if start else b""
    return None


def has_records(root: Path) -> bool:
    """Whether there is a journal with anything in it."""
    folder = root / FOLDER
    return any(
        _size(folder / f"{n:06}{suffix}") for suffix in (".log", ".base") for n in numbers(folder, suffix)
    )


def numbers(folder: Path, suffix: str) -> list[int]:
    """Numbers of the journal's files of one kind."""
    if not folder.is_dir():
        return []
    return [int(p.stem) for p in folder.iterdir() if p.suffix == suffix and p.stem.isdigit()]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
