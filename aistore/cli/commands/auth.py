"""`aistore auth`: logging in and out; users, roles and clusters of the AuthN service."""

from __future__ import annotations

import base64
import json
import os
from datetime import datetime, timezone
from typing import Any

import click

from aistore.cli.authn import auth_option, authn_client, login_path, read_password
from aistore.cli.command import Group
from aistore.cli.commands.auth_admin import cluster, role, user
from aistore.cli.exits import USAGE, CliError
from aistore.cli.session import Session, pass_session


@click.group(
    name="auth",
    cls=Group,
    examples=(
        "aistore auth login admin --auth-endpoint http://localhost:52001",
        "aistore auth user ls",
        "aistore auth user create jane --role readers",
        "aistore auth role create readers --cluster main --access ro",
        "aistore auth logout",
    ),
)
def command() -> None:
    """Log in and out; manage users, roles and clusters.

    The AuthN service is the one of --auth-endpoint, AIS_AUTHN_URL or the profile. Tokens are kept in files
    that only you can read, and are never shown.
    """


for _group in (user, role, cluster):
    command.add_command(_group)


@command.command(
    examples=(
        "aistore auth login jane",
        "aistore auth login --password-stdin jane < secret.txt",
        "aistore auth login --expires 8h jane",
    )
)
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--expires", metavar="TIME", help="How long the token is valid, e.g. 8h.")
@auth_option
@pass_session
def login(
    session: Session, name: str, password_stdin: bool, expires: str | None, auth_endpoint: str | None
) -> None:
    """Get a token, and keep it in a file that only you can read; later commands use it.

    It is sent to this cluster and this AuthN service only.
    """
    from aistore.sdk.token_files import StoredToken, write_token_file
    from aistore.sdk.utils import convert_to_seconds

    seconds = convert_to_seconds(expires) if expires else None
    endpoint = session.known_arguments.get("endpoint") or os.environ.get("AIS_ENDPOINT", "")
    if not endpoint:
        raise CliError("which cluster is the token for? Give --endpoint, AIS_ENDPOINT or a profile", USAGE)
    with authn_client(session, auth_endpoint, with_token=False) as authn:
        token = authn.login(name, read_password(password_stdin), seconds)
        service = authn.client.base_url.removesuffix("/v1")
    path = login_path(session)
    write_token_file(path, StoredToken(token, endpoint, service))
    session.out.note(f"logged in as {name}; the token is in {path}")


@command.command(examples=("aistore auth logout",))
@auth_option
@pass_session
def logout(session: Session, auth_endpoint: str | None) -> None:
    """Make the token invalid and remove its file."""
    path = login_path(session)
    with authn_client(session, auth_endpoint) as authn:
        if not authn.client.token:
            raise CliError("you are not logged in there")
        authn.logout()
    path.unlink(missing_ok=True)
    session.out.note("logged out")


@command.command(examples=("aistore auth whoami",))
@pass_session
def whoami(session: Session) -> None:
    """Show whom the token in use is for, and until when; the token itself is not shown."""
    claims = _claims(session.client.cluster().client.token or "")
    if session.json:
        session.out.document(claims)
        return
    if not claims:
        raise CliError("there is no token, or not one that says whom it is for")
    session.out.pairs(claims.items())


def _claims(token: str) -> dict[str, Any]:
    """Return what a JWT says, without what would let somebody else use it."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    shown = {}
    for key, value in claims.items():
        is_time = key in ("exp", "iat", "nbf") and isinstance(value, (int, float))
        shown[key] = datetime.fromtimestamp(value, timezone.utc).isoformat() if is_time else value
    return shown
