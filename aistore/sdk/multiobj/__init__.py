"""Many objects of a bucket at once: by names, by range, by template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.sdk.multiobj.object_collection import ObjectCollection
    from aistore.sdk.multiobj.object_group import ObjectGroup
    from aistore.sdk.multiobj.object_names import ObjectNames
    from aistore.sdk.multiobj.object_range import ObjectRange
    from aistore.sdk.multiobj.object_template import ObjectTemplate

__all__ = ["ObjectCollection", "ObjectGroup", "ObjectNames", "ObjectRange", "ObjectTemplate"]

_MODULES = {
    "ObjectCollection": "object_collection",
    "ObjectGroup": "object_group",
    "ObjectNames": "object_names",
    "ObjectRange": "object_range",
    "ObjectTemplate": "object_template",
}

__getattr__ = lazy_exports(__name__, _MODULES)
