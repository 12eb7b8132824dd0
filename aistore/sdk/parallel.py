"""Calling a function for many things at once, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], num_workers: int = 8) -> Iterator[R]:
    """Yield `function(item)` for every item, in their order; up to `num_workers` calls run at a time.

    Items are taken as workers become free, and no result is more than `num_workers` ahead of its consumer.
    What a call raises is raised where its result would be; calls not begun by then never are.
    """
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="ais-map")
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(pending) < num_workers:
                pending.append(pool.submit(function, item))
                continue
            result = pending.popleft().result()
            # Begun before its consumer has this one: workers work while it does.
            pending.append(pool.submit(function, item))
            yield result
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
