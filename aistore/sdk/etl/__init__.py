"""ETLs: transformations of objects that run next to the data."""

from __future__ import annotations

from aistore.sdk.etl.class_payload import serialize_class
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.lazy import lazy_modules

__all__ = ["ETLConfig", "serialize_class"]

__getattr__ = lazy_modules(__name__)
