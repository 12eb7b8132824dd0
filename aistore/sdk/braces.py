"""Brace expansion as the shell does it: `shard-{000..999}.{tar,idx}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aistore.sdk.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBERS = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?")
_PADDED = re.compile(r"-?0\d")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def expand_braces(template: str) -> Iterator[str]:
    r"""Expand a template, lazily: a range of a billion names costs nothing until it is walked.

    `{a,b}` gives alternatives, `{1..10..2}` and `{a..e}` ranges (numbers with a leading zero are padded),
    `\` takes the meaning of the next character away; groups nest, and one that is neither stays as it is.

    Args:
        template: The text.

    Returns:
        The names, the last group changing fastest.

    Raises:
        InvalidArgument: Braces without their counterpart.
    """
    depth = 0
    for char in _unescaped(template):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            break
    if depth:
        raise InvalidArgument(f"Unbalanced braces: {template!r}")
    return (_unescape(name) for name in _expand(template))


def _unescaped(text: str) -> Iterator[str]:
    """Walk over characters; one that a backslash precedes comes as a blank, and so does the backslash."""
    chars = iter(text)
    for char in chars:
        if char == "\\":
            yield " "
            if next(chars, None) is not None:
                yield " "
        else:
            yield char


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def _expand(text: str) -> Iterator[str]:
    plain = "".join(_unescaped(text))
    start = plain.find("{")
    if start < 0:
        yield text
        return
    end = _closing(plain, start)
    head, tail = text[:start], text[end + 1 :]
    for middle in _group(text[start + 1 : end]):
        for rest in _expand(tail):
            yield head + middle + rest


def _closing(plain: str, start: int) -> int:
    # The braces were checked to be balanced.
    depth, pos = 1, start
    while depth:
        pos += 1
        depth += (plain[pos] == "{") - (plain[pos] == "}")
    return pos


def _group(inner: str) -> Iterable[str]:
    parts = _split(inner)
    if len(parts) > 1:
        return (name for part in parts for name in _expand(part))
    numbers = _NUMBERS.fullmatch(inner)
    if numbers:
        return _number_range(*numbers.groups())
    letters = _LETTERS.fullmatch(inner)
    if letters:
        return _letter_range(*letters.groups())
    return (f"{{{name}}}" for name in _expand(inner))


def _split(inner: str) -> list[str]:
    """Split at the commas that belong to this group."""
    parts = []
    depth = start = 0
    for pos, char in enumerate(_unescaped(inner)):
        depth += (char == "{") - (char == "}")
        if char == "," and not depth:
            parts.append(inner[start:pos])
            start = pos + 1
    return [*parts, inner[start:]]


def _number_range(first: str, last: str, step: str | None) -> Iterator[str]:
    width = max(len(first), len(last)) if _PADDED.match(first) or _PADDED.match(last) else 0
    low, high = int(first), int(last)
    for number in _steps(low, high, step):
        yield str(number).zfill(width)


def _letter_range(first: str, last: str, step: str | None) -> Iterator[str]:
    for index in _steps(_ALPHABET.index(first), _ALPHABET.index(last), step):
        yield _ALPHABET[index]


def _steps(low: int, high: int, step: str | None) -> range:
    width = abs(int(step or 1)) or 1
    return range(low, high + 1, width) if low <= high else range(low, high - 1, -width)


expand_braces.__module__ = "aistore.sdk.utils"  # where pickles for the 2.0.0 package find it
