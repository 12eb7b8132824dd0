"""Numbers and durations that a request may carry: a bad one can crash a target, so none leaves the client."""

from __future__ import annotations

from typing import Any

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.utils import convert_to_seconds


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_count(name: str, value: Any) -> None:
    """Refuse a count that is none; 0 leaves the choice to the cluster.

    Raises:
        InvalidArgument: It is negative or no integer.
    """
    if not _is_int(value) or value < 0:
        raise InvalidArgument(f"{name} must be a count, or 0 for the cluster's choice, not {value!r}")


def check_num_workers(num_workers: Any) -> int | None:
    """Return `num_workers` if it is a number of workers that a job can be told.

    Raises:
        InvalidArgument: It isn't.
    """
    if num_workers is not None and (not _is_int(num_workers) or num_workers < -1):
        raise InvalidArgument(
            f"num_workers must be a count, 0 (the cluster's choice) or -1 (none), not {num_workers!r}"
        )
    return num_workers  # type: ignore[no-any-return]  # an integer or None by now


def check_timeout(timeout: str) -> str:
    """Return a time limit for one object if it is a duration such as `30s` or `1m30s`.

    Raises:
        InvalidArgument: It isn't.
    """
    convert_to_seconds(timeout)
    return timeout
