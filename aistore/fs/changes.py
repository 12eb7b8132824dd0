"""Changing the tree: buckets and directories made and removed, objects deleted, moved and touched."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync_wrapper

from aistore.fs import removal
from aistore.fs.errors import (
    ErrDirectoryNotEmpty,
    ErrIsADirectory,
    ErrNotADirectory,
    ErrPathExists,
    ErrPathNotFound,
)
from aistore.fs.threads import one_operation
from aistore.fs.transfer import Transfer
from aistore.sdk.errors import ErrBckAlreadyExists, ErrBckNotFound, InvalidArgument

if TYPE_CHECKING:
    from aistore.fs.paths import Location


class Changes(Transfer):
    """The part of `AISFileSystem` that changes the tree."""

    # ------------------------------------------------------------ directories

    async def _mkdir(self, path: str, create_parents: bool = True, **_kwargs: Any) -> None:
        """Create a bucket. Directories are there as soon as objects are in them: for these, nothing is done.

        Args:
            path: Path of a bucket, or of a directory.
            create_parents: Create the bucket of a directory. Default: `True`.

        Raises:
            ErrPathExists: It is a bucket that is there already (also a `FileExistsError`).
            ErrBckNotFound: The bucket of a directory isn't there (also a `FileNotFoundError`).
        """
        location = self.locate(path)
        if not location.bucket:
            raise InvalidArgument(f"cannot create {path!r}: name a bucket")
        bucket = self.bucket_of(location)
        if location.key:
            try:
                await self.run(bucket.head)
            except ErrBckNotFound:
                if not create_parents:
                    raise
            else:
                return
        try:
            await self.run(partial(bucket.create, exist_ok=bool(location.key)))
        except ErrBckAlreadyExists as err:
            raise ErrPathExists(location.root) from err
        self.invalidate_cache(location.root)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Create a bucket; see `mkdir`.

        Args:
            path: Path of a bucket, or of a directory.
            exist_ok: Don't complain if the bucket is there. Default: `False`.
        """
        try:
            await self._mkdir(path, create_parents=True)
        except FileExistsError:
            if not exist_ok:
                raise

    async def _rmdir(self, path: str) -> None:
        """Remove an empty bucket.

        Args:
            path: Its path. A directory is never empty: its objects are what makes it.

        Raises:
            ErrDirectoryNotEmpty: Objects are in it (also an `OSError`).
            ErrNotADirectory: It is an object (also a `NotADirectoryError`).
            ErrPathNotFound: There is nothing (also a `FileNotFoundError`).
        """
        location = self.locate(path)
        if not location.key:
            await self._remove_bucket(location, with_objects=False)
            return
        info = await self._info(path, refresh=True)
        if info["type"] == "file":
            raise ErrNotADirectory(info["name"])
        raise ErrDirectoryNotEmpty(info["name"], "pass recursive=True to rm")

    async def _remove_bucket(self, location: Location, *, with_objects: bool) -> None:
        if not location.bucket:
            raise InvalidArgument("cannot remove all buckets: name one")
        remove = partial(removal.remove_bucket, self.bucket_of(location), location, with_objects=with_objects)
        await self.run(remove)
        self.invalidate_cache(location.root)

    # ------------------------------------------------------------ deleting

    async def _rm_file(self, path: str, **_kwargs: Any) -> None:
        """Delete an object.

        Args:
            path: Its path, taken literally.

        Raises:
            ErrPathNotFound: There is no such object (also a `FileNotFoundError`).
            ErrIsADirectory: It is a directory (also an `IsADirectoryError`).
        """
        path = self._strip_protocol(path)
        try:
            await self._on_object(path, self._object(path).delete)
        except ErrPathNotFound:
            if await self._isdir(path):
                raise ErrIsADirectory(path, "pass recursive=True to rm") from None
            raise
        self.invalidate_cache(path)

    async def _rm(
        self,
        path: str | list[str],
        recursive: bool = False,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        **_kwargs: Any,
    ) -> None:
        """Delete objects; many are deleted by jobs of the cluster.

        Args:
            path: One path or several; may have wildcards, which match no directories unless `recursive`.
            recursive: Delete directories and buckets with everything in them. Default: `False`.
            batch_size: Without effect.
            maxdepth: How many levels to descend. Default: all.

        Raises:
            ErrPathNotFound: There is nothing at one of the paths (also a `FileNotFoundError`).
            ErrIsADirectory: One is a directory, and `recursive` is not set (also an `IsADirectoryError`).
        """
        buckets: list[Location] = []
        others: list[tuple[str, str]] = []
        for match, kind in await self._matches(path):
            location = self.locate(match)
            if not location.key and not recursive:
                raise ErrIsADirectory(match, "pass recursive=True")
            if location.key or maxdepth is not None:
                others.append((match, kind))
            else:
                buckets.append(location)
        objects = await self._objects_at(others, recursive=recursive, maxdepth=maxdepth)
        with one_operation():
            await self._delete(objects, listed=recursive)
        for location in buckets:
            await self._remove_bucket(location, with_objects=True)

    async def _delete(self, names: list[str], *, listed: bool) -> None:
        """Delete objects.

        Args:
            names: Their paths.
            listed: Whether they come from a listing: then some may be gone by now.
        """
        if len(names) <= removal.FEW:
            ended = await asyncio.gather(*[self._rm_file(name) for name in names], return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException) and not (listed and isinstance(error, FileNotFoundError)):
                    raise error
            return
        keys: dict[Location, list[str]] = {}
        for name in names:
            location = self.locate(name)
            keys.setdefault(location._replace(key=""), []).append(location.key)
        for location, some in keys.items():
            for start in range(0, len(some), removal.PER_JOB):
                part = some[start : start + removal.PER_JOB]
                await self.run(partial(removal.delete_by_job, self.bucket_of(location), part))
            self.invalidate_cache(location.root)

    # ------------------------------------------------------------ moving, touching

    async def _mv(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any
    ) -> None:
        """Move objects within the cluster: copy them, and delete those that were copied.

        Args:
            path1: Path of an object, or of a directory; may have wildcards.
            path2: Where to.
            recursive: Move a directory with everything in it. Default: `False`.
            maxdepth: How many levels to descend. Default: all.
            **kwargs: As of `copy`.
        """
        copied: list[str] = []
        kwargs.setdefault("on_error", "raise")
        await self._copy(path1, path2, recursive=recursive, maxdepth=maxdepth, copied=copied, **kwargs)
        await self._delete(copied, listed=True)

    async def _mv_file(self, path1: str, path2: str, **_kwargs: Any) -> None:
        if self._unique(path1) != self._unique(path2):
            await self._cp_file(path1, path2)
            await self._rm_file(path1)

    async def _touch(self, path: str, truncate: bool = True, **_kwargs: Any) -> None:
        """Create an empty object.

        Args:
            path: Its path.
            truncate: Replace an object that is there; otherwise it stays as it is, times included.
                Default: `True`.
        """
        mode = "overwrite" if truncate else "create"
        with suppress(FileExistsError):
            await self._pipe_file(path, b"", mode=mode)

    # ------------------------------------------------------------ custom metadata

    async def _metadata(self, path: str) -> dict[str, str]:
        """Return the custom metadata of an object.

        Args:
            path: Its path.
        """
        metadata: dict[str, str] = (await self.run(partial(self.describe, self._strip_protocol(path))))[
            "metadata"
        ]
        return metadata

    async def _set_metadata(self, path: str, metadata: dict[str, str], replace: bool = False) -> None:
        """Set custom metadata of an object; its bytes, version and checksum stay.

        Args:
            path: Its path.
            metadata: Keys and values, 2 KiB in all.
            replace: Remove what is not in `metadata`. Default: `False`, add to it.
        """
        writer = self._object(path).get_writer()
        await self._on_object(path, partial(writer.set_custom_props, metadata, replace_existing=replace))
        self.invalidate_cache(path)

    rmdir = sync_wrapper(_rmdir)
    mv = sync_wrapper(_mv)
    mv_file = sync_wrapper(_mv_file)
    touch = sync_wrapper(_touch)
    metadata = sync_wrapper(_metadata)
    set_metadata = sync_wrapper(_set_metadata)
