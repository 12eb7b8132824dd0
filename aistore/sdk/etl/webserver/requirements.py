"""Optional packages of the ETL servers: imported on first use, missed by name."""

from __future__ import annotations

import functools
import importlib
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
