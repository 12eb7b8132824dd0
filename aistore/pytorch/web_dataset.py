"""`ais://` URLs in WebDataset, by its table of openers. WebDataset itself is never imported here."""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from io import BufferedIOBase
    from types import ModuleType

    from aistore.sdk.client import Client

_OPENERS = "webdataset.gopen"


def open_url(url: str, mode: str = "rb", *_: object, **__: object) -> BufferedIOBase:
    """Open an object by its URL, as WebDataset opens shards.

    Reading goes on at the exact byte when the connection breaks; what is written is visible when the file is
    closed. The client is made of the environment (`AIS_ENDPOINT`, `AIS_AUTHN_TOKEN`, ...).

    Args:
        url: `ais://bucket/name`.
        mode: `"rb"` or `"wb"`. Default: `"rb"`.
        _: WebDataset's buffer size, which has no effect.
        __: Other options of its openers, neither.

    Raises:
        InvalidArgument: Another mode, no endpoint in the environment, or a URL that names no object (also a
            `ValueError`).
    """
    from aistore.sdk.errors import InvalidArgument

    if mode not in ("rb", "wb"):
        raise InvalidArgument(f"mode must be 'rb' or 'wb', not {mode!r}")
    settings = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AIS_")))
    obj = _client(settings).get_object_from_url(url)
    return obj.get_reader().as_file() if mode == "rb" else obj.get_writer().as_upload()


def register() -> None:
    """Have WebDataset open `ais://` URLs with `open_url`, now or when it is imported."""
    openers = sys.modules.get(_OPENERS)
    if openers is not None:
        _add_opener(openers)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _add_opener(openers: ModuleType) -> None:
    openers.gopen_schemes["ais"] = open_url


@lru_cache(maxsize=8)
def _client(_settings: tuple[tuple[str, str], ...]) -> Client:
    """Return the client of an environment: one for all shards, so that they share connections."""
    from aistore.sdk.client import Client

    return Client()


class _Finder(MetaPathFinder):
    """Waits for WebDataset's table of openers to be imported, adds one, and is gone."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _OPENERS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Loads the module as its own loader does, then adds the opener."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _add_opener(module)
