"""`aistore auth user|role|cluster`: who may do what where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aistore.cli.authn import auth_option, authn_client, read_password
from aistore.cli.command import Group
from aistore.cli.exits import USAGE, CliError
from aistore.cli.session import Session, pass_session

if TYPE_CHECKING:
    from aistore.sdk.authn.access_attr import AccessAttr
    from aistore.sdk.authn.types import RoleInfo

_SETS = {
    "ro": "ACCESS_RO",
    "rw": "ACCESS_RW",
    "cluster-ro": "CLUSTER_ACCESS_RO",
    "cluster-rw": "CLUSTER_ACCESS_RW",
    "su": "ACCESS_SU",
}


@click.group(name="user", cls=Group, examples=("aistore auth user create jane --role readers",))
def user() -> None:
    """Manage users."""


@user.command("ls", examples=("aistore auth user ls",))
@auth_option
@pass_session
def user_ls(session: Session, auth_endpoint: str | None) -> None:
    """List the users and their roles."""
    with authn_client(session, auth_endpoint) as authn:
        rows = [
            {"user": name, "roles": [one.name for one in info.roles]}
            for name, info in sorted(authn.user_manager().list().items())
        ]
    _show(session, rows)


@user.command("create", examples=("aistore auth user create jane --role readers --role writers",))
@click.argument("name")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role of the user.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@auth_option
@pass_session
def user_create(
    session: Session, name: str, roles: tuple[str, ...], password_stdin: bool, auth_endpoint: str | None
) -> None:
    """Create a user; the password is asked for."""
    password = read_password(password_stdin, f"Password of {name}", twice=True)
    with authn_client(session, auth_endpoint) as authn:
        authn.user_manager().create(name, list(roles), password)
    session.out.note(f"user {name} is there")


@user.command(
    "update",
    examples=("aistore auth user update jane --role writers", "aistore auth user update jane --password"),
)
@click.argument("name")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="The roles from now on.")
@click.option("--password", "ask", is_flag=True, help="Ask for a new password.")
@click.option("--password-stdin", is_flag=True, help="Read the new password from standard input.")
@auth_option
@pass_session
def user_update(
    session: Session,
    name: str,
    roles: tuple[str, ...],
    ask: bool,
    password_stdin: bool,
    auth_endpoint: str | None,
) -> None:
    """Change a user's roles or password."""
    if not (roles or ask or password_stdin):
        raise CliError("what is to change? Give --role, --password or --password-stdin", USAGE)
    password = None
    if ask or password_stdin:
        password = read_password(password_stdin, f"New password of {name}", twice=True)
    with authn_client(session, auth_endpoint) as authn:
        authn.user_manager().update(name, password=password, roles=list(roles) or None)
    session.out.note(f"user {name} is changed")


@user.command("rm", examples=("aistore auth user rm jane",))
@click.argument("name")
@auth_option
@pass_session
def user_rm(session: Session, name: str, auth_endpoint: str | None) -> None:
    """Remove a user."""
    with authn_client(session, auth_endpoint) as authn:
        authn.user_manager().delete(name)
    session.out.note(f"user {name} is removed")


@click.group(
    name="role", cls=Group, examples=("aistore auth role create readers --cluster main --access ro",)
)
def role() -> None:
    """Manage roles: permissions under a name."""


@role.command("ls", examples=("aistore auth role ls",))
@auth_option
@pass_session
def role_ls(session: Session, auth_endpoint: str | None) -> None:
    """List the roles."""
    with authn_client(session, auth_endpoint) as authn:
        rows = [{"role": one.name, "description": one.desc} for one in authn.role_manager().list()]
    _show(session, rows)


@role.command("show", examples=("aistore auth role show readers",))
@click.argument("name")
@auth_option
@pass_session
def role_show(session: Session, name: str, auth_endpoint: str | None) -> None:
    """Show what a role permits."""
    with authn_client(session, auth_endpoint) as authn:
        info = authn.role_manager().get(name)
    if session.json:
        session.out.document(_role(info))
        return
    for key, value in _role(info).items():
        for one in value if isinstance(value, list) else [value]:
            text = f"{one['where']}: {one['access']}" if isinstance(one, dict) else one
            session.out.line(f"{key}: {text}")


