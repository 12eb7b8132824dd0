"""Limits of what a request may contain."""

from __future__ import annotations

from aistore.local.errors import LocalError

MAX_JSON = 16 << 20
"""Bytes of a JSON body."""

MAX_VALUES = 1_000_000
"""Values of a JSON body: decoded, the shortest take twenty times their bytes and more."""

SMALL_BODY = 64 << 10
"""Bytes of a body up to which it costs next to nothing."""


def check_values(body: bytes) -> None:
    """Refuse JSON that would take far more memory than its bytes when it is decoded.

    Raises:
        LocalError: It has too many values (413).
    """
    # Commas and brackets in texts count as well: names that are full of them go into shorter lists.
    if len(body) > SMALL_BODY and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise LocalError(f"the request body has more than {MAX_VALUES} values", status=413)
