"""Decide what to do with a redirect: a pure function.

Rules of the AIStore protocol: GET of an object is redirected with 301, everything else with 307; method,
body, query and headers are kept, `Location` is used byte for byte and never cached (its parameters are
single-use). The bearer token goes to members of the cluster only, and never from https to http.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aistore.wire.http1.parse import MalformedMessageError

MAX_HOPS = 3
"""Most redirects followed for one request."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
SIGNED = re.compile(r"[?&](?:vpams|x|u)=")
"""Intra-cluster signature parameters of a `Location`: they cover the length of the body."""

_LOCATION = re.compile(r"(https?://[^/?#\s@\\]+)?(/[^#\s]*|\?[^#\s]*)?(?:#\S*)?", re.IGNORECASE)


class Redirect(NamedTuple):
    """Where a request goes next.

    Attributes:
        origin: `scheme://host:port`.
        target: Path and query, as they came.
        keep_body: False when the method becomes GET without a body (303).
    """

    origin: str
    target: str
    keep_body: bool


def follow(status: int, location: str | None, origin: str, hops: int) -> Redirect | None:
    """Decide about one answer.

    Args:
        status: HTTP status.
        location: The `Location` field, if any.
        origin: Where the request was sent, `scheme://host:port`.
        hops: How many redirects were followed before.

    Returns:
        Where to go, or None when the answer is the final one.

    Raises:
        MalformedMessageError: When there is no usable `Location`.
        TooManyHopsError: When the hop cap is reached.
    """
    if status not in REDIRECTS:
        return None
    if not location:
        raise MalformedMessageError(f"redirect (status {status}) without a Location")
    match = _LOCATION.fullmatch(location)
    if match is None or not (match[1] or match[2]):
        raise MalformedMessageError(
            f"redirect (status {status}) to unusable Location {location.partition('?')[0][:200]!r}"
        )
    if hops >= MAX_HOPS:
        raise TooManyHopsError(f"more than {MAX_HOPS} redirects")
    target = match[2] or "/"
    return Redirect(match[1] or origin, target if target[0] == "/" else "/" + target, status != 303)


class TooManyHopsError(Exception):
    """The hop cap is reached."""
