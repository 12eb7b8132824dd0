"""Ray Data on a cluster: what reads objects as rows, and what writes rows as objects (extra `ray`).

Nothing is imported before it is used: Ray is loaded with the first class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.ray.datasink import AISDatasink
    from aistore.ray.datasource import AISDatasource

__all__ = ["AISDatasink", "AISDatasource"]

_MODULES = {"AISDatasink": "datasink", "AISDatasource": "datasource"}


__getattr__ = lazy_exports(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
