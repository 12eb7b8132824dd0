"""Write the head of a request: pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aistore.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

# The transport writes framing and routing; the token has its own rules.
_RESERVED = frozenset({"content-length", "transfer-encoding", "host", "authorization", "expect"})
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[\r\n\0]")


def encode_fields(headers: Mapping[str, Any], defaults: Mapping[str, bytes]) -> bytes:
    """Write the headers that a request has before and after a redirect.

    Args:
        headers: The caller's fields; they replace the defaults, None drops one, a list or tuple repeats it.
        defaults: Lines of other fields, by name in lower case.

    Returns:
        Field lines.

    Raises:
        InvalidArgument: A name or value that would break out of its line.
    """
    defaults = dict(defaults)
    lines: list[bytes] = []
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidArgument(f"invalid header name {name!r}")
        key = name.lower()
        if key in _RESERVED:
            continue
        defaults.pop(key, None)
        values = value if isinstance(value, (list, tuple)) else (value,)
        lines.extend(_line(name, one) for one in values if one is not None)
    return b"".join(defaults.values()) + b"".join(lines)


def encode_lines(fields: Mapping[str, str]) -> bytes:
    """Write header fields that are added to a request's own.

    Args:
        fields: The fields.

    Raises:
        InvalidArgument: A name or value that would break out of its line.
    """
    for name in fields:
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f"invalid header name {name!r}")
    return b"".join(_line(name, value) for name, value in fields.items())


def _line(name: str, value: Any) -> bytes:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if _BAD_VALUE.search(text):
        raise InvalidArgument(f"invalid value of header {name}: line breaks and NUL cannot be sent")
    try:
        return f"{name}: {text}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        pass
    try:
        return f"{name}: {text}\r\n".encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidArgument(f"invalid value of header {name}: it cannot be encoded as UTF-8") from None


def encode_token(token: str, headers: Mapping[str, Any] | None) -> bytes:
    """Write the `Authorization` field.

    Args:
        token: The client's token; it goes before the caller's own field.
        headers: The caller's fields.

    Returns:
        The field line, or `b""` when there is neither.

    Raises:
        InvalidArgument: A token that would break out of its line.
    """
    if token:
        value = f"Bearer {token}"
    elif not headers:
        return b""
    else:
        value = next((str(v) for k, v in headers.items() if k.lower() == "authorization" and v), "")
        if not value:
            return b""
    if _BAD_VALUE.search(value) or not value.isascii():
        # The text must not show the token.
        raise InvalidArgument("invalid token: line breaks and characters beyond ASCII cannot be sent")
    return f"Authorization: {value}\r\n".encode("ascii")


def encode_refusal(message: str) -> bytes:
    """Write the response to a request that breaks the rules; the connection is closed after it.

    Args:
        message: What was wrong.
    """
    text = message.encode("ascii", "replace")
    return (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(text), text)
    )


def encode_head(method: str, target: str, netloc: str, fields: bytes, framing: bytes) -> bytes:
    """Write a whole head.

    Args:
        method: Upper-case method.
        target: Path and query as they go on the wire.
        netloc: Value of the `Host` field.
        fields: Field lines.
        framing: Field lines that frame the body.

    Returns:
        The head with its empty line.
    """
    start = f"{method} {target} HTTP/1.1\r\nHost: {netloc}\r\n".encode("latin-1")
    return start + fields + framing + b"\r\n"
