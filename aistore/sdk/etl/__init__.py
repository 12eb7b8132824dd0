"""ETLs: transformations of objects that run next to the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.sdk.etl.class_payload import serialize_class
    from aistore.sdk.etl.etl_config import ETLConfig

__all__ = ["ETLConfig", "serialize_class"]

_MODULES = {
    "ETLConfig": "etl_config",
    "serialize_class": "class_payload",
}

__getattr__ = lazy_exports(__name__, _MODULES)
