"""A selection of objects in a bucket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any


class ObjectCollection(ABC):
    """Names objects: as a list, a range or a template."""

    @abstractmethod
    def get_value(self) -> dict[str, Any]:
        """Return the selection as it travels in a control message.

        Raises:
            InvalidArgument: The cluster could not use it.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the names."""
