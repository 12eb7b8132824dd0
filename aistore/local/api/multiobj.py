"""Actions on many objects: copy, delete, archive, of a bucket or a selection (protocol-ml/05)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aistore.local.api import access
from aistore.local.api.buckets import check_creatable
from aistore.local.api.response import Response, text_response
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.jobs.archiving import archive_selected, parse_archive_options
from aistore.local.jobs.copying import copy_bucket, copy_selected
from aistore.local.jobs.deleting import delete_selected
from aistore.local.jobs.selection import parse_selection
from aistore.local.jobs.transfer import parse_options
from aistore.local.names import Bck, bck_from_dict, parse_uname

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State


def bck_to(req: Request) -> Bck:
    """The destination that the query names.

    Raises:
        InvalidRequest: None, or with an object's name.
    """
    uname = req.query.get("bck_to", "")
    if not uname:
        raise InvalidRequest('missing "bck_to" query parameter')
    bck, obj_name = parse_uname(uname)
    if obj_name:
        raise InvalidRequest(f'bck_to names an object: "{uname}"')
    return bck


def check_destination(req: Request, bck: Bck) -> None:
    """Refuse a destination that can't be written to or made.

    Raises:
        LocalError: Says why.
    """
    found = req.state.catalog.buckets.find(bck)
    if found is None:
        check_creatable(bck)
    else:
        access.check_access(found, access.PUT)


def to_bck(value: Any) -> Bck:
    """The destination in the value of an action.

    Raises:
        InvalidRequest: None.
    """
    return bck_from_dict(value.get("tobck") if isinstance(value, dict) else None)


def refuse_onto_itself(action: str, src: Bck, dst: Bck, *, dry_run: bool) -> None:
    """Refuse to transfer a whole bucket onto itself, except for a dry run.

    Raises:
        InvalidRequest: It is the same bucket.
    """
    if src == dst and not dry_run:
        raise InvalidRequest(f'cannot {action} bucket "{src}" onto itself')


async def _copy_bucket(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    destination = bck_to(req)
    options = parse_options(msg.value, msg.action)
    refuse_onto_itself(msg.action, bucket.bck, destination, dry_run=options.dry_run)
    check_destination(req, destination)
    return text_response((await req.state.run(copy_bucket, req.state, bucket, destination, options)).id)


async def _copy_selected(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    destination = to_bck(msg.value)
    options = parse_options(msg.value, msg.action)
    selection = parse_selection(msg.value, msg.action)
    check_destination(req, destination)
    job = await req.state.run(copy_selected, req.state, bucket, destination, selection, options)
    return text_response(job.id)


async def _delete_selected(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    access.check_access(bucket, access.DELETE)
    try:
        selection = parse_selection(msg.value, msg.action)
    except InvalidRequest as err:
        if err.tcode not in {"errTemplateInvalid", "NumError"}:
            raise
        target = req.state.nodes.targets[0]
        message = f'{target.label} failed to "{msg.action}" List/Range: {err.message}'
        raise InvalidRequest(message, tcode=err.tcode) from err
    return text_response((await req.state.run(delete_selected, req.state, bucket, selection)).id)


async def _archive(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    options = parse_archive_options(msg.value, bucket.bck)
    destination = req.state.catalog.buckets.get(options.to)
    access.check_access(destination, access.PUT)
    selection = parse_selection(msg.value, msg.action)
    job = await req.state.run(archive_selected, req.state, bucket, destination, selection, options)
    return text_response(job.id)


async def _remote_only(_req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    name = "evict-remote-bck" if msg.action == "evict-listrange" else msg.action
    raise LocalError(f"{name}: expecting remote bucket (have {bucket.bck})", tcode="ErrNotRemoteBck")


async def _rename(req: Request, bucket: Bucket, _msg: ActionMsg) -> Response:
    destination = bck_to(req)
    if destination.provider != bucket.bck.provider:
        raise InvalidRequest(f"cannot rename {bucket.bck} to another provider ({destination})")
    check_creatable(destination)
    access.check_access(bucket, access.MOVE)
    await req.state.run(req.state.catalog.buckets.rename, bucket.bck, destination)
    about = {"bck": destination, "src": bucket.bck, "dst": destination}
    job = req.state.jobs.start("move-bck", lambda _: None, what=f"mv {bucket.bck}=>{destination}", **about)
    return text_response(job.id)


def register(state: State) -> None:
    """Add the actions."""
    actions: dict[tuple[str, str], Any] = {
        ("POST", "copy-bck"): _copy_bucket,
        ("POST", "move-bck"): _rename,
        ("POST", "copy-listrange"): _copy_selected,
        ("DELETE", "delete-listrange"): _delete_selected,
        ("DELETE", "evict-listrange"): _remote_only,
        ("POST", "prefetch-listrange"): _remote_only,
        ("PUT", "archive"): _archive,
    }
    state.registry.bucket_actions.update(actions)
