"""Times as Go prints them: RFC 3339 with up to nine digits of a second."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from aistore.sdk.const import GO_ZERO_TIME, NANOSECONDS_IN_SECOND
from aistore.sdk.errors import InvalidArgument

_FORM = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")


def parse_go_time(text: str) -> datetime | None:
    """Return the time, with its time zone, to the microsecond; `None` for no text and for Go's zero time.

    Raises:
        InvalidArgument: The text is not such a time.
    """
    if not text or text == GO_ZERO_TIME:
        return None
    match = _FORM.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        seconds, fraction, zone = match.groups()
        micros = (fraction or "")[:6].ljust(6, "0")
        zone = "+00:00" if zone in "Zz" else zone
        return datetime.fromisoformat(f"{seconds}.{micros}{zone}")
    except ValueError:
        raise InvalidArgument(f"not a time such as 2026-11-21T07:00:11.728098492Z: {text!r}") from None


def from_nanoseconds(nanoseconds: int) -> datetime | None:
    """Return the UTC time of nanoseconds since 1970; `None` for a negative number."""
    if nanoseconds < 0:
        return None
    return datetime.fromtimestamp(nanoseconds / NANOSECONDS_IN_SECOND, tz=timezone.utc)
