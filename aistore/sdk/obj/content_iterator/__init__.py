"""Where an object's bytes come from: one stream, or ranges read in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.sdk.obj.content_iterator.base import BaseContentIterProvider, StreamBounds
    from aistore.sdk.obj.content_iterator.buffer import ParallelBuffer
    from aistore.sdk.obj.content_iterator.parallel import ParallelContentIterProvider
    from aistore.sdk.obj.content_iterator.sequential import ContentIterProvider

__all__ = [
    "BaseContentIterProvider",
    "ContentIterProvider",
    "ParallelBuffer",
    "ParallelContentIterProvider",
    "StreamBounds",
]

_MODULES = {
    "BaseContentIterProvider": "base",
    "ContentIterProvider": "sequential",
    "ParallelBuffer": "buffer",
    "ParallelContentIterProvider": "parallel",
    "StreamBounds": "base",
}

__getattr__ = lazy_exports(__name__, _MODULES)
