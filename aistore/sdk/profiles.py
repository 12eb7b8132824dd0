"""Named profiles: where a cluster is and how to talk to it, from a file that programs and people share.

```toml
# ~/.config/aistore/config.toml
default_profile = "lab"

[profiles.lab]
endpoint = "https://ais.lab:51080"
ca_cert = "lab-ca.pem"          # paths are relative to this file
read_timeout = 60
token_file = "~/lab.token"      # mode 0600; a token itself never stands here
```

An argument comes before the environment, the environment before the profile, the profile before defaults.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.token_files import StoredToken, read_token_file

logger = logging.getLogger(__name__)

ENV_PROFILE = "AIS_PROFILE"
ENV_TOKEN_FILE = "AIS_AUTHN_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a token
ENV_AUTHN_URL = "AIS_AUTHN_URL"
DEFAULT_PROFILE = "default"

_KINDS: dict[str, tuple[type, ...]] = {
    "endpoint": (str,),
    "auth_endpoint": (str,),
    "skip_verify": (bool,),
    "ca_cert": (str,),
    "client_cert": (str,),
    "client_key": (str,),
    "connect_timeout": (int, float),
    "read_timeout": (int, float),
    "max_pool_size": (int,),
    "direct": (bool,),
    "validate_checksum": (bool,),
    "token_file": (str,),
}
KEYS = tuple(_KINDS)
"""Every key of a profile."""

_PATHS = ("ca_cert", "client_cert", "client_key", "token_file")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOP_LEVEL = ("default_profile", "profiles")


class Profile(NamedTuple):
    """A profile: its name, its values by key, and the file that it stands in or would."""

    name: str
    values: Mapping[str, Any]
    path: Path

    @property
    def login_file(self) -> Path:
        """Where a login keeps the token of this profile."""
        return self.path.parent / "tokens" / f"{self.name}.json"


def config_path(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the configuration file's path: the argument, else below `XDG_CONFIG_HOME`, else `~/.config`.

    Args:
        path: The path itself. Default: `aistore/config.toml` in the folder for configuration.
    """
    if path is not None:
        return Path(path).expanduser()
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative path there is to be ignored (XDG Base Directory Specification).
    base = Path(folder) if os.path.isabs(folder) else Path("~/.config").expanduser()
    return base / "aistore" / "config.toml"


def load_profile(name: str | None = None, path: str | os.PathLike[str] | None = None) -> Profile:
    """Read a profile.

    Args:
        name: Its name. Default: `AIS_PROFILE`, else the file's `default_profile`, else `default`, which may
            be missing.
        path: The file. Default: see `config_path`.

    Raises:
        InvalidArgument: There is no such profile or file, or the file has something in it that is no
            configuration.
    """
    file = config_path(path)
    wanted = name or os.environ.get(ENV_PROFILE) or ""
    if wanted and not _NAME.fullmatch(wanted):
        raise InvalidArgument(f"profile name {wanted!r}: expected letters, digits, '.', '_' and '-'")
    config = _read(file) if file.exists() or path is not None else {}
    profiles = config.get("profiles", {})
    wanted = wanted or config.get("default_profile", "")
    if wanted and wanted not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise InvalidArgument(f"there is no profile {wanted!r} in {file}; profiles there: {known}")
    wanted = wanted or DEFAULT_PROFILE
    return Profile(wanted, profiles.get(wanted, {}), file)


