"""Names that programs import from a module other than their own, loaded when they are asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module that offers names of other modules without importing them.

    Args:
        module: Name of the module.
        homes: The module, below `aistore.sdk`, where each name is defined.
    """

    def load(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"aistore.sdk.{home}"), name)

    return load
