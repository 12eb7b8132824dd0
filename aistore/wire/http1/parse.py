"""Heads of HTTP/1.1 requests and responses.

Invariant: any input either has exactly one reading or raises `MalformedMessageError`. Line folding, bare line
feeds, control characters, white space before a colon, repeated or conflicting headers that frame the body are
errors, never guesses: two parties that read a head differently is how requests are smuggled (RFC 9112,
11.2). The grammar is RFC 9112's, without what it permits only for the sake of old peers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

MAX_HEAD = 64 * 1024
"""Longest head accepted, in bytes."""
MAX_HEADERS = 1000
"""Most header lines accepted in a head."""

CHUNKED = -1
"""Length of a chunked body."""
UNTIL_CLOSE = -2
"""Length of a body that ends with the connection."""

RESPONSE_PREFIX = b"HTTP/1."

_NAME = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
_VALUE = "[^\\0-\\x08\\n-\\x1f\\x7f]*"
# Each match is a whole line; counting the line feeds afterwards shows whether `findall` skipped any.
_HEADER = re.compile(f"^({_NAME}+): ?({_VALUE})\\r\\n", re.MULTILINE)
_STATUS_LINE = re.compile(f"HTTP/1\\.([01]) ([1-5][0-9][0-9])(?: ({_VALUE}))?\\r\\n".encode())
_REQUEST_LINE = re.compile(f"({_NAME}{{1,32}}) ([!-~]+) HTTP/1\\.([01])\\r\\n".encode())
_ABSOLUTE = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=%:\[\]]*")
_BARE_LF = re.compile(rb"(?<!\r)\n")
# 999 PB: no body is longer, and every platform can count it.
_LENGTH = re.compile(r"[0-9]{1,18}")
# Repeated, these would be read differently by different parties.
_SINGLE = frozenset({"content-length", "transfer-encoding", "host", "location", "content-range"})


class MalformedMessageError(ValueError):
    """A message that breaks the rules; nothing after it on its connection can be trusted.

    Attributes:
        status: Status of the response to a malformed request.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Headers(Mapping[str, str]):
    """Headers by their names in any case; the values of repeated ones are joined by ", ".

    Args:
        fields: Values by lower-case name.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class ResponseHead:
    """The head of a response.

    Attributes:
        status: HTTP status.
        reason: Reason phrase.
        version: 10 or 11.
        pairs: Names and values of the headers in the order they came, the names in the form they came in.
        fields: Lower-case name to value; values of repeated headers are joined by ", ".
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
        self.keep_alive = version == 11 if connection is None else _keeps_alive(connection, version)


class RequestHead:
    """The head of a request.

    Attributes:
        method: As it came.
        target: Path and query, as sent; of a whole URL its path and query.
        version: 10 or 11.
        pairs: Names and values of the headers in the order they came, the names in the form they came in.
        fields: Lower-case name to value; values of repeated headers are joined by ", ".
        keep_alive: Whether the connection may carry another request after the body.
    """

    __slots__ = ("fields", "keep_alive", "method", "pairs", "target", "version")

    def __init__(
        self, method: str, target: str, version: int, pairs: list[tuple[str, str]], fields: dict[str, str]
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.pairs = pairs
        self.fields = fields
        connection = fields.get("connection")
        self.keep_alive = version == 11 if connection is None else _keeps_alive(connection, version)


def _keeps_alive(connection: str, version: int) -> bool:
    tokens = [token.strip(" \t") for token in connection.lower().split(",")]
    return "close" not in tokens and (version == 11 or "keep-alive" in tokens)


def find_end(data: bytes, searched: int = 0, prefix: bytes = b"") -> int:
    """Find where a head ends.

    Args:
        data: The bytes received.
        searched: How many of them were searched before.
        prefix: What the head must begin with: `RESPONSE_PREFIX`, or nothing for a request.

    Returns:
        Index of the first byte after the head, or -1 when more is needed.

    Raises:
        MalformedMessageError: The bytes cannot become a head.
    """
    end = data.find(b"\r\n\r\n", searched - 3 if searched > 3 else 0)
    if 0 <= end <= MAX_HEAD:
        return end + 4
    if not data.startswith(prefix[: len(data)]):
        raise MalformedMessageError(f"not an HTTP/1.1 response: {data[:32]!r}")
    if len(data) > MAX_HEAD:
        raise MalformedMessageError(f"head longer than {MAX_HEAD} bytes", 431)
    if _BARE_LF.search(data, searched):
        raise MalformedMessageError("line of the head ends with a bare line feed")
    return -1


def parse_response(data: bytes, end: int) -> ResponseHead:
    """Parse the head of a response.

    Args:
        data: Bytes that begin with a head.
        end: Where it ends (`find_end`).

    Raises:
        MalformedMessageError: The head breaks the rules.
    """
    start = data.find(b"\n") + 1
    status, reason, version = _parse_status(data[:start])
    pairs, fields = _parse_headers(data[start : end - 2])
    return ResponseHead(status, reason, version, pairs, fields)


@lru_cache(maxsize=64)
def _parse_status(line: bytes) -> tuple[int, str, int]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise MalformedMessageError(f"malformed status line: {line[:64]!r}")
    return int(match[2]), (match[3] or b"").decode("latin-1"), 11 if match[1] == b"1" else 10


def parse_request(data: bytes, end: int) -> RequestHead:
    """Parse the head of a request.

    Args:
        data: Bytes that begin with a head.
        end: Where it ends (`find_end`).

    Raises:
        MalformedMessageError: The head breaks the rules.
    """
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise MalformedMessageError("malformed request line")
    pairs, fields = _parse_headers(data[line.end() : end - 2])
    version = 11 if line[3] == b"1" else 10
    host = fields.get("host", "" if version == 10 else None)
    if host is None or not _HOST.fullmatch(host):
        raise MalformedMessageError("malformed Host header" if host else "no Host header")
    target = line[2].decode("ascii")
    if target[0] in "hH" and (absolute := _ABSOLUTE.match(target)):  # RFC 9112, 3.2.2
        target = target[absolute.end() :]
        target = target if target.startswith("/") else f"/{target}"
    return RequestHead(line[1].decode("ascii"), target, version, pairs, fields)


def _parse_headers(lines: bytes) -> tuple[list[tuple[str, str]], dict[str, str]]:
    text = lines.decode("latin-1")
    pairs: list[tuple[str, str]] = _HEADER.findall(text)
    # A match has one line feed, begins after one, and ends with one: as many as there are leave nothing out.
    if len(pairs) != text.count("\n"):
        raise MalformedMessageError("malformed header line")
    if len(pairs) > MAX_HEADERS:
        raise MalformedMessageError(f"more than {MAX_HEADERS} headers", 431)
    if " \r" in text or ":  " in text or "\t" in text:
        pairs = [(name, value.strip(" \t")) for name, value in pairs]
    fields = {name.lower(): value for name, value in pairs}
    if len(fields) != len(pairs):
        fields = _joined(pairs)
    return pairs, fields


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value)
    for name, values in found.items():
        if len(values) > 1 and name in _SINGLE:
            raise MalformedMessageError(f"several {name.title()} headers")
    return {name: ", ".join(values) for name, values in found.items()}


