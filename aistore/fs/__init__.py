"""An fsspec filesystem on AIStore, for `ais://bucket/object` (extra `fs`).

`fsspec.open("ais://...")`, and what is built on it, finds it by itself where the package is installed;
importing this module registers it in any case.
"""

from __future__ import annotations

try:
    import fsspec
except ImportError as err:
    raise ImportError(
        "aistore.fs needs fsspec: pip install 'aistore[fs]'", name=err.name or "fsspec"
    ) from err

from aistore.fs.files import AISFile
from aistore.fs.filesystem import AISFileSystem
from aistore.fs.paths import SCHEMES

__all__ = ["AISFile", "AISFileSystem"]

for _scheme in SCHEMES:
    fsspec.register_implementation(_scheme, AISFileSystem, clobber=True)
