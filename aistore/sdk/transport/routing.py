"""Direct routing: an object's GET, HEAD or PUT goes straight to the target that owns it.

A proxy checks bucket, access and name before it redirects, and marks the redirect (`pid`, `utm`). That check
is not skipped: the first request of a method to a bucket goes through the proxy, and what the proxy said then
holds for `PERMIT_SECONDS` for others of the same method, bucket and token. They go to the owner of their
object, with the mark of that redirect. The owner is found by the cluster's own hash (HRW) in a cluster map
that is as young.

What the redirect must look like for that: it leads to the owner as computed, and adds nothing but the mark.
More means that the cluster signs redirects, each for one request: then all go through the proxy.

Anything but a good answer of the target (no connection, a status from 300 on) ends the permit, and the proxy
is asked: its answer counts. A bucket whose targets refuse what the proxy lets pass is left to the proxy for a
while.
"""

from __future__ import annotations

import logging
import math
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from aistore.sdk.errors import AISNetworkError, AISUnrewindableBodyError, InvalidEndpoint, SDKError
from aistore.sdk.hrw import owner_index
from aistore.sdk.transport.url import Base, parse_origin
from aistore.wire.query import parameters, parse_query

if TYPE_CHECKING:
    from aistore.sdk.models.cluster import Smap
    from aistore.sdk.transport.call import Call
    from aistore.sdk.transport.response import Response
    from aistore.sdk.transport.transport import Transport

log = logging.getLogger("aistore.sdk.transport")

PERMIT_SECONDS = 1.0
"""How long a proxy's approval, and a cluster map, are good for."""
REFUSED_SECONDS = 60.0
"""How long a bucket whose redirects do not lead where they should is left to the proxy."""

_MAX_PERMITS = 1000
_TARGET = re.compile(r"/v1/objects/([^/?%]+)/([^?]+)(?:\?(.*))?", re.DOTALL)
_NODE_ID = re.compile(r"[A-Za-z0-9._-]+")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_PROVIDERS = frozenset({"ais", "aws", "gcp", "azure", "oci"})
_BUCKET_PARAMS = frozenset({"provider", "namespace"})
# What an object's owner answers itself. Other parameters may lead elsewhere, or add to an object.
_READ_PARAMS = _BUCKET_PARAMS | {"props", "archpath", "archregx", "archmode", "latest-ver"}
_REFUSALS = frozenset({400, 401, 403})
_ALLOWED = {"GET": _READ_PARAMS, "HEAD": _READ_PARAMS, "PUT": _BUCKET_PARAMS}


class Place(NamedTuple):
    """An object that a request is about.

    Attributes:
        bucket: Full name of its bucket: `provider/@uuid#namespace/bucket`.
        uname: Full name of the object.
    """

    bucket: str
    uname: str


class Mark(NamedTuple):
    """What a proxy's redirect says.

    Attributes:
        origin: Key of where it leads (`Origin.key`).
        pid: Id of the proxy.
        utm: Its clock, in nanoseconds.
    """

    origin: tuple[str, str, int]
    pid: str
    utm: int


class Permit(NamedTuple):
    """What a proxy said of a method, a bucket and a token.

    Attributes:
        until: Monotonic time until which it holds.
        pid: Id of the proxy; "" when requests must go through it.
        ahead: What to add to the monotonic clock, in nanoseconds, to have the proxy's.
    """

    until: float
    pid: str = ""
    ahead: int = 0

    def mark(self) -> str:
        """Return the query parameters that a redirect of now would have."""
        return f"pid={self.pid}&utm={base36(time.monotonic_ns() + self.ahead)}"


class Targets:
    """The targets of a cluster map that may own objects.

    Args:
        smap: The map.
        scheme: Scheme of the endpoint: no request goes on without TLS where it had it.
    """

    def __init__(self, smap: Smap, scheme: str) -> None:
        self.loaded = time.monotonic()
        self.bases: list[Base] = []
        self.digests: list[int] = []
        for node in smap.tmap.values():
            if node.in_maint_or_decomm():
                continue
            url = node.public_net.direct_url.rstrip("/") if node.public_net is not None else ""
            origin = parse_origin(url)
            if origin.scheme != scheme:
                raise InvalidEndpoint(f"target {node.daemon_id} is at {url!r}, the endpoint at {scheme}")
            self.bases.append(Base(origin, url, "/v1"))
            self.digests.append(node.id_digest)
        if not self.bases:
            raise InvalidEndpoint("no target in the cluster map can own objects")

    def owner(self, uname: str) -> Base:
        """Return where the owner of an object listens.

        Args:
            uname: Full name of the object.
        """
        return self.bases[owner_index(uname, self.digests)]


