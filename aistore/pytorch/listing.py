"""What a dataset reads: sources of objects and prefixes, listed once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

from aistore.pytorch.manifest import AnyManifest, ManifestRow
from aistore.sdk.ais_source import AISSource
from aistore.sdk.errors import ErrArchiveFormat, InvalidArgument, UnsupportedOperation
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.models.listing import BucketEntry
from aistore.sdk.multiobj import ObjectGroup
from aistore.sdk.obj.object import BucketDetails, Object
from aistore.sdk.obj.object_iterator import ObjectIterator
from aistore.wire.archive.formats import by_name

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.request_client import RequestClient

logger = logging.getLogger(__name__)

Sources: TypeAlias = AISSource | Sequence[AISSource]
PrefixMap: TypeAlias = Mapping[Any, str | list[str] | None]
"""From a source to the prefix or prefixes of the names wanted of it; a source that is not in it: all."""


class Member(Object):
    """A member of an archive.

    Args:
        client: Sends the requests.
        bck_details: The bucket.
        name: Name of the archive.
        archpath: Path of the member.
        size: Its size in bytes; -1: not known.
    """

    def __init__(
        self, client: RequestClient, bck_details: BucketDetails, name: str, archpath: str, size: int
    ) -> None:
        super().__init__(client, bck_details, name, None if size < 0 else BucketEntry(name, s=size))
        self.archpath = archpath


def label_of(obj: Object) -> str:
    """Return the name of an object, or `archive/member`.

    Args:
        obj: The object.
    """
    return f"{obj.name}/{obj.archpath}" if isinstance(obj, Member) else obj.name


class _Objects(Sequence["Object"]):
    """The objects of a manifest, made when they are looked at: a worker looks at its share only."""

    def __init__(self, buckets: list[Bucket], rows: list[ManifestRow]) -> None:
        self._buckets = buckets
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Object: ...
    @overload
    def __getitem__(self, index: slice) -> _Objects: ...

    def __getitem__(self, index: int | slice) -> Object | _Objects:
        if isinstance(index, slice):
            return _Objects(self._buckets, self._rows[index])
        row = self._rows[index]
        bucket = self._buckets[row.source]
        if row.archpath:
            return Member(bucket.client, _details(bucket), row.name, row.archpath, row.size)
        props = BucketEntry(row.name, s=row.size) if row.size >= 0 else None
        return bucket.object(row.name, props)


class Listing:
    """The objects of sources, in the order of sources, prefixes and names.

    A listing that was gone through once is kept, so that `len`, every epoch and every split of it see the
    same objects, and the cluster is asked once.

    Args:
        sources: One source or several.
        prefix_map: Which names of which source. Default: all of all.
        members: List the members of archives instead of the objects. Default: `False`.
        skip_unreadable: Log an archive whose members cannot be listed, or not all, and go on. Default:
            `False`, it is an error.

    Raises:
        InvalidArgument: There is no source (also a `ValueError`).
        UnsupportedOperation: `members` of a source of the program's own kind (also a `NotImplementedError`).
    """

    def __init__(
        self,
        sources: Sources | None,
        prefix_map: PrefixMap | None = None,
        *,
        members: bool = False,
        skip_unreadable: bool = False,
    ) -> None:
        self.sources: list[AISSource] = (
            list(sources) if isinstance(sources, (list, tuple)) else [sources] if sources else []  # type: ignore[list-item]  # one source
        )
        if not self.sources:
            raise InvalidArgument("ais_source_list must name at least one source, such as a bucket")
        self.prefix_map = dict(prefix_map or {})
        self._members = members
        self._skip_unreadable = skip_unreadable
        if members and self._buckets() is None:
            raise UnsupportedOperation("members are listed of buckets and groups of objects, not of others")
        self._kept: dict[int, list[Object]] = {}
        self._all: Sequence[Object] | None = None

    @property
    def is_known(self) -> bool:
        """Whether all objects are known, so that nothing needs to be asked."""
        return self._all is not None

    def prefixes(self, source: AISSource) -> list[str]:
        """Return the prefixes wanted of a source, `[""]` for everything."""
        wanted = self.prefix_map.get(source)
        if wanted is None:
            return [""]
        return [wanted] if isinstance(wanted, str) else list(wanted)

    def source_objects(self, index: int) -> Iterator[Object]:
        """Yield the objects of one source, as they become known.

        Args:
            index: Which source.
        """
        kept = self._kept.get(index)
        if kept is not None:
            yield from kept
            return
        source = self.sources[index]
        found: list[Object] = []
        for prefix in self.prefixes(source):
            list_source: Callable[[AISSource, str], Iterable[Object]]
            list_source = self._list_members if self._members else _list_objects
            for obj in list_source(source, prefix):
                found.append(obj)
                yield obj
        self._kept[index] = found

    def stream(self) -> Iterator[Object]:
        """Yield all objects, as they become known."""
        return chain.from_iterable(self.source_objects(index) for index in range(len(self.sources)))

    def objects(self, manifest: AnyManifest | None = None, is_first: bool = True) -> Sequence[Object]:
        """Return all objects.

        Args:
            manifest: Where other processes find them too. Default: `None`.
            is_first: Whether this is the first worker of rank 0. Default: `True`.
        """
        if self._all is None:
            buckets = self._buckets() if manifest is not None else None
            if manifest is not None and buckets is not None:
                self._all = _Objects(buckets, manifest.read(self._describe(), self._rows, is_first))
            else:
                self._all = list(self.stream())
        return self._all

    def save(self, manifest: AnyManifest) -> None:
        """Write all objects to a manifest, whatever it has.

        Args:
            manifest: The manifest.

        Raises:
            UnsupportedOperation: A source is of the program's own kind, which names no bucket (also a
                `NotImplementedError`).
        """
        if self._buckets() is None:
            raise UnsupportedOperation(
                "a manifest names objects of buckets and groups of objects, not others"
            )
        manifest.write(self._describe(), self._rows())

    def count(self, indices: Sequence[int]) -> int:
        """Return how many objects some of the sources have.

        Args:
            indices: Which sources.
        """
        return sum(sum(1 for _ in self.source_objects(index)) for index in indices)

    def forget(self) -> None:
        """Forget the objects, so that they are listed anew."""
        self._kept.clear()
        self._all = None

    def _list_members(self, source: AISSource, prefix: str) -> Iterator[Member]:
        unreadable: list[str] = []
        yield from _members(source, prefix, unreadable)
        if not unreadable:
            return
        message = (
            f"archives of {source!r} are damaged, encrypted or not of their format, members of them cannot "
            f"be listed: {', '.join(unreadable)}"
        )
        if not self._skip_unreadable:
            raise ErrArchiveFormat(message)
        logger.warning("%s; they are left out", message)

    def _rows(self) -> list[ManifestRow]:
        return [
            ManifestRow(
                index,
                obj.name,
                -1 if obj.size_cached is None else obj.size_cached,
                obj.archpath if isinstance(obj, Member) else "",
            )
            for index in range(len(self.sources))
            for obj in self.source_objects(index)
        ]

    def _buckets(self) -> list[Bucket] | None:
        """Return the buckets of the sources, if they are known."""
        buckets = [_bucket_of(source) for source in self.sources]
        known = [bucket for bucket in buckets if bucket is not None]
        return known if len(known) == len(buckets) else None

    def _describe(self) -> list[str]:
        what = " members" if self._members else ""
        return [f"{source!r} {self.prefixes(source)}{what}" for source in self.sources]


def _bucket_of(source: AISSource) -> Bucket | None:
    """Return the bucket of a source's objects; of a source of the user's own it is not known."""
    from aistore.sdk.bucket import Bucket

    # `type`, because a stand-in in a program's tests says that it is a bucket, and has nothing to write down.
    kind = type(source)
    if issubclass(kind, ObjectGroup):
        return cast("ObjectGroup", source).bck
    return cast("Bucket", source) if issubclass(kind, Bucket) else None


def _details(bucket: Bucket) -> BucketDetails:
    return BucketDetails(bucket.name, bucket.provider, bucket.qparam, bucket.get_path())


def silence(pages: Iterable[BucketEntry]) -> None:
    """Have a listing not warn of archives that cannot be read: the caller acts on `unreadable_in` it.

    Args:
        pages: The listing, or what stands in for it in a program's tests.
    """
    if isinstance(pages, ObjectIterator):
        pages.warns = False


def unreadable_in(pages: Iterable[BucketEntry]) -> list[str]:
    """Return the names of archives that could not be read in a listing, or not to their end.

    Args:
        pages: The listing, after its end.
    """
    return pages.unreadable if isinstance(pages, ObjectIterator) else []


def _list_objects(source: AISSource, prefix: str) -> Iterable[Object]:
    return source.list_all_objects_iter(prefix=prefix)


def _members(source: AISSource, prefix: str, unreadable: list[str]) -> Iterator[Member]:
    """Yield the members of archives, in the order of the archives and in them of their paths.

    Names of archives that cannot be read, or not to their end, are added to `unreadable`.
    """
    bucket = _bucket_of(source)
    assert bucket is not None
    client, details = bucket.client, _details(bucket)
    if isinstance(source, ObjectGroup):
        for name in source.list_names():
            if not name.startswith(prefix):
                continue
            try:
                listed = bucket.list_archive(name, props="name,size")
            except ErrArchiveFormat:
                unreadable.append(name)
                continue
            for entry in listed:
                yield Member(client, details, name, entry.name[len(name) + 1 :], entry.size)
        return
    archive = ""
    pages = bucket.list_objects_iter(prefix, "name,size", flags=[ListObjectFlag.ARCH_DIR])
    silence(pages)
    for entry in pages:
        # Members come right after their archive.
        if archive and entry.name.startswith(f"{archive}/"):
            yield Member(client, details, archive, entry.name[len(archive) + 1 :], entry.size)
        else:
            archive = entry.name if by_name(entry.name) else ""
    unreadable += unreadable_in(pages)
