"""Python SDK for AIStore, with an embedded ETL toolkit and a single-machine AIStore.

Importing this package imports nothing else: its names are loaded on first use.

(PYTEST_DONT_REWRITE: pytest, which finds fixtures here, need not warn where a program imported this before.)
"""

from __future__ import annotations

# The name that type checkers know: to import `typing` takes longer than all else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aistore.sdk.client import Client as Client
    from aistore.version import __version__ as __version__

__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from aistore.sdk.client import Client

        return Client
    if name == "__version__":
        from aistore.version import __version__

        return __version__
    if name in {"sdk", "version"}:
        from importlib import import_module

        return import_module(f"aistore.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
