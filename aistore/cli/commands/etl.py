"""`aistore etl`: classes that transform objects."""

from __future__ import annotations

from typing import Any

import click

from aistore.cli import interrupt
from aistore.cli.command import Group
from aistore.cli.commands.etl_run import run
from aistore.cli.etl_class import default_name, load_class
from aistore.cli.exits import USAGE, CliError, explain
from aistore.cli.jobs import show_job, wait_for_own
from aistore.cli.params import URI
from aistore.cli.session import Session, pass_session
from aistore.cli.settings import parse_variables
from aistore.cli.text import human_size
from aistore.cli.uri import parse_bucket, parse_uri

_STAGES = ("Initializing", "Running", "Aborted", "Stopped")


@click.group(
    name="etl",
    cls=Group,
    examples=(
        "aistore etl run shout.py:Shout hello.txt            try it here",
        "aistore etl init shout.py:Shout --name shout-it     start it in the cluster",
        "aistore cat --etl shout-it ais://texts/1.txt        one object, transformed on the way",
        "aistore etl transform ais://texts ais://loud --etl shout-it",
        "aistore etl logs shout-it",
        "aistore etl rm shout-it",
    ),
)
def command() -> None:
    """Start, try, run and remove ETLs: classes that transform objects next to the data."""


command.add_command(run)


@command.command(
    examples=(
        "aistore etl init shout.py:Shout --name shout-it",
        "aistore etl init my.package.resize:Resize --name resize-it --package pillow --env NUM_WORKERS=4",
    )
)
@click.argument("source", metavar="FILE:CLASS")
@click.option("--name", metavar="NAME", help="Of the ETL (default: made from the name of the class).")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Install with pip first.")
@click.option("--os-package", "os_packages", multiple=True, metavar="NAME", help="Install with apt first.")
@click.option(
    "--comm", type=click.Choice(["hpush", "hpull", "ws"]), default="hpush", help="How to talk to it."
)
@click.option("--init-timeout", default="5m", metavar="TIME", help="For the start (default: 5m).")
@click.option("--obj-timeout", default="45s", metavar="TIME", help="For one object (default: 45s).")
@click.option("--no-direct-put", is_flag=True, help="Send results back through the target.")
@click.option("--direct-fqn", is_flag=True, help="Give transform() paths of files instead of bytes.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Environment of the server.")
@pass_session
def init(
    session: Session,
    source: str,
    name: str | None,
    packages: tuple[str, ...],
    os_packages: tuple[str, ...],
    comm: str,
    init_timeout: str,
    obj_timeout: str,
    no_direct_put: bool,
    direct_fqn: bool,
    variables: tuple[str, ...],
) -> None:
    """Start an ETL from a class in a Python file (FILE:CLASS) or module (MODULE:CLASS)."""
    cls = load_class(source)
    etl = session.client.etl(name or default_name(cls))
    settings: dict[str, Any] = parse_variables(variables)
    start = etl.init_class(
        dependencies=list(packages) or None,
        os_packages=list(os_packages) or None,
        comm_type=comm,
        init_timeout=init_timeout,
        obj_timeout=obj_timeout,
        direct_put=not no_direct_put,
        direct_file_access=direct_fqn,
        **settings,
    )
    try:
        start(cls)
    except KeyboardInterrupt:
        from aistore.sdk.errors import ErrETLNotFound, SDKError

        interrupt.take_time()
        try:
            etl.delete()
        except ErrETLNotFound:
            pass  # it was not there yet
        except SDKError as error:
            session.out.complain(f"aistore: ETL {etl.name} could not be removed: {explain(error)[1]}")
        raise
    session.out.note(f"ETL {etl.name} is running")
    if session.json:
        session.out.record({"etl": etl.name})