class Router:
    """Sends calls by direct routing where it can, else through the proxy. Threads may share it."""

    def __init__(self) -> None:
        self._targets: Targets | None = None
        self._permits: dict[tuple[str, str, str], Permit] = {}
        self._off_until = 0.0

    def __reduce__(self) -> tuple[type[Router], tuple[()]]:
        return Router, ()

    def send(self, transport: Transport, call: Call) -> Response:
        """Send a request once, as `Transport.send` does.

        Args:
            transport: Carries it.
            call: The request.
        """
        is_off = self._off_until and self._off_until > time.monotonic()
        place = None if is_off else find_place(call)
        if place is None:
            return transport.send(call)
        key = (call.method, place.bucket, call.token)
        permit, targets, status = self._permits.get(key), self._targets, 0
        if permit is not None and permit.until >= time.monotonic():
            if not permit.pid:
                return transport.send(call)
            if targets is not None:
                straight = self._send_straight(transport, call, targets.owner(place.uname), permit)
                if not isinstance(straight, int):
                    return straight
                status = straight
                self._doubt(key)
        answer = transport.send(call)
        if status in _REFUSALS and answer.status_code < 300:
            self._refuse(key, f"a target refuses (status {status}) what the proxy lets pass")
        else:
            self._learn(transport, call, place, answer)
        return answer

    def find_permit(self, method: str, bucket: str, token: str) -> tuple[Permit, Targets] | None:
        """Return under which permit, and to whom, requests may be sent straight now, or None.

        Args:
            method: Upper-case method.
            bucket: Full name of the bucket.
            token: Bearer token.
        """
        permit, targets = self._permits.get((method, bucket, token)), self._targets
        if permit is None or targets is None or not permit.pid or permit.until < time.monotonic():
            return None
        return permit, targets

    def doubt(self, method: str, bucket: str, token: str) -> None:
        """Send the next request of a kind through the proxy: a target did not answer as it should.

        Args:
            method: Upper-case method.
            bucket: Full name of the bucket.
            token: Bearer token.
        """
        self._doubt((method, bucket, token))

    # ------------------------------------------------------------ straight

    def _send_straight(self, transport: Transport, call: Call, owner: Base, permit: Permit) -> Response | int:
        """Send a request to the owner; a status (0: no connection) when the proxy is to be asked."""
        joint = "&" if "?" in call.target else "?"
        straight = call.to(owner, f"{call.target}{joint}{permit.mark()}")
        try:
            answer = transport.send(straight)
        except AISNetworkError as err:
            if err.may_have_run or not _can_repeat(call):
                # As behind a redirect: whether it is sent again is decided where retries are.
                err.args = (f"straight to {owner.origin.netloc}: {err.args[0]}",)
                err.url = call.base.origin_text + call.target
                if err.request is not None:
                    err.request.url = err.url
                err.redirected = True
                self._permits.clear()
                raise
            log.debug("%s straight to %s failed: %s", call.method, owner.origin.netloc, err.args[0])
            return 0
        if answer.status_code < 300 or not _can_repeat(call):
            return answer
        log.debug("%s straight to %s: status %d", call.method, owner.origin.netloc, answer.status_code)
        answer.close()
        return answer.status_code

    def _doubt(self, key: tuple[str, str, str]) -> None:
        self._permits.pop(key, None)
        self._targets = None

    # ------------------------------------------------------------ what the proxy says

    def _learn(self, transport: Transport, call: Call, place: Place, answer: Response) -> None:
        """Take a permit from an answer that came by a redirect."""
        if answer.status_code in (401, 403) or answer.status_code >= 500:
            return
        hops = answer.history
        if len(hops) != 1:
            if not hops and answer.status_code < 300:
                self._turn_off("the endpoint answers itself instead of redirecting")
            return
        mark = read_mark(call.target, hops[0].headers.get("Location", ""))
        if mark is None:
            self._turn_off("redirects are signed, or not to the target's own address")
            return
        now, ahead = time.monotonic(), mark.utm - time.monotonic_ns()
        owner = self._owner(transport, call, place, mark)
        if owner is None:
            return
        key = (call.method, place.bucket, call.token)
        if owner.origin.key != mark.origin:
            self._refuse(key, "the owner of an object is not where the proxy redirects to")
            return
        if len(self._permits) >= _MAX_PERMITS:
            self._permits.clear()
        self._permits[key] = Permit(now + PERMIT_SECONDS, mark.pid, ahead)

    def _refuse(self, key: tuple[str, str, str], why: str) -> None:
        method, bucket, _ = key
        self._permits[key] = Permit(time.monotonic() + REFUSED_SECONDS)
        log.warning(
            "No direct routing of %s for %s in the next %d s: %s", method, bucket, REFUSED_SECONDS, why
        )

    def _owner(self, transport: Transport, call: Call, place: Place, mark: Mark) -> Base | None:
        """Return the owner by a young map; it is loaded again when it disagrees with the proxy."""
        targets = self._targets
        fresh = targets is not None and targets.loaded + PERMIT_SECONDS >= time.monotonic()
        if targets is not None and fresh:
            owner = targets.owner(place.uname)
            if owner.origin.key == mark.origin:
                return owner
        try:
            targets = Targets(_load_map(transport, call), call.base.origin.scheme)
        except SDKError as err:
            self._targets = None
            self._turn_off(f"there is no usable cluster map: {err}", REFUSED_SECONDS)
            return None
        self._targets = targets
        return targets.owner(place.uname)

    def _turn_off(self, why: str, seconds: float = math.inf) -> None:
        self._off_until = time.monotonic() + seconds
        rest = "" if seconds == math.inf else f" for {seconds:.0f} s"
        log.warning("Direct routing is off%s, requests go through the proxy: %s", rest, why)


