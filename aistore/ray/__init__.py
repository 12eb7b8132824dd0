"""Ray Data on a cluster: what reads objects as rows, and what writes rows as objects (extra `ray`).

Nothing is imported before it is used: Ray is loaded with the first class.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aistore.ray.datasink import AISDatasink
    from aistore.ray.datasource import AISDatasource

__all__ = ["AISDatasink", "AISDatasource"]

_MODULES = {"AISDatasink": "datasink", "AISDatasource": "datasource"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
