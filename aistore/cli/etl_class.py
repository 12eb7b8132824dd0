"""An ETL class by the file or module that it stands in."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from aistore.cli.exits import NOT_FOUND, USAGE, CliError

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

_NAME_LENGTH = 32


def load_class(source: str) -> type[ETLServer]:
    """Return the class of `FILE:CLASS` or `MODULE:CLASS`; this runs the file.

    Raises:
        CliError: There is no such file, module or class, or the file fails.
        InvalidArgumentType: It is not an ETL class.
    """
    from aistore.sdk.etl.class_payload import check_class

    place, colon, name = source.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise CliError(f"{source!r}: expected FILE:CLASS, such as shout.py:Shout", USAGE)
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    if not hasattr(module, name):
        raise CliError(f"{place} has no class {name!r}", NOT_FOUND)
    return check_class(getattr(module, name))


def default_name(cls: type) -> str:
    """Return a name for an ETL of a class: `WordCount` is `word-count`.

    Raises:
        CliError: None can be made that the cluster takes (exit code 2).
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower().replace("_", "-").strip("-")
    if not 6 <= len(words) <= _NAME_LENGTH:
        raise CliError(f"give the ETL a name of 6 to {_NAME_LENGTH} characters: --name NAME", USAGE)
    return words


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CliError(f"{path}: there is no such file", NOT_FOUND)
    # What stands beside the file can be imported by it, as when it is run.
    sys.path.insert(0, str(path.absolute().parent))
    spec = importlib.util.spec_from_file_location(_module_name(path), path.absolute())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CliError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _module_name(path: Path) -> str:
    """Return a name for a file's module that is no other's: its classes go by value, not by that name."""
    name = re.sub(r"\W", "_", path.stem)
    return f"{name}_etl" if importlib.util.find_spec(name) is not None and name in sys.modules else name


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise CliError(f"there is no module {error.name!r} (a file would end in .py)", NOT_FOUND) from None
    except Exception as error:
        raise CliError(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error
