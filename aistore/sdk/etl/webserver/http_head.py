"""Parse the head of an HTTP/1.x request: pure functions over bytes.

Invariant: any input either gives exactly one reading or raises `BadHead`. Line folding, bare line feeds,
white space before a colon and repeated framing fields are refused, never guessed, because two parties that
read a head differently is how requests are smuggled (RFC 9112, 11.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

MAX_HEAD = 64 * 1024
"""Longest head accepted, in bytes."""
MAX_FIELDS = 200

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([0-9])\r\n"
)
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\r\n\0]*)\r\n")
_ABSOLUTE = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_BARE_LF = re.compile(rb"(?<!\r)\n")
# Repeated, these would be read differently by different parties.
_SINGLE = frozenset({"content-length", "transfer-encoding", "host"})


class BadHead(ValueError):  # noqa: N818 - told apart from what user code raises
    """A head that breaks the rules.

    Attributes:
        status: What it is answered with.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Fields(Mapping[str, str]):
    """Header fields, found by their names in any case.

    Args:
        pairs: Names and values as they came.
    """

    __slots__ = ("_by_name", "_pairs")

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._by_name = {name.lower(): value.strip(" \t") for name, value in pairs}

    @property
    def repeated(self) -> bool:
        """Whether a name occurs more than once."""
        return len(self._by_name) != len(self._pairs)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a field."""
        key = name.lower()
        if not self.repeated:
            return [self._by_name[key]] if key in self._by_name else []
        return [value.strip(" \t") for one, value in self._pairs if one.lower() == key]

    def lower(self, name: str) -> str:
        """Return a value by the name in lower case, "" when it is not there: the last one, when repeated."""
        return self._by_name.get(name, "")

    def __getitem__(self, name: str) -> str:
        return self._by_name[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


class RequestHead:
    """The head of a request.

    Attributes:
        method: As it came.
        target: Path and query, as sent; of a whole URL its path and query.
        version: `HTTP/1.0` or `HTTP/1.1`.
        fields: Header fields.
        keep_alive: Whether the connection may carry another request afterwards.
    """

    __slots__ = ("fields", "keep_alive", "method", "target", "version")

    def __init__(self, method: str, target: str, version: str, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.keep_alive = version == "HTTP/1.1"
        if "connection" in fields:
            tokens = [token.strip() for token in ",".join(fields.get_all("connection")).lower().split(",")]
            self.keep_alive = "close" not in tokens and (self.keep_alive or "keep-alive" in tokens)


def find_end(data: bytes, searched: int = 0) -> int:
    """Find where a head ends.

    Args:
        data: What has arrived.
        searched: How much of it was searched before.

    Returns:
        Index of the first byte after the head, or -1 when more is needed.

    Raises:
        BadHead: What is there cannot become a head.
    """
    end = data.find(b"\r\n\r\n", max(0, searched - 3))
    if 0 <= end <= MAX_HEAD:
        return end + 4
    if end > MAX_HEAD or len(data) > MAX_HEAD:
        raise BadHead(431, f"the request's head is longer than {MAX_HEAD} bytes")
    if _BARE_LF.search(data):
        raise BadHead(400, "a line of the request's head ends with a bare line feed")
    return -1


def parse_head(data: bytes, end: int) -> RequestHead:
    """Parse the head that ends at `end`.

    Args:
        data: Bytes that begin with a head.
        end: What `find_end` returned.

    Raises:
        BadHead: It breaks the rules.
    """
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise BadHead(400, "malformed request line")
    text = data[line.end() : end - 2].decode("latin-1")
    pairs: list[tuple[str, str]] = _FIELD.findall(text)
    # What the pattern did not match was passed over: then the lengths differ.
    if sum([len(name) + len(value) for name, value in pairs]) + 3 * len(pairs) != len(text):
        raise BadHead(400, "malformed header field")
    if len(pairs) > MAX_FIELDS:
        raise BadHead(431, f"more than {MAX_FIELDS} header fields")
    fields = Fields(pairs)
    if fields.repeated:
        for name in _SINGLE:
            if len(set(fields.get_all(name))) > 1:
                raise BadHead(400, f"several {name.title()} headers")
    target = line[2].decode("latin-1")
    if target[0] in "hH" and (absolute := _ABSOLUTE.match(target)):  # RFC 9112, 3.2.2
        target = target[absolute.end() :]
        target = target if target.startswith("/") else f"/{target}"
    version = "HTTP/1.0" if line[3] == b"0" else "HTTP/1.1"
    return RequestHead(line[1].decode("ascii"), target, version, fields)
