"""URLs: what may be addressed, and how it is written on the wire. Pure functions."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus, urlsplit

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, InvalidEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPECTED_ENDPOINT = "expected http://host:port or https://host:port, port 1 to 65535"

_WIRE_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
_BAD_PATH_CHAR = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?")
_URL = re.compile(r"(https?://[^/?#\s@\\]+)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORT = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where connections go.

    Attributes:
        scheme: `http` or `https`.
        host: Name or address, without brackets.
        port: TCP port.
        netloc: `host:port` as in the `Host` field.
    """

    scheme: str
    host: str
    port: int
    netloc: str

    @property
    def key(self) -> tuple[str, str, int]:
        """The same for every spelling of one origin."""
        return self.scheme, self.host, self.port


@lru_cache(maxsize=4096)
def parse_origin(text: str) -> Origin:
    """Parse `scheme://host[:port]`.

    Args:
        text: The origin, without path, query, fragment or user-info.

    Returns:
        Its parts, with the scheme's default port filled in.

    Raises:
        InvalidEndpoint: When it is anything else.
    """
    scheme, sep, netloc = text.partition("://")
    scheme = scheme.lower()
    if not sep or scheme not in _DEFAULT_PORT or not _AUTHORITY.fullmatch(netloc):
        raise InvalidEndpoint(f"invalid address {text!r}: {EXPECTED_ENDPOINT}")
    host, port = netloc, _DEFAULT_PORT[scheme]
    head, colon, tail = netloc.rpartition(":")
    if colon and not tail.endswith("]"):
        host, port = head, int(tail)
    if not 0 < port < 65536:
        raise InvalidEndpoint(f"invalid port in address {text!r}: {EXPECTED_ENDPOINT}")
    return Origin(scheme, host.strip("[]").lower(), port, netloc)


class Base(NamedTuple):
    """Where a client sends its requests.

    Attributes:
        origin: Scheme, host and port.
        origin_text: `scheme://host:port`.
        prefix: Path before every call's own: `/v1`, or `/prefix/v1` behind a gateway.
    """

    origin: Origin
    origin_text: str
    prefix: str

    @property
    def url(self) -> str:
        """The base URL."""
        return self.origin_text + self.prefix


def parse_base(endpoint: str) -> Base:
    """Parse an endpoint, and add the API version when it is not there.

    Args:
        endpoint: `http://host:port`, optionally with a path.

    Returns:
        Its parts.

    Raises:
        InvalidEndpoint: When it is not of that form.
    """
    if not isinstance(endpoint, str):
        raise InvalidArgumentType(f"invalid endpoint of type {type(endpoint).__name__}: {EXPECTED_ENDPOINT}")
    return _parse_base(endpoint)


@lru_cache(maxsize=256)
def _parse_base(endpoint: str) -> Base:
    shown = endpoint if "@" not in endpoint else "with user-info"
    try:
        parts = urlsplit(endpoint)
    except ValueError as err:
        raise InvalidEndpoint(f"invalid endpoint {shown!r}: {err}; {EXPECTED_ENDPOINT}") from None
    if "@" in parts.netloc or parts.query or parts.fragment or not _AUTHORITY.fullmatch(parts.netloc):
        raise InvalidEndpoint(f"invalid endpoint {shown!r}: {EXPECTED_ENDPOINT}")
    path = parts.path.rstrip("/")
    if not path.endswith("/v1"):
        path += "/v1"
    if not _WIRE_PATH.fullmatch(path):
        raise InvalidEndpoint(f"invalid endpoint {shown!r}: {EXPECTED_ENDPOINT}")
    origin_text = f"{parts.scheme.lower()}://{parts.netloc}"
    try:
        origin = parse_origin(origin_text)
    except InvalidEndpoint:
        raise InvalidEndpoint(f"invalid endpoint {shown!r}: {EXPECTED_ENDPOINT}") from None
    return Base(origin, origin_text, path)


def split_url(url: str) -> tuple[str, str]:
    """Split an absolute http(s) URL.

    Args:
        url: The URL; a fragment is dropped.

    Returns:
        `scheme://host:port`, and path with query.

    Raises:
        InvalidEndpoint: When it is not an absolute http or https URL.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidEndpoint(f"invalid URL {url!r}: {EXPECTED_ENDPOINT}")
    path, mark, query = match[2].partition("?")
    return match[1], (encode_path(path) or "/") + mark + encode_path(query, safe="?")


def encode_path(path: str, safe: str = "") -> str:
    """Percent-encode what cannot travel in a path; escapes that are there already stay.

    Dots and slashes are never collapsed: what the caller named is what is addressed.

    Args:
        path: A path, as a rule quoted already.
        safe: More characters to leave alone.

    Returns:
        The path as it goes on the wire.
    """
    if _WIRE_PATH.fullmatch(path):
        return path
    try:
        return _BAD_PATH_CHAR.sub(
            lambda m: m[0] if m[0] in safe else quote(m[0], safe="", errors="surrogateescape"), path
        )
    except UnicodeEncodeError:
        raise InvalidArgument(f"text cannot be encoded as UTF-8: {path[:128]!r}") from None


def encode_params(params: Mapping[str, Any]) -> str:
    """Encode query parameters as `requests` does.

    Args:
        params: Names to values; None drops the parameter, a list or tuple repeats it.

    Returns:
        The query, without a question mark.
    """
    # The same few parameters come again and again: `provider=ais` with nearly every request.
    for value in params.values():
        if type(value) is not str:
            break
    else:
        return _encode_texts(tuple(params.items()))
    out: list[str] = []
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, (list, tuple, set)) else (value,)
        key = _quote(name)
        texts = (one if isinstance(one, (str, bytes)) else str(one) for one in values if one is not None)
        out.extend(f"{key}={_quote(text)}" for text in texts)
    return "&".join(out)


@lru_cache(maxsize=1024)
def _encode_texts(items: tuple[tuple[str, str], ...]) -> str:
    return "&".join([f"{_quote(name)}={_quote(value)}" for name, value in items])


def _quote(text: str | bytes) -> str:
    try:
        return quote_plus(text, errors="surrogateescape") if isinstance(text, str) else quote_plus(text)
    except UnicodeEncodeError:
        raise InvalidArgument(f"text cannot be encoded as UTF-8: {text[:128]!r}") from None
