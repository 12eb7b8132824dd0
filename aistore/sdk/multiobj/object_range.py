"""Objects with numbered names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aistore.sdk.errors import InvalidArgument, InvalidObjectRangeIndex
from aistore.sdk.multiobj.object_collection import ObjectCollection
from aistore.sdk.multiobj.object_template import expand_template

if TYPE_CHECKING:
    from typing_extensions import Self

_RANGE_STRING = re.compile(r"(.*)\{(\d+)\.\.(\d+)(?:\.\.(\d+))?\}(.*)", re.DOTALL)


class RangeWithoutIndicesError(InvalidArgument, RuntimeError):
    """The names of a range without indices, a mere prefix, cannot be listed."""


class ObjectRange(ObjectCollection):
    """A range of numbered names, `prefix000suffix` to `prefix999suffix`; without indices a mere prefix.

    Args:
        prefix: What comes before the number.
        min_index: First number. Default: `None`, no numbers.
        max_index: Last number; it belongs to the range. Default: `None`, no numbers.
        pad_width: Digits of the numbers, with zeros in front. Default: 0, as many as each needs.
        step: Distance between numbers. Default: 1.
        suffix: What comes after the number. Default: nothing.

    Raises:
        InvalidObjectRangeIndex: The numbers make no range (also a `ValueError`).
        InvalidArgument: A suffix without numbers.
    """

    def __init__(
        self,
        prefix: str,
        min_index: int | None = None,
        max_index: int | None = None,
        pad_width: int = 0,
        step: int = 1,
        suffix: str = "",
    ) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._min = min_index
        self._max = max_index
        self._pad = pad_width
        self._step = step
        if min_index is None and max_index is None:
            if suffix:
                raise InvalidArgument("Suffix cannot be used without indices")
            return
        if min_index is None or max_index is None:
            raise InvalidObjectRangeIndex("Provide both min_index and max_index or neither")
        _check_indices(min_index, max_index, pad_width, step)

    @classmethod
    def from_string(cls, range_string: str) -> Self:
        """Return the range written as `prefix{min..max}suffix` or `prefix{min..max..step}suffix`.

        Raises:
            InvalidArgument: It is not written like that (also a `ValueError`).
        """
        match = _RANGE_STRING.fullmatch(range_string)
        if match is None:
            raise InvalidArgument(f"Invalid range string format: {range_string}")
        prefix, first, last, step, suffix = match.groups()
        return cls(prefix, int(first), int(last), len(first), int(step or 1), suffix)

    def get_value(self) -> dict[str, Any]:
        """Return `{"template": "..."}`."""
        return {"template": str(self)}

    def __iter__(self) -> Iterator[str]:
        if self._min is None:
            raise RangeWithoutIndicesError("Cannot iterate over object range with no indices")
        return expand_template(str(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectRange) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        if self._min is None:
            return self._prefix
        first, last = (str(index).zfill(self._pad) for index in (self._min, self._max))
        return f"{self._prefix}{{{first}..{last}..{self._step}}}{self._suffix}"

    def __repr__(self) -> str:
        return f"ObjectRange({str(self)!r})"


def _check_indices(min_index: int, max_index: int, pad_width: int, step: int) -> None:
    for name, value in (
        ("min_index", min_index),
        ("max_index", max_index),
        ("pad_width", pad_width),
        ("step", step),
    ):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidObjectRangeIndex(f"{name} must be an integer, not {value!r}")
    if min_index < 0:
        raise InvalidObjectRangeIndex(f"{min_index} must not be negative")
    if min_index > max_index:
        raise InvalidObjectRangeIndex(f"{min_index} must be less than {max_index}")
    if pad_width < 0:
        raise InvalidObjectRangeIndex(f"pad width {pad_width} must not be negative")
    if step < 1:
        raise InvalidObjectRangeIndex(f"step {step} must be 1 or more")
    if pad_width and len(str(min_index)) > pad_width:
        raise InvalidObjectRangeIndex(
            f"Number of digits in min index {min_index} must not be greater than pad width {pad_width}"
        )
