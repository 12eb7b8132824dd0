"""Tokens in files: read only when nobody else can, written so that nobody else can."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from aistore.sdk.credentials import Secret
from aistore.sdk.errors import InvalidArgument

_LIMIT = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class StoredToken(NamedTuple):
    """A token and the servers that it is for: the cluster's endpoint and the AuthN service's, "" for any."""

    token: str
    endpoint: str = ""
    auth_endpoint: str = ""


def read_token_file(path: str | os.PathLike[str]) -> StoredToken:
    """Read a token from a file.

    The file holds the token as it is, or JSON `{"token": ...}`, as AIStore's own command line writes it.

    Args:
        path: The file; `~` is the home folder.

    Raises:
        InvalidArgument: It cannot be read, holds no token, or somebody else may read or write it.
    """
    file = Path(path).expanduser()
    try:
        # Checked by descriptor: a file that was checked by name may be another one when it is read.
        with file.open("rb") as opened:
            _check_private(file, os.fstat(opened.fileno()))
            content = opened.read(_LIMIT + 1)
    except OSError as err:
        raise InvalidArgument(f"token file {file}: {err.strerror or err}") from None
    if len(content) > _LIMIT:
        raise InvalidArgument(f"token file {file}: more than {_LIMIT} bytes, which is no token")
    try:
        return _parse(content.decode("ascii").strip())
    except ValueError:
        # Without the text at fault, which may be the token.
        raise InvalidArgument(
            f'token file {file}: expected a token in one line, or JSON {{"token": ...}}'
        ) from None


def write_token_file(path: Path, stored: StoredToken) -> None:
    """Write a token to a file that only this user can read; it replaces one that is there, in one step.

    Args:
        path: The file; folders that are missing are made, for this user only.
        stored: The token.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".token-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump({key: str(value) for key, value in stored._asdict().items() if value}, file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _check_private(path: Path, info: os.stat_result) -> None:
    if not hasattr(os, "getuid"):  # Windows: its access lists are another matter
        return
    if info.st_mode & _OTHERS:
        raise InvalidArgument(
            f"token file {path}: other users may use it (mode {stat.S_IMODE(info.st_mode):04o}): "
            f"chmod 600 {path}"
        )
    if info.st_uid not in (os.getuid(), 0):
        raise InvalidArgument(f"token file {path}: it belongs to another user")


def _parse(text: str) -> StoredToken:
    values = {"token": text}
    if text.startswith("{"):
        loaded = json.loads(text)
        values = {key: loaded[key] for key in StoredToken._fields if loaded.get(key)}
    token = values.get("token", "")
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError("not text")
    if not token or not token.isprintable() or " " in token:
        raise ValueError("no token")
    return StoredToken(**{**values, "token": Secret(token)})
