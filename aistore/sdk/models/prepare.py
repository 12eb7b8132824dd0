"""The first use of a type by `msgspec`, which only one thread may make.

`msgspec` looks at a type when it first decodes it, and hands out what it has while it still looks: a second
thread then reads fields that are not there, and the process dies. Once it has looked, any thread may decode.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_lock = threading.RLock()
_prepared: set[Any] = set()


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
