"""The built-in user of the AuthN service, as the server is told about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import MutableMapping

NAME_VARIABLE = "AIS_AUTHN_SU_NAME"
PASSWORD_VARIABLE = "AIS_AUTHN_SU_PASS"  # noqa: S105 - the name of a variable

ACCOUNTS = "authn-user"
"""The kind of the documents that users are kept as: a folder that has some was used with AuthN."""

SECRET_FILE = "authn-secret"  # noqa: S105 - the name of a file
"""In the data folder: the secret that tokens are signed with, in no other place."""

DEFAULT_NAME = "admin"
DEFAULT_PORT = 52001


class Admin(NamedTuple):
    """Name and password; the password does not show in a `repr`.

    An empty password keeps the one of an earlier start, or makes one up where there is none.
    """

    name: str = DEFAULT_NAME
    password: str = ""

    def __repr__(self) -> str:
        return f"Admin({self.name!r}, '***')"


def take_admin(env: MutableMapping[str, str]) -> Admin:
    """The user that the environment names. What is taken is gone from there: no other process inherits it."""
    name = env.pop(NAME_VARIABLE, "")
    return Admin(name or DEFAULT_NAME, env.pop(PASSWORD_VARIABLE, ""))
