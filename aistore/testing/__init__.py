"""Help for tests of programs that use AIStore: pytest fixtures, and ETL classes tried without a cluster.

The fixtures are a plugin that pytest finds by itself (`aistore.testing.plugin`); nothing starts before a test
asks for it. Nothing is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.trial import serve_locally, transform_over_http, try_transform
    from aistore.testing.cluster import AnyCluster, RemoteCluster

__all__ = ["AnyCluster", "RemoteCluster", "serve_locally", "transform_over_http", "try_transform"]

_MODULES = {
    "AnyCluster": "aistore.testing.cluster",
    "RemoteCluster": "aistore.testing.cluster",
    "serve_locally": "aistore.sdk.etl.webserver.trial",
    "transform_over_http": "aistore.sdk.etl.webserver.trial",
    "try_transform": "aistore.sdk.etl.webserver.trial",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
