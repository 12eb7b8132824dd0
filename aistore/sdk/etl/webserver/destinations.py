"""Which addresses an ETL server sends results to.

The URL of the next stage or of the destination target comes from a request header, so whoever can reach the
server could make it send requests anywhere (SSRF). On a real cluster the header names targets and other
stages' pods, whose addresses are unknown beforehand. The rules:

1. http or https, a host, no user-info, no white space or control characters; redirects are not followed.
2. With an allow-list (`AIS_ETL_ALLOWED_HOSTS`): only what it names, and the server's own target.
3. Without: never link-local, multicast or unspecified addresses, never a cloud's metadata service, and a
public
   address only when the server's own target has one in the same network (/16, or /48 for IPv6).

A name is judged by all the addresses it resolves to. A name that does not resolve is left to fail on
connecting. A name whose addresses change between the check and the connection is only stopped by an
allow-list of addresses.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import urlsplit

from aistore.sdk.errors import InvalidArgument, InvalidPipelineError

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

# Services of cloud providers that hand out credentials and are not link-local.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
# All that a URL's host depends on: it ends where `urlsplit` sees it end.
_ORIGIN = re.compile(r"https?://[^/?#]*")
_RESOLVED_FOR = 30.0  # seconds a name's addresses are believed
_RESOLVED_MAX = 1024


class DestinationRefused(InvalidPipelineError):  # noqa: N818 - named for what it says
    """A URL that results must not be sent to."""


@dataclass(frozen=True)
class AllowedHosts:
    """Hosts and networks that results may be sent to.

    Attributes:
        names: Host names, in lower case.
        networks: Addresses and networks.
    """

    names: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def parse(cls, text: str) -> AllowedHosts:
        """Read a comma-separated list of host names, addresses and networks (`10.0.0.0/8`).

        Raises:
            InvalidArgument: An entry is none of them.
        """
        names: set[str] = set()
        networks: list[Network] = []
        for entry in (part.strip().lower() for part in text.split(",")):
            if not entry:
                continue
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                if not _NAME.fullmatch(entry) or "/" in entry:
                    raise InvalidArgument(
                        f"{entry!r} is not a host name, an address or a network such as 10.0.0.0/8"
                    ) from None
                names.add(entry.rstrip("."))
        return cls(frozenset(names), tuple(networks))

    def allows(self, host: str) -> bool:
        """Say whether a host, as written in a URL, is on the list; names are not resolved."""
        address = _as_address(host)
        if address is None:
            return host in self.names
        return any(address in network for network in self.networks if network.version == address.version)


class DestinationGuard:
    """Judges the URLs that requests name.

    Args:
        host_target: URL of the server's own target: its host is always allowed.
        allowed_hosts: The allow-list, or None for the default rules.
    """

    def __init__(self, host_target: str, allowed_hosts: AllowedHosts | None = None) -> None:
        self._own_host = (urlsplit(host_target).hostname or "").rstrip(".")
        self._allowed = allowed_hosts
        self._resolved: dict[str, tuple[float, tuple[Address, ...]]] = {}

    def needs_lookup(self, url: str) -> bool:
        """Say whether `check` would have to ask the resolver, which may block."""
        host = _host_of(url)
        if self._allowed is not None or host == self._own_host or _as_address(host) is not None:
            return False
        known = self._resolved.get(host)
        return known is None or known[0] < time.monotonic()

    def check(self, url: str) -> None:
        """Refuse a URL that results must not be sent to.

        Raises:
            DestinationRefused: With the reason.
        """
        host = _host_of(url)
        if host == self._own_host:
            return
        if self._allowed is not None:
            if not self._allowed.allows(host):
                raise DestinationRefused(f"destination {host!r} is not in AIS_ETL_ALLOWED_HOSTS")
            return
        if host in _METADATA_NAMES:
            raise DestinationRefused(f"destination {host!r} is a metadata service")
        for address in self._addresses(host):
            reason = self._refusal(address)
            if reason:
                raise DestinationRefused(f"destination {host!r} is {reason}")

    def _refusal(self, address: Address) -> str:
        if address in _METADATA:
            return "a metadata service"
        if address.is_link_local:
            return "a link-local address"
        if address.is_multicast or address.is_unspecified:
            return "not the address of a host"
        if address.is_global and not any(
            _same_network(address, own) for own in self._addresses(self._own_host)
        ):
            return (
                "a public address outside the target's network: "
                "list the cluster's networks in AIS_ETL_ALLOWED_HOSTS"
            )
        return ""

    def _addresses(self, host: str) -> tuple[Address, ...]:
        literal = _as_address(host)
        if literal is not None:
            return (literal,)
        now = time.monotonic()
        known = self._resolved.get(host)
        if known is not None and known[0] >= now:
            return known[1]
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ()
        found = {_as_address(str(info[4][0])) for info in infos}
        addresses = tuple(address for address in found if address is not None)
        if len(self._resolved) >= _RESOLVED_MAX:
            self._resolved.clear()
        self._resolved[host] = (now + _RESOLVED_FOR, addresses)
        return addresses


def _host_of(url: str) -> str:
    if _FORBIDDEN.search(url):
        raise DestinationRefused(f"destination {url!r} contains white space or control characters")
    origin = _ORIGIN.match(url)
    if origin is not None:
        try:
            return _host_of_origin(origin[0])
        except DestinationRefused:
            pass  # said again, of the whole URL
    return _parsed_host(url)


@lru_cache(maxsize=1024)
def _host_of_origin(origin: str) -> str:
    return _parsed_host(origin)


def _parsed_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise DestinationRefused(f"destination {url!r} is not a URL: {exc}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise DestinationRefused(f"destination {url!r} is not of the form http://host[:port][/path]")
    if "@" in parts.netloc:
        raise DestinationRefused("destination carries user-info, which is not allowed")
    return host.rstrip(".")


def _as_address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _same_network(address: Address, own: Address) -> bool:
    if address.version != own.version or not own.is_global:
        return False
    prefix = 16 if address.version == 4 else 48
    return address in ipaddress.ip_network(f"{own}/{prefix}", strict=False)
