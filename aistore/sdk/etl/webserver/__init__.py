"""Web servers that turn a `transform` method into an ETL: what runs inside the pod or the local process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.utils import serialize_class

__all__ = ["serialize_class"]

_MODULES = {
    "serialize_class": "utils",
}

__getattr__ = lazy_exports(__name__, _MODULES)
