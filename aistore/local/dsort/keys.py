"""What a record is, and what it is sorted by.

A record is the files of one shard whose paths differ in their extension only: `a/7.jpg` and `a/7.cls`.
"""

from __future__ import annotations

import hashlib
import posixpath
import random
import re
from typing import TYPE_CHECKING

from aistore.local.errors import InvalidRequest

if TYPE_CHECKING:
    from aistore.local.dsort.spec import Algorithm

MAX_CONTENT_KEY = 64 << 10
"""Bytes that a file may have whose content is a record's key."""

Key = int | float | bytes

_INT = re.compile(rb"([+-]?)0*([0-9]{1,19})")
_MAX_INT = 2**63
_RANDOM_BITS = 62


def split_member(path: str) -> tuple[str, str]:
    """The path without its extension, which names the record, and the extension with its dot."""
    return posixpath.splitext(path)


def encode(name: str) -> bytes:
    """A name as the bytes it was read from."""
    return name.encode("utf-8", "surrogateescape")


class Head:
    """What is known of a record besides its members.

    Attributes:
        id: Its number, counted through all shards in their order.
        name: Of its first file.
        size: Bytes of its files.
        count: How many files.
        content: The content that it is sorted by, once its file was seen.
    """

    __slots__ = ("content", "count", "id", "name", "size")

    def __init__(self, id: int, name: str) -> None:
        self.id = id
        self.name = name
        self.size = 0
        self.count = 0
        self.content: Key | None = None


class Grouper:
    """Puts the files of one shard together to records.

    Args:
        first (int): Number of its first record.
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self.heads: dict[str, Head] = {}

    def add(self, path: str, size: int) -> Head:
        """Count a file in, and return its record."""
        base, _ = split_member(path)
        head = self.heads.get(base)
        if head is None:
            head = self.heads[base] = Head(self._next, path)
            self._next += 1
        head.size += size
        head.count += 1
        return head


def content_key(data: bytes, kind: str, path: str) -> Key:
    """The key that a file's content is.

    Raises:
        InvalidRequest: It is none of this type.
    """
    if kind == "string":
        return data
    text = data.strip()
    if kind == "int":
        found = _INT.fullmatch(text)
        if found is not None and -_MAX_INT <= (whole := int(found[1] + found[2])) < _MAX_INT:
            return whole
    elif b"_" not in text:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if number == number:  # noqa: PLR0124 - not a NaN
            return number
    shown = data[:40].decode("utf-8", "replace")
    raise InvalidRequest(f"content key {shown!r} of {path} is not of type {kind}")


class KeyMaker:
    """Gives the records' keys; a shuffle's are random, and the same for the same seed.

    Args:
        algorithm (Algorithm): What is sorted by.
    """

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._random = random.Random(algorithm.seed)  # noqa: S311 - repeatable is what is wanted

    def is_content(self, path: str) -> bool:
        """Whether a file's content is its record's key."""
        algorithm = self._algorithm
        return algorithm.kind == "content" and path.endswith(algorithm.extension)

    def key(self, head: Head) -> Key:
        """A record's key; records of the same key keep their order.

        Raises:
            InvalidRequest: It has no file whose content would be the key.
        """
        kind = self._algorithm.kind
        if kind == "content":
            if head.content is None:
                raise InvalidRequest(
                    f"record {head.name!r} has no file with extension {self._algorithm.extension}, "
                    "whose content it would be sorted by"
                )
            return head.content
        if kind == "shuffle":
            return self._random.getrandbits(_RANDOM_BITS)
        if kind == "md5":
            return hashlib.md5(encode(head.name), usedforsecurity=False).digest()
        return encode(head.name) if kind == "alphanumeric" else 0
