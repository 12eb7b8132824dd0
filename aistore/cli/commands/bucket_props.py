"""`aistore bucket props`: a bucket's properties."""

from __future__ import annotations

import json

import click

from aistore.cli.command import Group
from aistore.cli.params import BUCKET
from aistore.cli.session import Session, pass_session
from aistore.cli.settings import flatten, parse_settings
from aistore.cli.uri import parse_bucket

_SET = "set-bprops"
_RESET = "reset-bprops"


@click.group(
    name="props",
    cls=Group,
    examples=(
        "aistore bucket props show ais://images",
        "aistore bucket props set ais://images checksum.type=md5",
        "aistore bucket props reset ais://images",
    ),
)
def props() -> None:
    """Show, set and reset a bucket's properties."""


@props.command(
    examples=("aistore bucket props show ais://images", "aistore bucket props show ais://b mirror")
)
@click.argument("uri", type=BUCKET)
@click.argument("section", required=False, default="")
@pass_session
def show(session: Session, uri: str, section: str) -> None:
    """Show the properties, all or those whose names begin with SECTION."""
    from aistore.sdk.const import HEADER_BUCKET_PROPS

    headers = parse_bucket(uri).of(session.client).head()
    values = json.loads(headers.get(HEADER_BUCKET_PROPS, "{}"))
    if session.json:
        session.out.document(values.get(section, values) if section else values)
    else:
        session.out.pairs((key, value) for key, value in flatten(values) if key.startswith(section))


@props.command("set", examples=("aistore bucket props set ais://b mirror.enabled=true mirror.copies=2",))
@click.argument("uri", type=BUCKET)
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@pass_session
def set_(session: Session, uri: str, settings: tuple[str, ...]) -> None:
    """Set properties; those that are not named stay."""
    where = parse_bucket(uri)
    where.of(session.client).make_request("patch", _SET, value=parse_settings(settings))
    session.out.note(f"{where}: {', '.join(settings)}")


@props.command(examples=("aistore bucket props reset ais://images",))
@click.argument("uri", type=BUCKET)
@pass_session
def reset(session: Session, uri: str) -> None:
    """Set all properties to the cluster's defaults."""
    where = parse_bucket(uri)
    where.of(session.client).make_request("patch", _RESET)
    session.out.note(f"{where} has the default properties")