@command.command(
    examples=(
        "aistore etl transform ais://texts ais://loud --etl shout-it",
        "aistore etl transform ais://raw/2026/ ais://small --etl resize-it --ext jpg=png",
        "aistore etl transform ais://a ais://b --etl one-etl --then two-etl",
    )
)
@click.argument("source", type=URI)
@click.argument("target", type=URI)
@click.option("--etl", "name", required=True, metavar="NAME", help="The ETL.")
@click.option("--then", "pipeline", multiple=True, metavar="NAME", help="ETLs that results go through next.")
@click.option("--ext", "extensions", multiple=True, metavar="OLD=NEW", help="Change file name extensions.")
@click.option("--prepend", default="", metavar="TEXT", help="Put in front of every name.")
@click.option("--obj-timeout", default="5m", metavar="TIME", help="For one object (default: 5m).")
@click.option("--continue", "go_on", is_flag=True, help="Go on when an object cannot be transformed.")
@click.option("-n", "--dry-run", is_flag=True, help="Transform, but keep no results.")
@click.option("--no-wait", is_flag=True, help="Print the id of the job instead of waiting for it.")
@pass_session
def transform(
    session: Session,
    source: str,
    target: str,
    name: str,
    pipeline: tuple[str, ...],
    extensions: tuple[str, ...],
    prepend: str,
    obj_timeout: str,
    go_on: bool,
    dry_run: bool,
    no_wait: bool,
) -> None:
    """Transform the objects of bucket SOURCE (or those whose names begin so) into bucket TARGET."""
    origin, destination = parse_uri(source), parse_bucket(target)
    if not origin.bucket:
        raise CliError(f"{source!r} names no bucket", USAGE)
    session.client.etl(name).view()  # a job of an ETL that is not there would end without a reason
    job_id = origin.of(session.client).transform(
        name,
        destination.of(session.client),
        timeout=obj_timeout,
        prefix_filter=origin.name,
        prepend=prepend,
        ext=parse_variables(extensions) or None,
        dry_run=dry_run,
        cont_on_err=go_on,
        etl_pipeline=list(pipeline) or None,
    )
    if no_wait:
        show_job(session, job_id)
        return
    wait_for_own(session, job_id, f"etl {name}")
    errors = session.client.etl(name).view(job_id).obj_errors or []
    for error in errors:
        session.out.complain(f"{error.obj_name}: {error.msg}")
    if errors:
        raise CliError(f"{len(errors):,} objects could not be transformed")
    session.out.note(f"{origin} -> {destination}")


@command.command(examples=("aistore etl ls", "aistore etl ls --all"))
@click.option("--all", "every", is_flag=True, help="Also those that are stopped or still start.")
@pass_session
def ls(session: Session, every: bool) -> None:
    """List the ETLs that run."""
    etls = session.client.cluster().list_etls(stages=_STAGES if every else None)
    if session.json:
        for one in etls:
            session.out.record(one.model_dump())
        return
    rows = [(e.id, e.stage, e.obj_count, human_size(e.in_bytes), human_size(e.out_bytes)) for e in etls]
    session.out.table(("ETL", "STAGE", "OBJECTS", "IN", "OUT"), rows)


@command.command(examples=("aistore etl show shout-it", "aistore etl show --job g7Xq2LmPk shout-it"))
@click.argument("name")
@click.option("--job", "job_id", default="", metavar="JOB", help="Objects that failed in this job.")
@pass_session
def show(session: Session, name: str, job_id: str) -> None:
    """Show how an ETL was started, and which objects failed."""
    details = session.client.etl(name).view(job_id)
    init_msg, errors = details.init_msg, details.obj_errors or []
    runtime = init_msg.runtime
    image = runtime if isinstance(runtime, str) else runtime.image if runtime else ""
    values = {
        "etl": init_msg.name,
        "communication": init_msg.communication,
        "image": image,
        "init_timeout": init_msg.init_timeout,
        "obj_timeout": init_msg.obj_timeout,
    }
    if session.json:
        session.out.document({**values, "errors": [error.model_dump() for error in errors]})
        return
    session.out.pairs(values.items())
    for error in errors:
        session.out.line(f"failed: {error.obj_name}: {error.msg}")


@command.command(examples=("aistore etl logs shout-it",))
@click.argument("name")
@click.option("--target", default="", metavar="ID", help="Only of this target.")
@pass_session
def logs(session: Session, name: str, target: str) -> None:
    """Show what an ETL's servers have written."""
    for node in session.client.etl(name).logs(target):
        if session.json:
            session.out.record(node.model_dump())
            continue
        session.out.line(f"==> {node.target_id}")
        for line in node.logs.rstrip("\n").split("\n"):
            session.out.line(line, keep="\t")


@command.command(examples=("aistore etl start shout-it",))
@click.argument("name")
@pass_session
def start(session: Session, name: str) -> None:
    """Start an ETL again that was stopped."""
    session.client.etl(name).start()
    session.out.note(f"ETL {name} is running")


@command.command(examples=("aistore etl stop shout-it",))
@click.argument("names", nargs=-1, required=True)
@pass_session
def stop(session: Session, names: tuple[str, ...]) -> None:
    """Stop ETLs; `start` starts them again."""
    for name in names:
        session.client.etl(name).stop()
        session.out.note(f"ETL {name} is stopped")


@command.command(examples=("aistore etl rm shout-it",))
@click.argument("names", nargs=-1, required=True)
@pass_session
def rm(session: Session, names: tuple[str, ...]) -> None:
    """Stop ETLs and forget them."""
    for name in names:
        session.client.etl(name).delete()
        session.out.note(f"ETL {name} is removed")
