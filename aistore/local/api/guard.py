"""Refuses what a web page could make a browser send: foreign `Host` names (DNS rebinding), other origins."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aistore.local.errors import LocalError

if TYPE_CHECKING:
    from aistore.local.api.request import Request

_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only; an IPv4 address may be written as IPv6."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # On a socket for both families IPv4 clients come from ::ffff:127.0.0.1, which Python 3.10 to 3.12 take
    # for another machine's.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class Guard:
    """The rule of one server.

    Args:
        host (str): The address it listens on. On a loopback address only that address's names are taken for
            `Host`.
    """

    def __init__(self, host: str) -> None:
        self._names = _LOOPBACK_NAMES | {host} if is_loopback(host) else None
        self._seen: set[str] = set()

    def check(self, req: Request) -> None:
        """Refuse a request that did not come from a client of this machine's user.

        A page from another port of this machine is as foreign as one from elsewhere.

        Raises:
            LocalError: 400 without `Host`, 403 otherwise.
        """
        headers = req.headers
        host = headers.get("host")
        if not host:
            raise LocalError("missing Host header")
        if host not in self._seen:
            self._check_host(host)
        site = headers.get("sec-fetch-site", "none")
        if site not in {"none", "same-origin"}:
            raise LocalError(f"{site} requests are refused", status=403)
        origin = headers.get("origin")
        if origin is not None and not _is_same(origin, f"{req.state.tls.scheme}://{host}"):
            raise LocalError(f"requests from the origin {origin!r} are refused", status=403)

    def _check_host(self, host: str) -> None:
        if self._names is not None and _hostname(f"//{host}") not in self._names:
            raise LocalError(
                f"Host {host!r} is refused: this server listens on a loopback address and is known as "
                f"{', '.join(sorted(self._names))}",
                status=403,
            )
        if len(self._seen) < 1000 and len(host) < 300:
            self._seen.add(host)


def _is_same(origin: str, own: str) -> bool:
    """Whether a page's origin has scheme, host and port of this server."""
    found = _origin(own)
    return found is not None and _origin(origin) == found


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
