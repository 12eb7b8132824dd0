"""dSort: sort and reshard the archives of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.sdk.dsort.core import Dsort
    from aistore.sdk.dsort.ekm import ExternalKeyMap
    from aistore.sdk.dsort.framework import DsortAlgorithm, DsortFramework, DsortShardsGroup

__all__ = ["Dsort", "DsortAlgorithm", "DsortFramework", "DsortShardsGroup", "ExternalKeyMap"]

_MODULES = {
    "Dsort": "core",
    "DsortAlgorithm": "framework",
    "DsortFramework": "framework",
    "DsortShardsGroup": "framework",
    "ExternalKeyMap": "ekm",
}

__getattr__ = lazy_exports(__name__, _MODULES)
