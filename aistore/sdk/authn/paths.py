"""Paths of the AuthN service's resources."""

from __future__ import annotations

from urllib.parse import quote

from aistore.sdk.errors import InvalidArgument


def resource(collection: str, what: str, name: str) -> str:
    """Return the path of one resource, with its name quoted.

    Args:
        collection: First part of the path, for instance `users`.
        what: What the name is, for the error.
        name: Name or id.

    Raises:
        InvalidArgument: The name is empty or would address something else.
    """
    if not isinstance(name, str) or name in {"", ".", ".."}:
        raise InvalidArgument(f"{what} must be a name, not {name!r}")
    return f"{collection}/{quote(name, safe='')}"
