"""The journal: what the catalog holds about buckets and objects, once more, as lines of JSON.

It is there for one purpose: when the catalog's file is lost or broken, `fsck --repair` makes it again from
the journal and the content files. Nothing else reads it. A line is appended when a transaction has been
committed: the journal may lack the very last change before a crash, and never has one that did not happen.

    <root>/journal/<number>.log     changes, in their order; each start begins another
    <root>/journal/<number>.base    everything there was when <number>.log began

Names are bytes, written as Latin-1 text.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = tuple[Any, ...]
"""`("object", bucket, name, row...)`, `("gone", bucket, name)`, `("dropped", bucket)`, `("meta", key, value)`
or `("bucket", id, provider, namespace, name, props)`."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_MIN_LOG = 16 << 20


class Journal:
    """The journal of a running server.

    Args:
        folder (Path): Where its files are; created if absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._fd = -1
        self._open_next()

    def _open_next(self) -> int:
        number = max(_numbers(self._folder, ".log"), default=0) + 1
        fd = os.open(self._folder / f"{number:06}.log", _FLAGS, 0o600)
        self._fd, old = fd, self._fd
        if old >= 0:
            os.close(old)
        return number

    def append(self, records: Iterable[Record]) -> None:
        """Add changes; the caller has committed them and lets nobody else commit meanwhile."""
        data = b"".join([msgspec.json.encode(record) + b"\n" for record in records])
        # The catalog is what counts: a full disk here must not fail what is done there.
        with contextlib.suppress(OSError):
            os.write(self._fd, data)

    def wants_base(self) -> bool:
        """Whether the logs have grown far beyond the last base, or there is none (a folder of before)."""
        logs = sum(_size(self._folder / f"{n:06}.log") for n in _numbers(self._folder, ".log"))
        bases = _numbers(self._folder, ".base")
        return not bases or logs > max(_MIN_LOG, 4 * _size(self._folder / f"{max(bases):06}.base"))

    def rotate(self) -> int:
        """Begin another log and return its number; the caller lets nobody commit meanwhile."""
        return self._open_next()

    def write_base(self, number: int, records: Iterable[Record]) -> None:
        """Keep everything there is, read after log `number` began, and forget what came before."""
        draft = self._folder / f"{number:06}.draft"
        with draft.open("wb") as out:
            for record in records:
                out.write(msgspec.json.encode(record) + b"\n")
        draft.rename(draft.with_suffix(".base"))
        for suffix in (".log", ".base", ".draft"):
            for older in _numbers(self._folder, suffix):
                if older < number:
                    (self._folder / f"{older:06}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the current log."""
        os.close(self._fd)


def replay(folder: Path) -> Iterator[Record]:
    """Everything in a journal, in its order; what is torn or no record is left out."""
    bases = _numbers(folder, ".base")
    first = max(bases, default=0)
    files = [folder / f"{first:06}.base"] if bases else []
    files += [folder / f"{n:06}.log" for n in sorted(_numbers(folder, ".log")) if n >= first]
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                    record = msgspec.json.decode(line)
                    if isinstance(record, list) and record:
                        yield tuple(record)


def _numbers(folder: Path, suffix: str) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(p.stem) for p in folder.iterdir() if p.suffix == suffix and p.stem.isdigit()]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
