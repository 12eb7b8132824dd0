"""Get-Batch: many objects, ranges and archive members in one answer."""

from aistore.sdk.lazy import lazy_modules

__getattr__ = lazy_modules(__name__)