def _role(info: RoleInfo) -> dict[str, Any]:
    clusters = [{"where": one.id, "access": one.describe()} for one in info.clusters or ()]
    buckets = [{"where": one.bck.get_path(), "access": one.describe()} for one in info.buckets or ()]
    return {"role": info.name, "description": info.desc, "clusters": clusters, "buckets": buckets}


@role.command(
    "create",
    examples=(
        "aistore auth role create readers --cluster main --access ro",
        "aistore auth role create team --cluster main --bucket images --access rw --access cluster-ro",
    ),
)
@click.argument("name")
@click.option("--cluster", "alias", required=True, metavar="ALIAS", help="The cluster it is about.")
@click.option("--bucket", metavar="NAME", help="Only this bucket.")
@click.option(
    "--access", multiple=True, required=True, metavar="SET", help=f"{', '.join(_SETS)}, or GET, PUT, ..."
)
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@auth_option
@pass_session
def role_create(
    session: Session,
    name: str,
    alias: str,
    bucket: str | None,
    access: tuple[str, ...],
    description: str,
    auth_endpoint: str | None,
) -> None:
    """Create a role."""
    permissions = [_permission(text) for text in access]
    with authn_client(session, auth_endpoint) as authn:
        authn.role_manager().create(name, description or name, alias, permissions, bucket)
    session.out.note(f"role {name} is there")


def _permission(text: str) -> AccessAttr:
    from aistore.sdk.authn.access_attr import AccessAttr

    name = _SETS.get(text.lower(), text.upper().replace("-", "_"))
    if name not in AccessAttr.__members__:
        known = ", ".join([*_SETS, *AccessAttr.__members__])
        raise CliError(f"--access {text!r}: expected one of {known}", USAGE)
    return AccessAttr[name]


@role.command("rm", examples=("aistore auth role rm readers",))
@click.argument("name")
@auth_option
@pass_session
def role_rm(session: Session, name: str, auth_endpoint: str | None) -> None:
    """Remove a role."""
    with authn_client(session, auth_endpoint) as authn:
        authn.role_manager().delete(name)
    session.out.note(f"role {name} is removed")


@click.group(name="cluster", cls=Group, examples=("aistore auth cluster register main http://proxy:8080",))
def cluster() -> None:
    """Manage the clusters that the service knows."""


@cluster.command("ls", examples=("aistore auth cluster ls",))
@auth_option
@pass_session
def cluster_ls(session: Session, auth_endpoint: str | None) -> None:
    """List the clusters."""
    with authn_client(session, auth_endpoint) as authn:
        found = authn.cluster_manager().list().clusters.values()
    _show(session, [{"cluster": one.id, "alias": one.alias, "urls": list(one.urls)} for one in found])


@cluster.command("register", examples=("aistore auth cluster register main http://proxy:8080",))
@click.argument("alias")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@auth_option
@pass_session
def cluster_register(session: Session, alias: str, urls: tuple[str, ...], auth_endpoint: str | None) -> None:
    """Register a cluster by the URLs of its proxies."""
    with authn_client(session, auth_endpoint) as authn:
        authn.cluster_manager().register(alias, list(urls))
    session.out.note(f"cluster {alias} is registered")


@cluster.command("rm", examples=("aistore auth cluster rm main",))
@click.argument("alias")
@auth_option
@pass_session
def cluster_rm(session: Session, alias: str, auth_endpoint: str | None) -> None:
    """Forget a cluster."""
    with authn_client(session, auth_endpoint) as authn:
        authn.cluster_manager().delete(cluster_alias=alias)
    session.out.note(f"cluster {alias} is forgotten")


def _show(session: Session, rows: list[dict[str, Any]]) -> None:
    if session.json:
        for row in rows:
            session.out.record(row)
    elif rows:
        cells = [
            [", ".join(value) if isinstance(value, list) else value for value in row.values()] for row in rows
        ]
        session.out.table([name.upper() for name in rows[0]], cells)
