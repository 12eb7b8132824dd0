"""The first use of a type by `msgspec`, which only one thread may make.

`msgspec` looks at a type when it first decodes it, and hands out what it has while it still looks: a second
thread then reads fields that are not there, and the process dies. Once it has looked, any thread may decode.
"""

from __future__ import annotations

import os
import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_lock = threading.RLock()
_prepared: set[Any] = set()

# A child must not begin with a type that another thread was still looking at, nor with its lock.
if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(before=_lock.acquire, after_in_child=_lock.release, after_in_parent=_lock.release)


def prepared(cls: type[T]) -> type[T]:
    """Return a type that any thread may decode from now on.

    Args:
        cls: A type that `msgspec` decodes; types that it has in it are looked at with it.
    """
    if cls not in _prepared:
        with _lock:
            if cls not in _prepared:
                msgspec.json.Decoder(cls)
                _prepared.add(cls)
    return cls
