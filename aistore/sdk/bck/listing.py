"""Listing a bucket: one page, all pages, archives, URLs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from aistore.sdk.bck.base import BucketBase
from aistore.sdk.bck.counts import check_count
from aistore.sdk.const import (
    ACT_LIST,
    HEADER_ACCEPT,
    HEADER_INV_NAME,
    HTTP_METHOD_GET,
    MSGPACK_CONTENT_TYPE,
)
from aistore.sdk.errors import ErrArchiveFormat, UnsupportedOperation
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.obj.object_iterator import ObjectIterator, warn_unreadable
from aistore.sdk.types import ActionMsg, BucketEntry, BucketList, ListObjectsMsg
from aistore.wire.names import check_object_name

if TYPE_CHECKING:
    from aistore.sdk.etl import ETLConfig
    from aistore.sdk.obj.object import Object


class BucketListing(BucketBase):
    """The part of `Bucket` that lists."""

    def list_objects(
        self,
        prefix: str = "",
        props: str = "",
        page_size: int = 0,
        uuid: str = "",
        continuation_token: str = "",
        flags: Sequence[ListObjectFlag] | None = None,
        target: str = "",
        inventory_name: str = "",
        start_after: str = "",
    ) -> BucketList:
        """Return one page of the bucket's objects, in byte order of their names.

        A page may be shorter than `page_size`, even empty, when more follow: only an empty
        `continuation_token` marks the last one.

        Args:
            prefix: Only names that start with it. Default: all.
            props: Properties to fetch, separated by commas: `name size version checksum atime cached status
                copies ec custom location`. Default: the cluster's choice (name and size).
            page_size: At most so many entries. Default: 0, the cluster's choice (10,000).
            uuid: Id of the listing, from its first page. Default: a new listing.
            continuation_token: Where the page starts, from the page before. Default: at the beginning.
            flags: What to include and how. Default: none.
            target: Id of the target that lists a remote bucket. Default: the cluster's choice.
            inventory_name: List from this inventory. Default: list the bucket itself.
            start_after: Only names after this one; not for remote buckets. Default: from the beginning.

        Raises:
            InvalidArgument: `page_size` is no count, or the bucket's name cannot be one.
            UnsupportedOperation: `start_after` with a remote bucket (also a `NotImplementedError`).
            ErrBckNotFound: There is no such bucket.
            ErrInvalidResponse: The answer is not a listing.

        Warns:
            UserWarning: The cluster is in transition, as when it rebalances: the page may not be whole. Or,
                with `ListObjectFlag.ARCH_DIR`, archives are damaged or encrypted: their members, or some, are
                not on the page (`unreadable` names the archives).
        """
        page = self._fetch_page(
            prefix, props, page_size, uuid, continuation_token, flags, target, inventory_name, start_after
        )
        warn_unreadable(page.unreadable, page.unreadable_count, stacklevel=3)
        return page

    def _fetch_page(
        self,
        prefix: str,
        props: str,
        page_size: int,
        uuid: str,
        continuation_token: str,
        flags: Sequence[ListObjectFlag] | None,
        target: str,
        inventory_name: str,
        start_after: str,
    ) -> BucketList:
        self._check_listing(page_size, start_after)
        flags = list(flags or ())
        headers = {HEADER_ACCEPT: MSGPACK_CONTENT_TYPE}
        if inventory_name:
            headers[HEADER_INV_NAME] = inventory_name
            flags.append(ListObjectFlag.NBI)
        message = ListObjectsMsg(
            prefix=prefix,
            page_size=page_size,
            uuid=uuid,
            props=props,
            continuation_token=continuation_token,
            flags=flags,
            target=target,
            start_after=start_after,
        )
        page = self._require_client().request_deserialize(
            HTTP_METHOD_GET,
            path=self._path(),
            res_model=BucketList,
            json=ActionMsg(action=ACT_LIST, value=message.as_dict()).as_dict(),
            params=self.qparam,
            headers=headers,
        )
        page.bind_objects(self.object)
        if isinstance(page.flags, int) and page.flags:
            warnings.warn(
                f"{self!r}: the cluster is in transition (flags {page.flags} of the listing): "
                "objects may be missing from the listing, or be in it twice",
                UserWarning,
                stacklevel=3,
            )
        return page

    def list_objects_iter(
        self,
        prefix: str = "",
        props: str = "",
        page_size: int = 0,
        flags: Sequence[ListObjectFlag] | None = None,
        target: str = "",
        inventory_name: str = "",
        start_after: str = "",
        prefetch: bool = False,
    ) -> ObjectIterator:
        """Return an iterator over the entries of all pages; a page is fetched when it is reached.

        Args:
            prefix: See `list_objects`, as for the other arguments that it has.
            props: See `list_objects`.
            page_size: See `list_objects`.
            flags: See `list_objects`.
            target: See `list_objects`.
            inventory_name: See `list_objects`.
            start_after: See `list_objects`.
            prefetch: Fetch the next page in a thread while this one is used. Default: `False`.

        Raises:
            InvalidArgument: `page_size` is no count.
            UnsupportedOperation: `start_after` with a remote bucket (also a `NotImplementedError`).
        """
        self._check_listing(page_size, start_after)
        fetch = partial(
            self._next_page,
            prefix=prefix,
            props=props,
            page_size=page_size,
            flags=tuple(flags or ()),
            target=target,
            inventory_name=inventory_name,
            start_after=start_after,
        )
        return ObjectIterator(fetch, prefetch=prefetch)

    def list_all_objects(
        self,
        prefix: str = "",
        props: str = "",
        page_size: int = 0,
        flags: Sequence[ListObjectFlag] | None = None,
        target: str = "",
        inventory_name: str = "",
        start_after: str = "",
    ) -> list[BucketEntry]:
        """Return the entries of all pages; arguments and errors are those of `list_objects`."""
        pages = self.list_objects_iter(prefix, props, page_size, flags, target, inventory_name, start_after)
        return list(pages)

    def list_all_objects_iter(
        self, prefix: str = "", props: str = "name,size", start_after: str = "", prefetch: bool = False
    ) -> Iterable[Object]:
        """Return an iterator over all objects; each knows the properties that were fetched with its name.

        Args:
            prefix: Only names that start with it. Default: all.
            props: Properties to fetch, separated by commas. Default: `name,size`.
            start_after: Only names after this one; not for remote buckets. Default: from the beginning.
            prefetch: Fetch the next page in a thread while this one is used. Default: `False`.

        Raises:
            UnsupportedOperation: `start_after` with a remote bucket (also a `NotImplementedError`).
        """
        entries = self.list_objects_iter(prefix, props, start_after=start_after, prefetch=prefetch)
        from aistore.sdk.obj.object import Object

        client, details = self._client, self._details()
        return (Object(client, details, entry.n, entry) for entry in entries)

    def list_archive(
        self, archive_obj_name: str, include_archive_obj: bool = False, props: str = "", page_size: int = 0
    ) -> list[BucketEntry]:
        """Return the members of an archive in the bucket, named `archive/member`.

        Args:
            archive_obj_name: Name of the archive, for instance `shard-0.tar`.
            include_archive_obj: Include the archive's own entry. Default: `False`.
            props: See `list_objects`.
            page_size: See `list_objects`.

        Raises:
            InvalidArgument: The archive has a name that no object can have (also a `ValueError`).
            ErrArchiveFormat: The archive is damaged, encrypted or not of its format (also a `ValueError`).
        """
        check_object_name(archive_obj_name, "archive_obj_name")
        pages = self.list_objects_iter(archive_obj_name, props, page_size, flags=[ListObjectFlag.ARCH_DIR])
        pages.warns = False
        listed = list(pages)
        if archive_obj_name in pages.unreadable:
            raise ErrArchiveFormat(
                f"{self.name}/{archive_obj_name} is damaged, encrypted or not in the format of its "
                "extension: its members cannot be listed, or not all"
            )
        # The prefix `a.tar` also matches `a.tar.gz`, which is another archive.
        members = archive_obj_name + "/"
        return [
            entry
            for entry in listed
            if entry.name.startswith(members) or (include_archive_obj and entry.name == archive_obj_name)
        ]

    def list_urls(self, prefix: str = "", etl: ETLConfig | None = None) -> Iterator[str]:
        """Yield the URL of every object.

        Args:
            prefix: Only names that start with it. Default: all.
            etl: Transform the objects when the URLs are read. Default: no.
        """
        for entry in self.list_objects_iter(prefix=prefix, props="name"):
            yield self.object(entry.name).get_url(etl=etl)

    def _next_page(
        self,
        *,
        uuid: str,
        token: str,
        prefix: str,
        props: str,
        page_size: int,
        flags: Sequence[ListObjectFlag],
        target: str,
        inventory_name: str,
        start_after: str,
    ) -> BucketList:
        start_after = "" if token else start_after
        return self._fetch_page(
            prefix, props, page_size, uuid, token, flags, target, inventory_name, start_after
        )

    def _check_listing(self, page_size: int, start_after: str) -> None:
        check_count("page_size", page_size)
        if start_after and self.provider.is_remote():
            raise UnsupportedOperation(
                f"'start_after' is not supported for remote bucket provider '{self.provider.value}'"
            )
