"""The external key map: regular expressions that say which output shards records go to.

It is read from an object of this cluster, or from a web server on this machine; never from anywhere else, so
that nobody can make this server ask others for them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from aistore.local import work
from aistore.local.api.guard import is_loopback
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.jobs.template import Template, parse_template
from aistore.local.names import make_bck
from aistore.local.patterns import Patterns, check_expression
from aistore.wire.query import parse_query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aistore.local.dsort.spec import SortSpec
    from aistore.local.names import Bck
    from aistore.local.state import State

MAX_BYTES = 4 << 20
"""Largest key map."""

MAX_RULES = 20_000
"""Rules of a key map: each is a compiled expression, twice."""

_TIMEOUT = 30.0
_OK = 200


class KeyMap:
    """A parsed key map.

    Args:
        spec (SortSpec): What to do about what is odd.
        warn: Called with warnings.
    """

    def __init__(self, spec: SortSpec, warn: Callable[[str], None]) -> None:
        self._spec = spec
        self._warn = warn
        self._expressions: list[str] = []
        self._outputs: list[str] = []
        self._patterns: Patterns | None = None
        self._templates: dict[str, Template] = {}

    def add(self, pattern: str, output: str) -> None:
        """Add a rule.

        Raises:
            InvalidRequest: The expression or the template is malformed.
        """
        work.check()
        if len(self._expressions) >= MAX_RULES:
            raise InvalidRequest(f"external key map: more than {MAX_RULES} rules")
        try:
            check_expression(pattern)
        except re.error as err:
            raise InvalidRequest(
                f"invalid regular expression {pattern!r} in external key map: {err}"
            ) from err
        self._expressions.append(pattern)
        self._outputs.append(output)
        if output not in self._templates:
            self._templates[output] = parse_template(output)

    def add_json(self, data: bytes) -> None:
        """Add the rules of a JSON map.

        Raises:
            InvalidRequest: It isn't one.
        """
        try:
            value: Any = json.loads(data)
        except ValueError as err:
            raise InvalidRequest(f"external key map is not JSON: {err}") from err
        if not isinstance(value, dict):
            raise InvalidRequest("external key map must map output templates to lists of expressions")
        for output, patterns in value.items():
            if not isinstance(patterns, list) or not all(isinstance(text, str) for text in patterns):
                raise InvalidRequest(f"external key map: {output!r} must have a list of expressions")
            for pattern in patterns:
                self.add(pattern, output)

    def add_lines(self, data: bytes) -> None:
        """Add the rules of lines of expression, separator and template.

        Raises:
            InvalidRequest: A line is malformed, and that is a reason to abort.
        """
        text = data.decode("utf-8", "surrogateescape")
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            parts = [part.strip() for part in line.split(self._spec.key_map_separator)]
            if len(parts) == 2 and all(parts):
                self.add(parts[0], parts[1])
            else:
                self._react(
                    self._spec.reactions.malformed_line,
                    f"malformed line ({number}) in external key map: {line}",
                )

    def _react(self, reaction: str, message: str) -> None:
        if reaction == "abort":
            raise InvalidRequest(message)
        if reaction == "warn":
            self._warn(message)

    def find(self, name: str) -> str | None:
        """The template of the shards that a record goes to; None: it is left out.

        Raises:
            InvalidRequest: There is none, or several, and that is a reason to abort; or it takes too long.
        """
        if self._patterns is None:
            self._patterns = Patterns(self._expressions)
        found = [self._outputs[index] for index in self._patterns.find(name)]
        if len(found) == 1:
            return found[0]
        why = "multiple matches found" if found else "no match found"
        message = f'error on lookup record "{name}" in external key map: {why}'
        self._react(self._spec.reactions.missing_key, message)
        return None

    def close(self) -> None:
        """End what looks names up."""
        if self._patterns is not None:
            self._patterns.close()

    def template(self, output: str) -> Template:
        """The parsed template."""
        return self._templates[output]


def check_url(state: State, url: str, hosts: Collection[str]) -> None:
    """Refuse a URL that is not to be asked.

    Args:
        state (State): The cluster.
        url (str): The URL.
        hosts: `host:port` that this cluster is known by, besides its own.

    Raises:
        InvalidRequest: It is malformed, or leads elsewhere.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as err:
        raise InvalidRequest(f"[dsort] parse-spec: failed to parse ekm file URL {url!r}: {err}") from err
    if parts.scheme not in {"http", "https"} or not parts.hostname or (port is not None and not port):
        raise InvalidRequest(
            f"[dsort] parse-spec: failed to parse ekm file URL {url!r}: expecting http://HOST:PORT/PATH"
        )
    if _is_own(state, parts.netloc, hosts):
        _split_object(parts.path, url)
        return
    # With AuthN, and for clients elsewhere, what listens on loopback here is not theirs to ask.
    is_open = state.authn is None and is_loopback(state.options.host)
    if not (is_open and parts.scheme == "http" and is_loopback(parts.hostname)):
        raise InvalidRequest(
            f"[dsort] egress blocked: {parts.netloc}: the key map must be an object of this cluster"
        )


def _is_own(state: State, netloc: str, hosts: Collection[str]) -> bool:
    nodes = (state.nodes.proxy, *state.nodes.targets)
    return netloc in hosts or any(urlsplit(node.url).netloc == netloc for node in nodes)


def _split_object(path: str, url: str) -> tuple[str, str]:
    parts = unquote(path, errors="surrogateescape").split("/", 4)
    if len(parts) != 5 or parts[1:3] != ["v1", "objects"] or not parts[3] or not parts[4]:
        raise InvalidRequest(
            f"[dsort] parse-spec: ekm file URL {url!r} is no object's: expecting /v1/objects/BUCKET/OBJECT"
        )
    return parts[3], parts[4]


def key_map_bucket(url: str) -> Bck:
    """The bucket of the object that a key map is.

    Raises:
        InvalidRequest: The URL is no object's.
    """
    parts = urlsplit(url)
    query = parse_query(parts.query)
    name, _ = _split_object(parts.path, url)
    return make_bck(name, query.get("provider", ""), query.get("namespace", ""))


def read_key_map(state: State, spec: SortSpec, hosts: Collection[str], warn: Callable[[str], None]) -> KeyMap:
    """Read and parse the key map of a specification.

    Raises:
        LocalError: It can't be had, or is malformed.
    """
    parts = urlsplit(spec.key_map_url)
    if _is_own(state, parts.netloc, hosts):
        data = _read_object(state, spec.key_map_url)
    else:
        data = _fetch(spec.key_map_url)
    made = KeyMap(spec, warn)
    if parts.path.endswith(".json") or data.lstrip()[:1] == b"{":
        made.add_json(data)
    else:
        made.add_lines(data)
    return made


def _read_object(state: State, url: str) -> bytes:
    bucket = state.catalog.buckets.get(key_map_bucket(url))
    _, name = _split_object(urlsplit(url).path, url)
    with state.store.open(bucket, name) as reader:
        if reader.meta.size > MAX_BYTES:
            raise InvalidRequest(f"external key map {url} is longer than {MAX_BYTES} bytes")
        return reader.read_all()


def _fetch(url: str) -> bytes:
    parts = urlsplit(url)
    assert parts.hostname is not None
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            data = answer.read(MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as err:
            raise LocalError(f"external key map {url} can't be read: {err}", status=502) from err
    if answer.status != _OK:
        raise LocalError(f"external key map {url} can't be read: HTTP status {answer.status}", status=502)
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"external key map {url} is longer than {MAX_BYTES} bytes")
    return data
