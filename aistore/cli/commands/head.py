"""`aistore head`: the properties of an object."""

from __future__ import annotations

from typing import Any

import click

from aistore.cli.command import Command
from aistore.cli.params import URI
from aistore.cli.session import Session, pass_session
from aistore.cli.text import human_size, iso_time
from aistore.cli.uri import parse_object


@click.command(
    name="head",
    cls=Command,
    examples=("aistore head ais://images/cat.jpg", "aistore head --json ais://images/cat.jpg"),
)
@click.argument("uri", type=URI)
@pass_session
def command(session: Session, uri: str) -> None:
    """Show the properties of an object: size, checksum, version, times, place, custom metadata."""
    where = parse_object(uri)
    props = where.object_of(session.client).props
    values: dict[str, Any] = {
        "uri": str(where),
        "size": props.size,
        "checksum_type": props.checksum_type,
        "checksum": props.checksum_value,
        "version": props.obj_version,
        "atime": iso_time(props.access_time),
        "last_modified": props.last_modified,
        "etag": props.etag,
        "location": props.location,
        "copies": props.mirror_copies,
        "custom": dict(props.custom_metadata),
    }
    if session.json:
        session.out.document(values)
        return
    custom = values.pop("custom")
    values["size"] = f"{props.size} ({human_size(props.size)})" if props.size >= 1024 else props.size
    shown = [(name, value) for name, value in values.items() if value not in ("", None, 0) or name == "size"]
    session.out.pairs([*shown, *((f"custom.{name}", value) for name, value in sorted(custom.items()))])
