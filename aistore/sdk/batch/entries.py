"""Iterating over the entries of a batch, whichever way they come."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Protocol

from aistore.sdk.batch.types import MossOut

if TYPE_CHECKING:
    from typing_extensions import Self


class Exchange(Protocol):
    """Requests and their answers."""

    def close(self) -> None:
        """Give up the connections that answers come on."""


class BatchEntries(Iterator[tuple[MossOut, bytes]]):
    """Iterates over the entries of a batch. Closing or dropping it gives the connections up.

    Invariant: nothing that the exchange and the generator hold refers to this object, so that dropping it
    closes them at once.

    Args:
        exchange: What the entries come from.
        entries: Takes them from there.
    """

    def __init__(self, exchange: Exchange, entries: Generator[tuple[MossOut, bytes], None, None]) -> None:
        self._exchange = exchange
        self._entries = entries

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[MossOut, bytes]:
        return next(self._entries)

    def close(self) -> None:
        """Give the connections up; iteration ends."""
        self._entries.close()
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_entries"):
            self.close()
