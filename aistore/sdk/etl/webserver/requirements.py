"""Optional packages of the ETL servers: imported on first use, missed by name."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from typing import Any

from aistore.sdk.errors import SDKError


class MissingPackage(SDKError, ImportError):  # noqa: N818 - named for what it says
    """A package that a server needs is not installed."""


@functools.cache
def require(module: str, user: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: Its dotted name.
        user: Who needs it, for the error.

    Raises:
        MissingPackage: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        package = module.partition(".")[0]
        raise MissingPackage(
            f"{user} needs the package {package!r}, which cannot be imported ({exc}): pip install "
            "'aistore[etl]'"
        ) from exc


_HTTPX = ("httpx", "httpx2")  # the second is the maintained successor of the first, with the same names


def require_httpx(user: str) -> Any:
    """Import `httpx`, or where only that is installed its successor `httpx2`.

    Args:
        user: The class that needs it, for the error.

    Raises:
        MissingPackage: Neither is installed.
    """
    return require(next((name for name in _HTTPX if importlib.util.find_spec(name)), _HTTPX[0]), user)


def httpx_errors(name: str) -> tuple[type[Exception], ...]:
    """Return an exception class of each `httpx` module that the program has imported.

    Args:
        name: Name of the class, such as `HTTPStatusError`.
    """
    return tuple(getattr(sys.modules[module], name) for module in _HTTPX if module in sys.modules)
