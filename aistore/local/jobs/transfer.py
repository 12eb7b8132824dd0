"""What copying and transforming have in common: options of the request, names and buckets of the results."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local import bucket_props
from aistore.local.errors import BucketExists, InvalidRequest
from aistore.local.jobs.job import Aborted
from aistore.local.names import check_object_name, check_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, Catalog
    from aistore.local.names import Bck

MAX_WORKERS = 128


class TransferOptions(NamedTuple):
    """Options of one request; they hold for that request only.

    Attributes:
        prefix: Only objects whose names begin so.
        prepend: Put in front of each result's name.
        ext: New extensions by old ones, without dots.
        dry_run: Do everything but store results.
        workers: 0: automatic, -1: one for each target, otherwise how many for each target.
        keep_going: Go on after an object has failed.
        recursive: Also objects in virtual directories below the prefix.
        latest: Read the bytes anew; what an ETL gets is never a file's path then.
    """

    prefix: str = ""
    prepend: str = ""
    ext: dict[str, str] | None = None
    dry_run: bool = False
    workers: int = 0
    keep_going: bool = False
    recursive: bool = True
    latest: bool = False

    def rename(self, name: str) -> str:
        """The name of an object's result: its extension replaced, then the text put in front.

        Raises:
            InvalidName: The result is a name that the cluster refuses.
        """
        if self.ext:
            stem, dot, old = name.rpartition(".")
            new = self.ext.get(old) if dot and "/" not in old else None
            if new is not None:
                name = f"{stem}.{new}"
        if self.prepend:
            name = self.prepend + name
            check_object_name(name)
        return name

    def describe(self, verb: str, src: Bck, dst: Bck) -> str:
        """The line that snapshots show, as `cp ais://a/prefix=>ais://b/new-`."""
        source = f"{src}/{self.prefix}" if self.prefix else str(src)
        destination = f"{dst}/{self.prepend}" if self.prepend else str(dst)
        return f"{verb} {source}=>{destination}{' (dry run)' if self.dry_run else ''}"


def parse_options(value: Any, action: str) -> TransferOptions:
    """The options in the value of an action.

    Raises:
        InvalidRequest: One is of the wrong type.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"{action}: expecting an object with options, got {value!r}")
    ext = value.get("ext") or None
    if ext is not None:
        if not isinstance(ext, dict) or not all(isinstance(text, str) for text in ext.values()):
            raise InvalidRequest(f"{action}: ext must map old extensions to new ones, got {ext!r}")
        ext = {old.removeprefix("."): new.removeprefix(".") for old, new in ext.items()}
    workers = value.get("num-workers") or 0
    if isinstance(workers, bool) or not isinstance(workers, int) or not -1 <= workers <= MAX_WORKERS:
        raise InvalidRequest(f"{action}: num-workers must be -1 to {MAX_WORKERS}, got {workers!r}")
    prefix, prepend = _text(value, "prefix", action), _text(value, "prepend", action)
    check_prefix(prefix)
    check_prefix(prepend)
    if prepend and value.get("synchronize"):
        raise InvalidRequest(f"{action}: prepend and synchronize are mutually exclusive")
    return TransferOptions(
        prefix=prefix,
        prepend=prepend,
        ext=ext,
        dry_run=bool(value.get("dry_run")),
        workers=workers,
        keep_going=bool(value.get("coer")),
        recursive=not value.get("non-recurs"),
        latest=bool(value.get("latest-ver") or value.get("synchronize")),
    )


def _text(value: dict[str, Any], key: str, action: str) -> str:
    text = value.get(key) or ""
    if not isinstance(text, str):
        raise InvalidRequest(f"{action}: {key} must be a string, got {text!r}")
    return text


def selected(names: Iterator[str], prefix: str) -> Iterator[str]:
    """The names that begin with a prefix."""
    return (name for name in names if name.startswith(prefix)) if prefix else names


class Destination(NamedTuple):
    """Where results go; `created` if the request made the bucket."""

    bucket: Bucket
    created: bool

    def discard(self, catalog: Catalog) -> None:
        """Remove the bucket if the job that was aborted had created it."""
        if self.created and catalog.buckets.find(self.bucket.bck) == self.bucket:
            catalog.buckets.drop(self.bucket.bck)

    def settle(self, catalog: Catalog) -> None:
        """Keep the bucket: the job has ended, or failed with results."""
        if self.created:
            catalog.buckets.settle(self.bucket)


def open_destination(catalog: Catalog, bck: Bck, like: Bucket) -> Destination:
    """The destination bucket, created with the source's properties when absent."""
    found = catalog.buckets.find(bck)
    if found is None:
        fresh = bucket_props.new_props(bck.provider)
        props = {**like.props, **{key: fresh[key] for key in ("bid", "created", "provider")}}
        try:
            return Destination(catalog.buckets.create(bck, props, provisional=True), created=True)
        except BucketExists:
            found = catalog.buckets.get(bck)
    return Destination(found, created=False)


@contextlib.contextmanager
def filling(catalog: Catalog, destination: Destination) -> Iterator[None]:
    """A job's work: the bucket that it made is kept, unless the job was aborted."""
    try:
        yield
    except Aborted:
        destination.discard(catalog)
        raise
    finally:
        destination.settle(catalog)


def not_newer(src: Bck, dst: Bck) -> int:
    """The time after which objects don't count, so that a job doesn't feed on its own results; 0: any do."""
    return time.time_ns() if src == dst else 0
