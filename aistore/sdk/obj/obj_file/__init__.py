"""Objects as Python file objects."""

from aistore.sdk.lazy import lazy_modules

__getattr__ = lazy_modules(__name__)
