"""`aistore bucket`: buckets as a whole."""

from __future__ import annotations

import json
from typing import Any

import click

from aistore.cli.buckets import show_buckets
from aistore.cli.command import Group
from aistore.cli.commands.bucket_props import props
from aistore.cli.copying import copy_bucket
from aistore.cli.exits import USAGE, CliError
from aistore.cli.jobs import wait_for
from aistore.cli.params import BUCKET
from aistore.cli.removal import confirm
from aistore.cli.session import Session, pass_session
from aistore.cli.settings import parse_settings
from aistore.cli.text import human_size
from aistore.cli.uri import Uri, parse_bucket, parse_uri


@click.group(
    name="bucket",
    cls=Group,
    examples=(
        "aistore bucket create ais://images --prop versioning.enabled=false",
        "aistore bucket info ais://images",
        "aistore bucket props set ais://images mirror.enabled=true mirror.copies=2",
        "aistore bucket copy ais://images ais://backup --prefix 2026/",
        "aistore bucket rename ais://images ais://pictures",
        "aistore bucket rm ais://images",
    ),
)
def command() -> None:
    """Create, remove, inspect and copy buckets. A bare name is one of ais://."""


command.add_command(props)


@command.command(examples=("aistore bucket create ais://images", "aistore bucket create --exist-ok images"))
@click.argument("uris", nargs=-1, required=True, type=BUCKET)
@click.option("--exist-ok", is_flag=True, help="It is no failure if a bucket is there already.")
@click.option(
    "--prop", "settings", multiple=True, metavar="KEY=VALUE", help="A property, e.g. mirror.copies=2."
)
@pass_session
def create(session: Session, uris: tuple[str, ...], exist_ok: bool, settings: tuple[str, ...]) -> None:
    """Create buckets."""
    values = parse_settings(settings)
    for where in [_own(text, "a cloud's buckets are made there") for text in uris]:
        where.of(session.client).create(exist_ok=exist_ok, props=values or None)
        session.out.note(f"{where} is there")


@command.command(examples=("aistore bucket rm ais://images", "aistore bucket rm --yes ais://tmp"))
@click.argument("uris", nargs=-1, required=True, type=BUCKET)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--missing-ok", is_flag=True, help="It is no failure if a bucket is not there.")
@pass_session
def rm(session: Session, uris: tuple[str, ...], yes: bool, missing_ok: bool) -> None:
    """Remove buckets and all that is in them."""
    parsed = [_own(text, "a cloud's buckets are removed there; see `bucket evict`") for text in uris]
    for where in parsed:
        confirm(f"Remove the bucket {where} and everything in it?", yes=yes)
        where.of(session.client).delete(missing_ok=missing_ok)
        session.out.note(f"{where} is removed")


@command.command(examples=("aistore bucket ls", "aistore bucket ls s3://", "aistore bucket ls --json"))
@click.argument("provider", required=False, default="")
@pass_session
def ls(session: Session, provider: str) -> None:
    """List the buckets, of all providers or of one (as s3://)."""
    scheme = parse_uri(provider).provider if "://" in provider else provider
    show_buckets(session, scheme)


@command.command(examples=("aistore bucket info ais://images", "aistore bucket info --json ais://images"))
@click.argument("uri", type=BUCKET)
@click.option("--prefix", default="", metavar="TEXT", help="Count only objects whose names begin so.")
@pass_session
def info(session: Session, uri: str, prefix: str) -> None:
    """Count a bucket's objects and bytes, and show what matters of its properties."""
    where = parse_bucket(uri)
    text, summary = where.of(session.client).info(prefix=prefix)
    properties = json.loads(text)
    if session.json:
        session.out.document({"uri": str(where), "summary": summary, "props": properties})
        return
    sizes, counts = summary.get("TotalSize", {}), summary.get("ObjCount", {})
    session.out.pairs(
        [
            ("uri", where),
            ("objects", counts.get("obj_count_present")),
            ("size", human_size(int(sizes.get("size_all_present_objs", 0)))),
            ("on disk", human_size(int(sizes.get("size_on_disk", 0)))),
            ("checksum", properties.get("checksum", {}).get("type")),
            ("versioning", _on(properties, "versioning")),
            ("mirror", _on(properties, "mirror")),
            ("erasure coding", _on(properties, "ec")),
        ]
    )


def _own(text: str, otherwise: str) -> Uri:
    """Return a bucket that lives in a cluster of AIStore, not in a cloud."""
    where = parse_bucket(text)
    if where.provider != "ais":
        raise CliError(f"{where}: {otherwise}", USAGE)
    return where


def _on(properties: dict[str, Any], name: str) -> str:
    return "on" if properties.get(name, {}).get("enabled") else "off"


@command.command(
    examples=(
        "aistore bucket copy ais://images ais://backup",
        "aistore bucket copy ais://images ais://backup --prefix 2026/ --prepend old/",
        "aistore bucket copy --no-wait ais://images ais://backup      prints the id of the job",
    )
)
@click.argument("source", type=BUCKET)
@click.argument("target", type=BUCKET)
@click.option("--prefix", default="", metavar="TEXT", help="Only objects whose names begin so.")
@click.option("--prepend", default="", metavar="TEXT", help="Put in front of every name.")
@click.option("--no-wait", is_flag=True, help="Print the id of the job instead of waiting for it.")
@pass_session
def copy(session: Session, source: str, target: str, prefix: str, prepend: str, no_wait: bool) -> None:
    """Copy a bucket's objects to another bucket, which is made if it is not there."""
    copy_bucket(
        session, parse_bucket(source), parse_bucket(target), prefix=prefix, prepend=prepend, wait=not no_wait
    )


@command.command(
    examples=("aistore bucket evict s3://images", "aistore bucket evict --keep-props s3://images")
)
@click.argument("uri", type=BUCKET)
@click.option("--keep-props", is_flag=True, help="Keep the bucket's properties; only its objects go.")
@pass_session
def evict(session: Session, uri: str, keep_props: bool) -> None:
    """Remove a remote bucket's objects from the cluster; the remote bucket stays as it is."""
    where = parse_bucket(uri)
    if where.provider == "ais" and not where.uuid:
        raise CliError(f"{where} is no remote bucket: nothing would be left of it", USAGE)
    where.of(session.client).evict(keep_md=keep_props)
    session.out.note(f"{where} is evicted")


@command.command(examples=("aistore bucket rename ais://images ais://pictures",))
@click.argument("uri", type=BUCKET)
@click.argument("new", type=BUCKET)
@pass_session
def rename(session: Session, uri: str, new: str) -> None:
    """Rename a bucket."""
    source, target = parse_bucket(uri), parse_bucket(new)
    if source._replace(bucket=target.bucket) != target:
        raise CliError("a bucket keeps its provider and namespace: give only another name", USAGE)
    job_id = source.of(session.client).rename(target.bucket)
    wait_for(session, job_id, f"rename {source}")
    session.out.note(f"{source} -> {target}")
