"""Objects by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.multiobj.object_collection import ObjectCollection


class ObjectNames(ObjectCollection):
    """A list of object names.

    Args:
        names: The names.

    Raises:
        InvalidArgumentType: Not a list of strings; one string is one name, not a list (also a `TypeError`).
        InvalidArgument: A name is empty (also a `ValueError`).
    """

    def __init__(self, names: Iterable[str]) -> None:
        if isinstance(names, (str, bytes)):
            raise InvalidArgumentType(f"names must be a list of names, such as [{names!r}], not {names!r}")
        self._names = list(names)
        for name in self._names:
            if not isinstance(name, str):
                raise InvalidArgumentType(f"an object's name must be a string, not {name!r}")
            if not name:
                raise InvalidArgument("an object's name must not be empty")

    def get_value(self) -> dict[str, Any]:
        """Return `{"objnames": [...]}`."""
        return {"objnames": self._names}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectNames) and other._names == self._names

    def __hash__(self) -> int:
        return hash(tuple(self._names))

    def __str__(self) -> str:
        return str(self._names)

    def __repr__(self) -> str:
        return f"ObjectNames({self._names!r})"
