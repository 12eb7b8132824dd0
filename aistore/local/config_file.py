"""A file of options: what stands there counts as if it stood first on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any


def arguments_of(path: Path, known: Collection[str]) -> list[str]:
    """The command-line arguments that a TOML or JSON file stands for.

    Keys are the options' long names without dashes in front (`promote-dir` or `promote_dir`); true switches
    an option on, false leaves it off.

    Args:
        path (Path): The file; one that ends in `.json` is JSON, any other TOML.
        known: The options there are, written with underscores.

    Raises:
        ValueError: The file can't be read, or says something that is no option; names the file and the key.
    """
    found: list[str] = []
    for key, value in _load(path).items():
        option = key.replace("-", "_")
        if option not in known:
            raise ValueError(f"{path}: unknown option {key!r}; there are {', '.join(sorted(known))}")
        if isinstance(value, bool):
            found += [f"--{option.replace('_', '-')}"] if value else []
        elif isinstance(value, str | int):
            found.append(f"--{option.replace('_', '-')}={value}")
        else:
            text = f"{path}: {key}: expecting text, a number, true or false, not {value!r}"
            raise ValueError(text)  # noqa: TRY004 - the file's fault, not the caller's
    return found


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        loaded = json.loads(text) if path.suffix == ".json" else _parse_toml(text)
    except OSError as err:
        raise ValueError(f"{path}: {err.strerror or err}") from err
    except ValueError as err:
        raise ValueError(f"{path}: {err}") from err
    if not isinstance(loaded, dict):
        raise ValueError(f"{path}: expecting an object of options")  # noqa: TRY004 - likewise
    return loaded


def _parse_toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib.loads(text)
    raise ValueError("TOML needs Python 3.11: write it as JSON, in a file that ends in .json")