def find_place(call: Call) -> Place | None:
    """Return the object that a request is about, when it is one that its owner answers.

    Args:
        call: The request.
    """
    allowed = _ALLOWED.get(call.method)
    if allowed is None or not call.redirects:
        return None
    match = _TARGET.fullmatch(call.target)
    if match is None:
        return None
    bucket, name, query = match.groups()
    prefix = _bucket_prefix(query or "", allowed)
    if prefix is None:
        return None
    if "%" in name:
        name = unquote(name, errors="surrogateescape")
    full = prefix + bucket
    return Place(full, f"{full}/{name}")


@lru_cache(maxsize=1024)
def _bucket_prefix(query: str, allowed: frozenset[str]) -> str | None:
    pairs = list(parameters(query))
    params = parse_query(query)
    if len(params) != len(pairs) or not params.keys() <= allowed:
        return None
    provider, namespace = params.get("provider", "ais"), params.get("namespace", "@#")
    # The part of a namespace before `#` may be another name of a remote cluster, which the proxy resolves.
    if provider not in _PROVIDERS or not namespace.startswith("@#"):
        return None
    return f"{provider}/{namespace}/"


def read_mark(target: str, location: str) -> Mark | None:
    """Read a redirect of a proxy.

    Args:
        target: Path and query that were asked for.
        location: The `Location` field.

    Returns:
        What it says, or None when it differs from what was asked for by more than the proxy's mark.
    """
    path, _, query = target.partition("?")
    try:
        parts = urlsplit(location)
        origin = parse_origin(f"{parts.scheme}://{parts.netloc}")
        got = [(name, value) for name, value, _ in parameters(parts.query)]
        extra = dict(got)
        for name, value, _ in parameters(query):
            got.remove((name, value))
            extra.pop(name, None)
        if len(got) != 2 or extra.keys() != {"pid", "utm"} or not _NODE_ID.fullmatch(extra["pid"]):
            return None
        if unquote(parts.path, errors="surrogateescape") != unquote(path, errors="surrogateescape"):
            return None
        return Mark(origin.key, extra["pid"], int(extra["utm"], 36))
    except ValueError:  # an InvalidEndpoint, too
        return None


def base36(number: int) -> str:
    """Write a number as `utm` has it.

    Args:
        number: Not negative.
    """
    text = ""
    while number:
        number, pair = divmod(number, 1296)
        text = _PAIRS[pair] + text
    return text.lstrip("0") or "0"


def _can_repeat(call: Call) -> bool:
    if call.body is None:
        return True
    try:
        call.body.rewind()
    except AISUnrewindableBodyError:
        return False
    return True


def _load_map(transport: Transport, call: Call) -> Smap:
    from aistore.sdk.models.cluster import Smap
    from aistore.sdk.utils import decode_response

    answer = transport.load_map(call)
    if answer.status_code != 200:
        raise AISNetworkError(f"status {answer.status_code}")
    return decode_response(Smap, answer)
