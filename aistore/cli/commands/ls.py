"""`aistore ls`: buckets, or the objects of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aistore.cli.buckets import show_buckets
from aistore.cli.command import Command
from aistore.cli.exits import NOT_FOUND, CliError
from aistore.cli.params import URI
from aistore.cli.session import Session, pass_session
from aistore.cli.text import human_size
from aistore.cli.uri import Uri, parse_uri

if TYPE_CHECKING:
    from aistore.sdk.models.listing import BucketEntry

_PROPS = "name,size"
_LONG_PROPS = "name,size,checksum,version,atime"


@click.command(
    name="ls",
    cls=Command,
    examples=(
        "aistore ls                          the buckets",
        "aistore ls ais://images             folders and objects at the top of a bucket",
        "aistore ls -l ais://images/2026/    with size, version, time of access and checksum",
        "aistore ls -r ais://images/2026/c   all whose names begin so, in folders too",
        "aistore ls --archive ais://b/a.tar  the members of an archive",
        "aistore ls --json -r ais://images   a line of JSON for each",
    ),
)
@click.argument("uri", required=False, type=URI)
@click.option("-l", "--long", is_flag=True, help="Sizes, versions, times of access and checksums.")
@click.option("-r", "--recursive", is_flag=True, help="Whole names, instead of folders.")
@click.option("--uri", "full", is_flag=True, help="Whole URIs, as other commands take them.")
@click.option("--bytes", "exact", is_flag=True, help="Sizes in bytes.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N lines.")
@click.option("--archive", is_flag=True, help="The members of an archive.")
@pass_session
def command(
    session: Session,
    uri: str | None,
    long: bool,
    recursive: bool,
    full: bool,
    exact: bool,
    limit: int | None,
    archive: bool,
) -> None:
    """List buckets, or the objects of a bucket whose names begin with what follows it."""
    where = parse_uri(uri) if uri else Uri("")
    if not where.bucket:
        show_buckets(session, where.provider)
        return
    entries = _archive(session, where) if archive else _entries(session, where, recursive, long)
    count = 0
    for entry in entries:
        count += 1
        name = str(where.below(entry.name)) if full else entry.name
        if session.json:
            session.out.record(_record(where, entry, long))
        elif long:
            session.out.line(_long_line(entry, name, exact))
        else:
            session.out.line(name)
        if count == limit:
            break
    if not count and where.name:
        raise CliError(f"nothing begins with {where}", NOT_FOUND)


def _entries(session: Session, where: Uri, recursive: bool, long: bool) -> Any:
    from aistore.sdk.list_object_flag import ListObjectFlag

    return where.of(session.client).list_objects_iter(
        prefix=where.name,
        props=_LONG_PROPS if long else _PROPS,
        flags=[] if recursive else [ListObjectFlag.NO_RECURSION],
        prefetch=True,
    )


def _archive(session: Session, where: Uri) -> list[BucketEntry]:
    members = where.of(session.client).list_archive(where.name, include_archive_obj=True, props=_PROPS)
    return [entry for entry in members if entry.name != where.name]


def _record(where: Uri, entry: BucketEntry, long: bool) -> dict[str, Any]:
    record: dict[str, Any] = {"name": entry.name, "uri": str(where.below(entry.name)), "size": entry.size}
    if long:
        record |= {"checksum": entry.checksum, "version": entry.version, "atime": entry.atime}
    return record


def _long_line(entry: BucketEntry, name: str, exact: bool) -> str:
    if name.endswith("/"):
        return f"{'-':>12}  {'':>4}  {'':25}  {'':18}  {name}"
    size = str(entry.size) if exact else human_size(entry.size)
    return f"{size:>12}  {entry.version:>4}  {entry.atime[:25]:25}  {entry.checksum[:16]:18}  {name}"
