"""Times of the protocol."""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

LONGEST_WAIT = 6 * 3600.0
"""Longest wait in seconds that a server is believed to mean by `Retry-After`."""


def parse_http_date(text: str) -> float | None:
    """Read a date of a header, such as `Last-Modified`.

    Args:
        text: The date, in any of the forms of RFC 9110, 5.6.7.

    Returns:
        Seconds since 1970, or None when it is no date.
    """
    try:
        parts = parsedate_tz(text)
        return None if parts is None else float(mktime_tz(parts))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a `Retry-After` header.

    Args:
        value: Seconds, or a date; anything else is ignored.
        now: Seconds since 1970.

    Returns:
        Seconds to wait, at most `LONGEST_WAIT`, or None.
    """
    text = (value or "").strip(" \t")
    if text.isascii() and text.isdigit():
        return min(float(text[:20]), LONGEST_WAIT)
    date = parse_http_date(text) if text else None
    return None if date is None else min(max(0.0, date - now), LONGEST_WAIT)
