"""Iterating over a listing, page by page."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from aistore.sdk.errors import ErrInvalidResponse
from aistore.sdk.parallel import WorkerPool
from aistore.sdk.types import BucketEntry, BucketList

if TYPE_CHECKING:
    from concurrent.futures import Future


class ObjectIterator:
    """Iterator over the entries of a listing, in the order of the pages.

    Args:
        list_objects: Returns the page for `uuid=` (id of the listing) and `token=` (where the page starts);
            both are empty for the first one.
        prefetch: Fetch the next page in a thread as soon as one has come. Default: `False`, fetch it when
            the last entry of a page has been used.

    Attributes:
        unreadable: Names of archives whose members could not be listed, or not all, on the pages so far.
        warns: Whether the end of the listing warns of such archives.

    Raises:
        ErrInvalidResponse: The listing doesn't advance: a page's token leads back to one that was read.
    """

    def __init__(self, list_objects: Callable[..., BucketList], prefetch: bool = False) -> None:
        self._list_objects = list_objects
        self._pool = WorkerPool(1, "ais-listing") if prefetch else None
        self._entries: Iterator[BucketEntry] = iter(())
        self._uuid = ""
        self._token = ""
        self._tokens: set[str] = set()  # as many as pages
        self._ended = False
        self._ahead: Future[BucketList] | None = None
        self.unreadable: list[str] = []
        self._unreadable_count = 0
        self.warns = True

    def __iter__(self) -> ObjectIterator:
        return self

    def __next__(self) -> BucketEntry:
        while True:
            for entry in self._entries:
                return entry
            # A page may be empty and yet have successors: only the token says when to stop.
            if self._ended:
                if self.warns:
                    self.warns = False
                    warn_unreadable(self.unreadable, self._unreadable_count, stacklevel=3)
                raise StopIteration
            self._advance()

    def _advance(self) -> None:
        page = self._ahead.result() if self._ahead else self._fetch()
        self._ahead = None
        token = page.continuation_token
        if token in self._tokens:
            raise ErrInvalidResponse(
                f"the listing does not advance: token {token!r} comes for the second time"
            )
        if token:
            self._tokens.add(token)
        self._uuid, self._token, self._ended = page.uuid, token, not token
        self._entries = iter(page.entries)
        if page.unreadable:
            self.unreadable += page.unreadable
            self._unreadable_count += page.unreadable_count
        if self._pool is not None and token:
            self._ahead = self._pool.submit(self._fetch)

    def _fetch(self) -> BucketList:
        return self._list_objects(uuid=self._uuid, token=self._token)


def warn_unreadable(names: list[str], count: int, stacklevel: int) -> None:
    """Warn of archives whose members could not be listed, or not all.

    Args:
        names: Names of the archives, or some of them.
        count: Number of all of them.
        stacklevel: As `warnings.warn` has it, from here.
    """
    if isinstance(names, list) and names:
        shown = ", ".join(map(repr, names[:5]))
        warnings.warn(
            f"members of {count} archives cannot be listed, or not all, as the archives are damaged or "
            f"encrypted: {shown}{', ...' if count > 5 else ''}",
            UserWarning,
            stacklevel=stacklevel,
        )
