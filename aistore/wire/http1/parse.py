"""Parse the head of an HTTP/1.1 answer: pure functions over bytes.

Invariant: any input either gives exactly one reading or raises `MalformedAnswerError`. Line folding, bare
line feeds, white space before a colon, repeated or conflicting framing fields are errors, never guesses,
because two parties that read a head differently is how requests are smuggled (RFC 9112, 11.2).
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_HEAD = 64 * 1024
"""Longest head accepted, in bytes."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\r\n\0]*))?\r\n")
# A whole field line; that `findall` skips none is found by counting them afterwards.
_FIELD = re.compile(r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([^\r\n\0]*)\r\n", re.MULTILINE)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_MOST_DIGITS = 19
_PREFIX = b"HTTP/1."

CHUNKED = -1
"""Body length of a chunked body."""
UNTIL_CLOSE = -2
"""Body length of a body that ends with the connection."""


class MalformedAnswerError(Exception):
    """The peer broke the rules; its connection cannot be used any more."""


class Head:
    """The head of an answer.

    Attributes:
        status: HTTP status.
        reason: Reason phrase.
        pairs: Field names and values in the order they came, the names in the form they came in.
        fields: Lower-case name to value; values of repeated fields are joined by ", ".
        keep_alive: Whether the connection may carry another request after the body.
    """

    __slots__ = ("fields", "keep_alive", "pairs", "reason", "status", "version")

    def __init__(
        self, status: int, reason: str, version: int, pairs: list[tuple[str, str]], fields: dict[str, str]
    ) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        self.pairs = pairs
        self.fields = fields
        connection = fields.get("connection")
        if connection is None or connection == "keep-alive":
            self.keep_alive = version == 11 or connection is not None
        else:
            tokens = [t.strip() for t in connection.lower().split(",")]
            self.keep_alive = "close" not in tokens and (version == 11 or "keep-alive" in tokens)


def find_end(data: bytes, start: int = 0) -> int:
    """Find where the head ends.

    Args:
        data: What has arrived.
        start: How much of it was searched before.

    Returns:
        Index of the first byte after the head, or -1 when more is needed.

    Raises:
        MalformedAnswerError: When what is there cannot become a head.
    """
    end = data.find(b"\r\n\r\n", start - 3 if start > 3 else 0)
    if end >= 0:
        if end > MAX_HEAD:
            raise MalformedAnswerError(f"head longer than {MAX_HEAD} bytes")
        return end + 4
    if not data.startswith(_PREFIX[: len(data)]):
        raise MalformedAnswerError(f"not an HTTP/1.1 answer: {data[:32]!r}")
    if _BARE_LF.search(data):
        raise MalformedAnswerError("line of the head ends with a bare line feed")
    if len(data) > MAX_HEAD:
        raise MalformedAnswerError(f"head longer than {MAX_HEAD} bytes")
    return -1


def parse_head(data: bytes, end: int) -> Head:
    """Parse the head that ends at `end`.

    Args:
        data: Bytes that begin with a head.
        end: What `find_end` returned.

    Returns:
        The head.

    Raises:
        MalformedAnswerError: When it breaks the rules.
    """
    start = data.find(b"\n") + 1
    status, reason, version = _parse_status(data[:start])
    text = data[start : end - 2].decode("latin-1")
    pairs: list[tuple[str, str]] = _FIELD.findall(text)
    # A match has one line feed, begins after one, and ends with one: as many as there are leave nothing out.
    if len(pairs) != text.count("\n"):
        raise MalformedAnswerError("malformed field line in the head")
    if " \r" in text or ":  " in text or "\t" in text:
        pairs = [(name, value.strip(" \t")) for name, value in pairs]
    fields = {name.lower(): value for name, value in pairs}
    if len(fields) != len(pairs):
        fields = _joined(pairs)
    return Head(status, reason, version, pairs, fields)


@lru_cache(maxsize=64)
def _parse_status(line: bytes) -> tuple[int, str, int]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise MalformedAnswerError(f"malformed status line: {line[:64]!r}")
    return int(match[2]), (match[3] or b"").decode("latin-1"), 11 if match[1] == b"1" else 10


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key in fields and key in _SINGLE:
            raise MalformedAnswerError(f"more than one {name} field")
        fields[key] = f"{fields[key]}, {value}" if key in fields else value
    return fields


_SINGLE = frozenset({"content-length", "transfer-encoding", "location", "content-range"})


def body_length(head: Head, method: str) -> int:
    """Tell how the body of an answer is framed (RFC 9112, 6.3).

    Args:
        head: Head of the answer.
        method: Upper-case method of the request.

    Returns:
        Number of bytes, `CHUNKED` or `UNTIL_CLOSE`.

    Raises:
        MalformedAnswerError: When the framing is ambiguous.
    """
    fields = head.fields
    length = fields.get("content-length")
    coding = fields.get("transfer-encoding")
    if coding is not None:
        if length is not None:
            raise MalformedAnswerError("both Transfer-Encoding and Content-Length")
        if coding.lower() != "chunked" or head.version != 11:
            raise MalformedAnswerError(f"unsupported Transfer-Encoding {coding[:64]!r}")
    # The head is Latin-1, in which nothing but 0 to 9 is decimal.
    elif length is not None and not (length.isdecimal() and len(length) <= _MOST_DIGITS):
        raise MalformedAnswerError(f"malformed Content-Length {length[:64]!r}")
    if method == "HEAD" or head.status == 304:
        return 0
    if head.status == 204:
        # The answer has no body by definition; a peer that announces one may send it all the same.
        if coding is not None or (length is not None and int(length)):
            head.keep_alive = False
        return 0
    if coding is not None:
        return CHUNKED
    if length is not None:
        return int(length)
    head.keep_alive = False
    return UNTIL_CLOSE
