"""The query of a URL: one grammar for all that read one, as two readings are two requests.

Parameters are separated by `&` and by nothing else: `;` is an ordinary character, as it is for a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_plus


class Parameter(NamedTuple):
    """A parameter of a query, decoded; bytes that are not UTF-8 are kept by `surrogateescape`.

    Attributes:
        name: The name.
        value: The value, "" when there is none.
        equals: `=`, or "" when it is written without one.
    """

    name: str
    value: str
    equals: str = "="


def parameters(raw: str) -> Iterator[Parameter]:
    """Yield the parameters of a query in the order in which they are written.

    Args:
        raw: The query as sent, without its question mark.
    """
    for item in raw.split("&"):
        if item:
            name, equals, value = item.partition("=")
            yield Parameter(_decode(name), _decode(value), equals)


def parse_query(raw: str) -> dict[str, str]:
    """Return the parameters of a query by name; of repeated ones the first.

    Args:
        raw: The query as sent, without its question mark.
    """
    found: dict[str, str] = {}
    for name, value, _ in parameters(raw):
        found.setdefault(name, value)
    return found


def _decode(text: str) -> str:
    return unquote_plus(text, errors="surrogateescape") if "%" in text or "+" in text else text