def profile_names(path: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the names of the profiles in a file, sorted; none when there is no file.

    Args:
        path: The file. Default: see `config_path`.
    """
    file = config_path(path)
    return sorted(_read(file).get("profiles", {})) if file.exists() else []


def connection_arguments(profile: Profile, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `client_arguments` returns, without a token that is looked up.

    Args:
        profile: The profile.
        overrides: Arguments that come before it; `None` stands for one that is not given.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    return {**_from_profile(profile.values), **given}


def client_arguments(profile: Profile, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that `Client` is made with.

    A token goes only to the cluster that it is for: one of the profile is left out when the endpoint is
    another than the profile's.

    Args:
        profile: The profile.
        overrides: Arguments of `Client`, and `token_file`; `None` stands for one that is not given.

    Raises:
        InvalidArgument: The token file cannot be used.
    """
    arguments = connection_arguments(profile, overrides)
    token_file = arguments.pop("token_file", None)
    if not arguments.get("token") and (token_file or not os.environ.get("AIS_AUTHN_TOKEN")):
        endpoint = arguments.get("endpoint") or os.environ.get("AIS_ENDPOINT", "")
        token = _find_token(profile, "endpoint", endpoint, token_file)
        if token:
            arguments["token"] = token
    return arguments


def auth_endpoint(profile: Profile, given: str | None = None) -> str:
    """Return the URL of the AuthN service: the argument, else `AIS_AUTHN_URL`, else the profile's, else "".

    Args:
        profile: The profile.
        given: The argument.
    """
    return given or os.environ.get(ENV_AUTHN_URL) or profile.values.get("auth_endpoint") or ""


def same_server(one: str, other: str) -> bool:
    """Return whether two endpoints are the same but for a slash or the API version at the end.

    Args:
        one: An endpoint.
        other: Another one.
    """
    return _bare(one) == _bare(other)


def _bare(endpoint: str) -> str:
    return endpoint.rstrip("/").removesuffix("/v1").rstrip("/").lower()


def _from_profile(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as arguments, without those that the environment overrides."""
    from aistore.sdk.client import DEFAULT_TIMEOUT, resolve_timeout

    environment = {
        "endpoint": ("AIS_ENDPOINT",),
        "skip_verify": ("AIS_SKIP_VERIFY_CRT", "AIS_SKIP_VERIFY"),
        "ca_cert": ("AIS_CLIENT_CA",),
        "max_pool_size": ("AIS_MAX_CONN_POOL",),
        "direct": ("AIS_DIRECT",),
        "validate_checksum": ("AIS_VALIDATE_CHECKSUM",),
    }
    arguments = {
        key: values[key]
        for key, names in environment.items()
        if key in values and not any(os.environ.get(name) for name in names)
    }
    if "client_cert" in values and not (os.environ.get("AIS_CRT") and os.environ.get("AIS_CRT_KEY")):
        key = values.get("client_key")
        arguments["client_cert"] = (values["client_cert"], key) if key else values["client_cert"]
    if "connect_timeout" in values or "read_timeout" in values:
        connect, read = DEFAULT_TIMEOUT
        default = (values.get("connect_timeout", connect), values.get("read_timeout", read))
        arguments["timeout"] = resolve_timeout(None, default) or 0
    return arguments


def authn_token(profile: Profile, server: str, token_file: str | os.PathLike[str] | None = None) -> str:
    """Return the token for an AuthN service, "" if there is none that is for it.

    Args:
        profile: The profile.
        server: URL of the service.
        token_file: A file with the token. Default: `AIS_AUTHN_TOKEN_FILE`, else the profile's.

    Raises:
        InvalidArgument: The token file cannot be used.
    """
    return _find_token(profile, "auth_endpoint", server, token_file)


def _find_token(profile: Profile, kind: str, server: str, token_file: str | os.PathLike[str] | None) -> str:
    """Return the token for a server, which is the `endpoint` or the `auth_endpoint` of the profile."""
    explicit = token_file or os.environ.get(ENV_TOKEN_FILE)
    if explicit:
        return _usable(read_token_file(explicit), kind, server)
    if "token_file" in profile.values:
        if not same_server(server, profile.values.get(kind, server)):
            return ""
        return _usable(read_token_file(profile.values["token_file"]), kind, server)
    if profile.login_file.exists():
        return _usable(read_token_file(profile.login_file), kind, server)
    return ""


def _usable(stored: StoredToken, kind: str, server: str) -> str:
    meant = getattr(stored, kind)
    if not meant or same_server(meant, server):
        return stored.token
    logger.info("the stored token is for %s and is not sent to %s", meant, server)
    return ""


# ---------------------------------------------------------------- the file


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
                raise InvalidArgument(f"{path}: everybody may write to it: chmod o-w {path}")
            text = file.read().decode("utf-8")
        config = _parse_toml(text)
    except OSError as err:
        raise InvalidArgument(f"{path}: {err.strerror or err}") from None
    except InvalidArgument:
        raise
    except ValueError as err:
        raise InvalidArgument(f"{path}: {err}") from None
    for key in config:
        if key not in _TOP_LEVEL:
            raise InvalidArgument(f"{path}: unknown key {key!r}; there are {', '.join(_TOP_LEVEL)}")
    if not isinstance(config.get("default_profile", ""), str):
        raise InvalidArgument(f"{path}: default_profile: expected the name of a profile")
    profiles = config.setdefault("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(one, dict) for one in profiles.values()):
        raise InvalidArgument(f"{path}: profiles: expected tables, as [profiles.NAME]")
    for name, values in profiles.items():
        if not _NAME.fullmatch(name):
            raise InvalidArgument(
                f"{path}: profile name {name!r}: expected letters, digits, '.', '_' and '-'"
            )
        profiles[name] = _checked(path, name, values)
    return config


def _checked(path: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    where = f"{path}: profile {name!r}"
    for key, value in values.items():
        if key in ("token", "password"):
            raise InvalidArgument(
                f"{where}: a {key} does not belong there: keep a token in a file of its own (chmod 600) and "
                "name that as token_file, or use `aistore auth login`"
            )
        if key not in _KINDS:
            raise InvalidArgument(f"{where}: unknown key {key!r}; there are {', '.join(KEYS)}")
        kinds = _KINDS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise InvalidArgument(f"{where}: {key}: expected {kinds[-1].__name__}, not {value!r}")
        if isinstance(value, (int, float)) and value < 0:
            raise InvalidArgument(f"{where}: {key}: expected a number from 0 on, not {value!r}")
    if "client_key" in values and "client_cert" not in values:
        raise InvalidArgument(f"{where}: client_key needs client_cert")
    folder = path.absolute().parent
    located = {key: str(folder / Path(values[key]).expanduser()) for key in _PATHS if key in values}
    return {**values, **located}


def _parse_toml(text: str) -> dict[str, Any]:
    try:
        toml: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError:
        raise InvalidArgument(
            "reading profiles on Python 3.10 needs the extra 'cli': pip install 'aistore[cli]'"
        ) from None
    parsed: dict[str, Any] = toml.loads(text)
    return parsed
