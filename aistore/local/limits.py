"""Limits of what a request may contain."""

from __future__ import annotations

from typing import Any

from aistore.local.errors import InvalidRequest, LocalError
from aistore.wire.serialization import encode_json

MAX_JSON = 16 << 20
"""Bytes of a JSON body."""

MAX_VALUES = 1_000_000
"""Values of a JSON body: decoded, the shortest take twenty times their bytes and more."""

MAX_PROPERTIES = 32 << 10
"""Bytes of a bucket's properties, and of the changes to the configuration, as JSON: all are in memory."""

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


def check_properties(values: dict[str, Any], what: str) -> None:
    """Refuse properties or settings that take much memory.

    Raises:
        InvalidRequest: They are too long.
    """
    size = len(encode_json(values))
    if size > MAX_PROPERTIES:
        raise InvalidRequest(f"{what} are too long: {size} > {MAX_PROPERTIES} bytes")
