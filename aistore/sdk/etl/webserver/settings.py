"""What an ETL server reads from its environment, once, when it is constructed.

Every value is checked here, so that a typo stops the server at start with the name of the variable instead of
surfacing as a puzzling answer to some request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from aistore.sdk.const import AIS_AUTHN_TOKEN, AIS_DIRECT_PUT_CHUNK_SIZE, AIS_DIRECT_PUT_RETRIES, MIB
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.etl.webserver.caller import hide_secrets, known_secret
from aistore.sdk.etl.webserver.destinations import AllowedHosts

ENV_TARGET_URL = "AIS_TARGET_URL"
ENV_DIRECT_PUT = "DIRECT_PUT"
ENV_DIRECT_FQN = "ETL_DIRECT_FQN"
ENV_FQN_ROOTS = "AIS_ETL_FQN_ROOTS"
ENV_FQN = "AIS_ETL_FQN"
ENV_ALLOWED_HOSTS = "AIS_ETL_ALLOWED_HOSTS"
ENV_CONNECT_TIMEOUT = "AIS_ETL_CONNECT_TIMEOUT"
ENV_READ_TIMEOUT = "AIS_ETL_READ_TIMEOUT"
ENV_MAX_BUFFERED = "AIS_ETL_MAX_BUFFERED"
ENV_MAX_CONNECTIONS = "AIS_ETL_MAX_CONNECTIONS"
ENV_MAX_CONN = "MAX_CONN"
ENV_MAX_KEEPALIVE_CONN = "MAX_KEEPALIVE_CONN"
ENV_KEEPALIVE_EXPIRY = "KEEPALIVE_EXPIRY"

_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off", ""})

_Number = TypeVar("_Number", int, float)


class InvalidETLEnvironment(EnvironmentError, InvalidArgument):  # noqa: N818 - named for what it says
    """An environment variable of an ETL server that is missing or has no usable value."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The environment of an ETL server.

    Attributes:
        host_target: `AIS_TARGET_URL`: base of the target's object API, for hpull and direct put. Required.
        direct_put: `DIRECT_PUT`: informational, a request's header decides. Default False.
        direct_fqn: `ETL_DIRECT_FQN`: hand the file's path, not its bytes, to `transform`. Default False.
        direct_put_retries: `AIS_DIRECT_PUT_RETRIES`: attempts after the first one. Default 3.
        chunk_size: `AIS_DIRECT_PUT_CHUNK_SIZE`: bytes per chunk of a buffered direct put. Default 1 MiB.
        secret: `AIS_ETL_SECRET`: what requests must show, see `caller`. Default: none, nothing is checked.
        token: `AIS_AUTHN_TOKEN`: bearer token of every outgoing request.
        fqn: `AIS_ETL_FQN`: whether files named by requests are read at all. Default True.
        fqn_roots: `AIS_ETL_FQN_ROOTS`: folders below which they must lie, joined by the system's path
            separator, which has a backslash before it where it is part of a name. Default: none, then a path
            must look like an object's below a mount path of a target.
        allowed_hosts: `AIS_ETL_ALLOWED_HOSTS`: the only hosts and networks that results are sent to.
            Default: none, then see `destinations`.
        connect_timeout: `AIS_ETL_CONNECT_TIMEOUT`: seconds. Default 10; 0 is no limit.
        read_timeout: `AIS_ETL_READ_TIMEOUT`: seconds without a byte of the answer. The next stage answers
            when its own transform is done, so the default is 3600; 0 is no limit.
        max_buffered: `AIS_ETL_MAX_BUFFERED`: bytes of an object that `transform` gets in memory; a larger one
            is answered 413. Default 16 GiB, the most that a target takes over a websocket.
        max_connections: `AIS_ETL_MAX_CONNECTIONS`: connections that a multi-threaded or Flask server has open
            at a time. Default 1024.
        max_conn: `MAX_CONN`: outgoing connections, and threads of a FastAPI server. Default 256.
        max_keepalive_conn: `MAX_KEEPALIVE_CONN`: how many of them are kept when idle. Default 128.
        keepalive_expiry: `KEEPALIVE_EXPIRY`: seconds an idle one is kept. Default 30.
    """

    host_target: str = field(repr=False)
    direct_put: bool = False
    direct_fqn: bool = False
    direct_put_retries: int = 3
    chunk_size: int = MIB
    secret: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)
    fqn: bool = True
    fqn_roots: tuple[str, ...] = ()
    allowed_hosts: AllowedHosts | None = None
    connect_timeout: float | None = 10.0
    read_timeout: float | None = 3600.0
    max_buffered: int = 16 << 30
    max_connections: int = 1024
    max_conn: int = 256
    max_keepalive_conn: int = 128
    keepalive_expiry: float = 30.0

    @property
    def timeout(self) -> tuple[float | None, float | None]:
        """Limits of an outgoing request as `requests` takes them: (connect, read), in seconds."""
        return self.connect_timeout, self.read_timeout

    def hide(self, text: str) -> str:
        """Return a text for others without the secrets that it may repeat, as the URL of the target does."""
        return hide_secrets(text, self.host_target, self.secret)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> ServerSettings:
        """Read and check the environment.

        Args:
            env: The variables. Default: those of this process.

        Raises:
            InvalidETLEnvironment: A required variable is missing, or a value cannot be used.
        """
        env = os.environ if env is None else env
        return cls(
            host_target=_target_url(env),
            direct_put=_flag(env, ENV_DIRECT_PUT, default=False),
            direct_fqn=_flag(env, ENV_DIRECT_FQN, default=False),
            direct_put_retries=_number(env, AIS_DIRECT_PUT_RETRIES, 3, int, least=0),
            chunk_size=_number(env, AIS_DIRECT_PUT_CHUNK_SIZE, MIB, int, least=1),
            secret=known_secret(env),
            token=env.get(AIS_AUTHN_TOKEN) or None,
            fqn=_flag(env, ENV_FQN, default=True),
            fqn_roots=_fqn_roots(env),
            allowed_hosts=_allowed_hosts(env),
            connect_timeout=_number(env, ENV_CONNECT_TIMEOUT, 10.0, float, least=0) or None,
            read_timeout=_number(env, ENV_READ_TIMEOUT, 3600.0, float, least=0) or None,
            max_buffered=_number(env, ENV_MAX_BUFFERED, 16 << 30, int, least=1),
            max_connections=_number(env, ENV_MAX_CONNECTIONS, 1024, int, least=1),
            max_conn=_number(env, ENV_MAX_CONN, 256, int, least=1),
            max_keepalive_conn=_number(env, ENV_MAX_KEEPALIVE_CONN, 128, int, least=0),
            keepalive_expiry=_number(env, ENV_KEEPALIVE_EXPIRY, 30.0, float, least=0),
        )


def _target_url(env: Mapping[str, str]) -> str:
    url = env.get(ENV_TARGET_URL, "").strip()
    if not url:
        raise InvalidETLEnvironment(
            f"{ENV_TARGET_URL} is not set: an ETL server needs the URL of its target, such as http://host:port"
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidETLEnvironment(
            f"{ENV_TARGET_URL}={url!r} is not a URL of the form http://host:port[/path]"
        )
    return url


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name)
    if text is None:
        return default
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise InvalidETLEnvironment(f"{name}={text!r} is not a boolean: use true or false")


def _number(
    env: Mapping[str, str], name: str, default: _Number, kind: Callable[[str], _Number], *, least: int
) -> _Number:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = None
    # Written so that NaN fails too.
    if value is None or not least <= value < float("inf"):
        raise InvalidETLEnvironment(f"{name}={text!r} is not a number of at least {least}")
    return value


def _fqn_roots(env: Mapping[str, str]) -> tuple[str, ...]:
    separator = re.escape(os.pathsep)
    found = re.split(rf"(?<!\\){separator}", env.get(ENV_FQN_ROOTS, ""))
    roots = [root.replace(f"\\{os.pathsep}", os.pathsep) for root in found if root.strip()]
    for root in roots:
        if not os.path.isabs(root):
            raise InvalidETLEnvironment(f"{ENV_FQN_ROOTS}: {root!r} is not an absolute path")
    return tuple(os.path.realpath(root) for root in roots)


def _allowed_hosts(env: Mapping[str, str]) -> AllowedHosts | None:
    text = env.get(ENV_ALLOWED_HOSTS, "").strip()
    if not text:
        return None
    try:
        return AllowedHosts.parse(text)
    except InvalidArgument as exc:
        raise InvalidETLEnvironment(f"{ENV_ALLOWED_HOSTS}: {exc}") from None
