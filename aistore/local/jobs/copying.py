"""Copying a bucket, or a selection of its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.errors import LocalError, ObjectNotFound
from aistore.local.jobs import transfer
from aistore.local.jobs.selection import Selection
from aistore.local.jobs.template import Template

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket
    from aistore.local.jobs import Job
    from aistore.local.jobs.transfer import Destination, TransferOptions
    from aistore.local.names import Bck
    from aistore.local.state import State

# A copy is a link and a transaction, and there is one writer of transactions: more threads would only wait.
_AUTO_WORKERS = 2


def copy_bucket(state: State, src: Bucket, to: Bck, options: TransferOptions) -> Job:
    """Start to copy a bucket's objects."""
    selection = Selection(template=Template(options.prefix), recursive=options.recursive)
    return _start(state, "copy-bck", src, to, selection, options)


def copy_selected(state: State, src: Bucket, to: Bck, selection: Selection, options: TransferOptions) -> Job:
    """Start to copy a selection."""
    return _start(state, "copy-listrange", src, to, selection, options)


def _start(
    state: State, kind: str, src: Bucket, to: Bck, selection: Selection, options: TransferOptions
) -> Job:
    destination = transfer.open_destination(state.catalog, to, src)
    selection = selection._replace(since=transfer.not_newer(src.bck, to))
    listed = to if kind == "copy-bck" else src.bck
    about = {"bck": listed, "src": src.bck, "dst": to, "what": options.describe("cp", src.bck, to)}
    names = len(selection.names)
    return state.jobs.start(
        kind,
        lambda job: _copy(state, job, src, destination, selection, options),
        lambda: destination.discard(state.catalog),
        names=names,
        **about,
    )


def _copy(
    state: State,
    job: Job,
    src: Bucket,
    destination: Destination,
    selection: Selection,
    options: TransferOptions,
) -> None:
    store, dst = state.store, destination.bucket

    def copy(name: str) -> None:
        try:
            to_name = options.rename(name)
            meta = store.head(src, name) if options.dry_run else store.copy(src, name, dst, to_name)
        except LocalError as err:
            if isinstance(err, ObjectNotFound) and not selection.is_list:
                return
            job.failed(err.message, full_name=f"{src.bck}/{name}", code=err.status)
            if not options.keep_going:
                raise
        else:
            job.moved(store.place(src.bck, name), store.place(dst.bck, to_name), meta.size)

    names = transfer.selected(selection.objects(store, src), options.prefix)
    workers = options.workers * len(job.targets) if options.workers > 0 else _AUTO_WORKERS
    with transfer.filling(state.catalog, destination):
        state.jobs.each(job, names, copy, workers)