def response_length(head: ResponseHead, method: str) -> int:
    """Return how the body of a response is framed (RFC 9112, 6.3).

    Args:
        head: Head of the response.
        method: Upper-case method of the request.

    Returns:
        Number of bytes, `CHUNKED` or `UNTIL_CLOSE`.

    Raises:
        MalformedMessageError: The framing is ambiguous.
    """
    length = _framing(head)
    if method == "HEAD" or head.status == 304:
        return 0
    if head.status == 204 or head.status < 200:
        # The response has no body by definition; a peer that announces one may send it all the same.
        if length:
            head.keep_alive = False
        return 0
    if length is None:
        head.keep_alive = False
        return UNTIL_CLOSE
    return length


def request_length(head: RequestHead) -> int:
    """Return how the body of a request is framed (RFC 9112, 6.3).

    Args:
        head: Head of the request.

    Returns:
        Number of bytes, or `CHUNKED`.

    Raises:
        MalformedMessageError: The framing is ambiguous.
    """
    return _framing(head) or 0


def _framing(head: ResponseHead | RequestHead) -> int | None:
    """Return the announced length, `CHUNKED`, or None when the headers tell neither."""
    coding = head.fields.get("transfer-encoding")
    length = head.fields.get("content-length")
    if coding is not None:
        if length is not None:
            raise MalformedMessageError("both Transfer-Encoding and Content-Length")
        if coding.lower() != "chunked":
            raise MalformedMessageError(f"unsupported Transfer-Encoding {coding[:64]!r}", 501)
        if head.version != 11:
            raise MalformedMessageError("Transfer-Encoding in HTTP/1.0")
        return CHUNKED
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise MalformedMessageError(f"malformed Content-Length {length[:64]!r}")
    return int(length)


def utf8_text(value: str) -> str:
    """Return the value of a header whose bytes are UTF-8 as text.

    Args:
        value: The value as the head has it, in Latin-1.

    Returns:
        The text; the value itself when its bytes are not UTF-8.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


# ---------------------------------------------------------------- heads of the usual kind

# A header without a meaning for framing, coding or routing, whatever its value is.
_OTHER = f"(?:(?!(?i:c|t|host:|location:)){_NAME}+:{_VALUE}\\r\\n"
_OTHER_OF_RESPONSE = f"{_OTHER}|[Cc]onnection: keep-alive\\r\\n|[Cc]ontent-[Tt]ype:{_VALUE}\\r\\n)*"
_OTHER_OF_REQUEST = f"{_OTHER}|[Cc]ontent-[Tt]ype:{_VALUE}\\r\\n|[Cc]onnection:{_VALUE}\\r\\n)*"

PLAIN_MAX = 4000
"""Longest head in bytes for which the expressions count: it has no more lines than `MAX_HEADERS`."""

PLAIN_RESPONSE = re.compile(
    (
        f"HTTP/1\\.1 (20[06]) {_VALUE}\\r\\n"
        f"{_OTHER_OF_RESPONSE}[Cc]ontent-[Ll]ength: ([0-9]{{1,18}})\\r\\n{_OTHER_OF_RESPONSE}\\r\\n"
    ).encode()
)
"""The head of a 200 or 206 with a length, kept alive, without a content coding.

Its groups are the status and the length of the body. What it matches, `parse_response` and `response_length`
read in the same way, at three times the cost; what it does not match is theirs to judge.
"""

PLAIN_REQUEST = re.compile(
    (
        f"{_NAME}{{1,32}} [!-~]+ HTTP/1\\.1\\r\\n"
        f"{_OTHER_OF_REQUEST}[Hh]ost: [A-Za-z0-9.:\\-]+\\r\\n"
        f"{_OTHER_OF_REQUEST}(?:[Cc]ontent-[Ll]ength: ([0-9]{{1,18}})\\r\\n{_OTHER_OF_REQUEST})?\\r\\n"
    ).encode()
)
"""The head of a request with a body of known length, or none.

Its group is the length of the body. What it matches, `parse_request` and `request_length` take, too.
"""
