"""An fsspec filesystem on AIStore, for `ais://bucket/object` (extra `fs`).

`fsspec.open("ais://...")`, and what is built on it, finds it by itself where the package is installed;
importing this module registers it in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import fsspec
except ImportError as err:
    raise ImportError(
        "aistore.fs needs fsspec: pip install 'aistore[fs]'", name=err.name or "fsspec"
    ) from err

from aistore.sdk.lazy import lazy_exports
from aistore.sdk.provider import Provider, provider_aliases

if TYPE_CHECKING:
    from aistore.fs.files import AISFile
    from aistore.fs.filesystem import AISFileSystem

__all__ = ["AISFile", "AISFileSystem"]

SCHEME = "ais"
SCHEMES = (SCHEME, *(f"{SCHEME}+{name}" for name in [*(p.value for p in Provider), *provider_aliases]))
"""Schemes of URLs: `ais`, and one for each provider and alias of one, such as `ais+aws` and `ais+s3`."""

_MODULES = {"AISFile": "files", "AISFileSystem": "filesystem"}

__getattr__ = lazy_exports(__name__, _MODULES)

for _scheme in SCHEMES:
    fsspec.register_implementation(_scheme, f"{__name__}.filesystem.AISFileSystem", clobber=True)
