"""The tree that names with slashes make: levels, and everything below a directory, from bucket listings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aistore.fs.details import Details, of_directory, of_entry
from aistore.fs.paths import Location
from aistore.sdk.list_object_flag import ListObjectFlag

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket

_PROPS = "name,size"


def list_level(bucket: Bucket, location: Location) -> list[Details]:
    """Return what is directly in a directory: objects and directories, by name.

    An object and a directory may have the same name; then the object comes first.

    Args:
        bucket: The bucket.
        location: The directory, or the bucket itself.

    Raises:
        ErrBckNotFound: There is no such bucket.
    """
    # A prefix that ends within a name is no use: a directory of just this name would be listed instead.
    start = _prefix(location)
    entries = bucket.list_objects_iter(
        prefix=start, props=_PROPS, flags=[ListObjectFlag.NO_RECURSION], prefetch=True
    )
    found: dict[tuple[str, bool], Details] = {}
    for entry in entries:
        name = entry.n
        path = location.path_of(name.rstrip("/"))
        is_directory = name.endswith("/")
        # A directory, or a marker of one that another program has put into a remote bucket.
        if name != start:
            found[path, is_directory] = of_directory(path) if is_directory else of_entry(path, entry)
    return [found[key] for key in sorted(found)]


def list_below(bucket: Bucket, location: Location, prefix: str = "") -> Iterator[Details]:
    """Yield every object below a directory, in the order of their names; the next page is fetched ahead.

    Args:
        bucket: The bucket.
        location: The directory, or the bucket itself.
        prefix: Only names (within the directory) that start with it. Default: all.

    Raises:
        ErrBckNotFound: There is no such bucket.
    """
    entries = bucket.list_objects_iter(prefix=_prefix(location) + prefix, props=_PROPS, prefetch=True)
    for entry in entries:
        if not entry.n.endswith("/"):
            yield of_entry(location.path_of(entry.n), entry)


def has_any(bucket: Bucket, location: Location) -> bool:
    """Return whether there is an object below a directory, or in a bucket.

    Args:
        bucket: The bucket.
        location: The directory, or the bucket itself.
    """
    return bool(bucket.list_objects(prefix=_prefix(location), props="name", page_size=1).entries)


def directories_above(found: Iterable[str], top: str) -> set[str]:
    """Return the directories between a directory and what was found below it, without that directory.

    Args:
        found: Paths of objects.
        top: Path of the directory.
    """
    directories: set[str] = set()
    for path in found:
        parent = path.rpartition("/")[0]
        while len(parent) > len(top) and parent not in directories:
            directories.add(parent)
            parent = parent.rpartition("/")[0]
    return directories


def _prefix(location: Location) -> str:
    return f"{location.key}/" if location.key else ""
