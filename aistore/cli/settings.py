"""Settings as `section.key=value` on a command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aistore.cli.exits import USAGE, CliError


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Return nested values: `mirror.copies=2` is `{"mirror": {"copies": 2}}`.

    Args:
        texts: Settings; a value that is JSON is meant as such, any other as text.

    Raises:
        CliError: One is not of that form, or contradicts another (exit code 2).
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        names = key.split(".")
        if not equals or not all(names):
            raise CliError(f"{text!r}: expected KEY=VALUE, such as mirror.copies=2", USAGE)
        inner = values
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise CliError(f"{text!r} contradicts another setting", USAGE)
        inner[names[-1]] = _value(value)
    return values


def parse_variables(texts: Iterable[str]) -> dict[str, str]:
    """Return names and values of `NAME=VALUE`.

    Raises:
        CliError: One is not of that form (exit code 2).
    """
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise CliError(f"{name!r}: expected NAME=VALUE", USAGE)
    return {name: value for name, _, value in pairs}


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested values by their dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value) if isinstance(value, (bool, list)) else value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
