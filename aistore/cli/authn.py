"""The AuthN service of a run: its client, the file of its token, passwords that nobody sees."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aistore.cli.exits import USAGE, CliError

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.sdk.authn.authn_client import AuthNClient

F = TypeVar("F", bound=Callable[..., Any])

_SHARED = ("ca_cert", "client_cert", "skip_verify", "timeout")


def auth_option(function: F) -> F:
    """Add `--auth-endpoint` to a command."""
    option = click.option("--auth-endpoint", metavar="URL", help="The AuthN service [env: AIS_AUTHN_URL].")
    return option(function)


def authn_client(session: Session, given: str | None, *, with_token: bool = True) -> AuthNClient:
    """Return a client of the AuthN service.

    Args:
        session: The run.
        given: Its URL, if the user said it.
        with_token: Use the token of the last login. Default: `True`.

    Raises:
        CliError: Nobody says where the service is (exit code 2).
    """
    from aistore.sdk.authn.authn_client import AuthNClient
    from aistore.sdk.profiles import auth_endpoint, authn_token

    profile = session.chosen_profile
    endpoint = auth_endpoint(profile, given)
    if not endpoint and with_token and profile.login_file.exists():
        from aistore.sdk.token_files import read_token_file

        endpoint = read_token_file(profile.login_file).auth_endpoint
    if not endpoint:
        raise CliError(
            "where is the AuthN service? Give --auth-endpoint, AIS_AUTHN_URL or a profile's auth_endpoint",
            USAGE,
        )
    arguments = {key: session.known_arguments[key] for key in _SHARED if key in session.known_arguments}
    token = authn_token(profile, endpoint, session.token_file) if with_token else ""
    return AuthNClient(endpoint, token=token or None, **arguments)


def login_path(session: Session) -> Path:
    """Return the file that a login keeps its token in."""
    profile = session.chosen_profile
    chosen = session.token_file or profile.values.get("token_file")
    return Path(chosen).expanduser() if chosen else profile.login_file


def read_password(from_stdin: bool, prompt: str = "Password", *, twice: bool = False) -> str:
    """Read a password, from standard input or unseen from the terminal; never from an argument.

    Raises:
        CliError: There is neither (exit code 2).
    """
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise CliError("standard input has no password: its first line must be one", USAGE)
        return given
    if not sys.stdin.isatty():
        raise CliError("there is no terminal to ask for the password on: add --password-stdin", USAGE)
    password: str = click.prompt(prompt, hide_input=True, err=True, confirmation_prompt=twice)
    return password
