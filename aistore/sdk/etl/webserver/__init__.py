"""Web servers that turn a `transform` method into an ETL: what runs inside the pod or the local process."""

from __future__ import annotations

from aistore.sdk.etl.webserver.utils import serialize_class

__all__ = ["serialize_class"]
