"""Many objects of a bucket at once: by names, by range, by template."""

from aistore.sdk.lazy import lazy_modules
from aistore.sdk.multiobj.object_collection import ObjectCollection
from aistore.sdk.multiobj.object_group import ObjectGroup
from aistore.sdk.multiobj.object_names import ObjectNames
from aistore.sdk.multiobj.object_range import ObjectRange
from aistore.sdk.multiobj.object_template import ObjectTemplate

__all__ = ["ObjectCollection", "ObjectGroup", "ObjectNames", "ObjectRange", "ObjectTemplate"]

__getattr__ = lazy_modules(__name__)
