"""Looking: what is there, and what it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from functools import partial
from glob import has_magic
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync_wrapper
from fsspec.utils import tokenize

from aistore.fs import tree
from aistore.fs.base import BaseFileSystem
from aistore.fs.details import of_directory, version_of
from aistore.fs.errors import ErrPathNotFound
from aistore.sdk.const import (
    ACT_LIST,
    HEADER_BUCKET_PROPS,
    HTTP_METHOD_GET,
    QPARAM_NAMESPACE,
    QPARAM_PROVIDER,
    URL_PATH_BUCKETS,
)
from aistore.sdk.errors import ErrInvalidResponse, InvalidArgument
from aistore.sdk.gotime import from_nanoseconds
from aistore.sdk.namespace import Namespace
from aistore.sdk.types import ActionMsg, BucketModel
from aistore.wire.serialization import parse_json

if TYPE_CHECKING:
    from aistore.fs.details import Details
    from aistore.fs.paths import Location


class Listing(BaseFileSystem):
    """The part of `AISFileSystem` that looks."""

    # ------------------------------------------------------------ one path

    async def _info(self, path: str, refresh: bool = False, **_kwargs: Any) -> Details:
        """Describe an object, a directory or a bucket.

        Args:
            path: Its path.
            refresh: Ask the cluster even if a listing that is kept tells. Default: `False`.

        Returns:
            `name`, `size`, `type`; of an object that was asked for also `checksum`, `checksum_type`,
            `version`, `ETag`, `mtime` and `metadata`.

        Raises:
            ErrPathNotFound: There is nothing (also a `FileNotFoundError`).
        """
        path = self._strip_protocol(path)
        location = self.locate(path)
        if not location.bucket:
            return of_directory(path)
        if not location.key:
            await self.run(self.bucket_of(location).head)
            return of_directory(path)
        if not refresh:
            listed = self.cached_listing(self._parent(path)) or ()
            for entry in listed:
                if entry["name"] == path:
                    return dict(entry)
        try:
            return await self.run(partial(self.describe, path))
        except ErrPathNotFound:
            if await self.run(partial(tree.has_any, self.bucket_of(location), location)):
                return of_directory(path)
            raise

    async def _isfile(self, path: str) -> bool:
        return await self._is(path, "file")

    async def _isdir(self, path: str) -> bool:
        return await self._is(path, "directory")

    async def _is(self, path: str, kind: str) -> bool:
        # Only what is not there is neither; a cluster that cannot be reached is an error.
        try:
            info = await self._info(path)
        except FileNotFoundError:
            return False
        return bool(info["type"] == kind)

    async def _modified(self, path: str) -> datetime:
        """Return when an object's bytes were written.

        Args:
            path: Its path.

        Raises:
            NotImplementedError: The cluster does not tell.
        """
        info = await self._info(path, refresh=True)
        if info.get("mtime") is None:
            raise NotImplementedError(f"the cluster does not tell when {path!r} was modified")
        return datetime.fromtimestamp(info["mtime"], timezone.utc)

    async def _created(self, path: str) -> datetime:
        """Return when a bucket was created, or when an object's bytes were written: there is no earlier date.

        Args:
            path: Its path.
        """
        location = self.locate(path)
        if location.key or not location.bucket:
            return await self._modified(path)
        headers = await self.run(self.bucket_of(location).head)
        try:
            created = from_nanoseconds(int(parse_json(headers[HEADER_BUCKET_PROPS])["created"]))
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            created = None
        if created is None:
            raise ErrInvalidResponse(f"no time of creation among the properties of {path!r}")
        return created

    async def _ukey(self, path: str) -> str:
        """Return a text that is another one when the object's bytes are others.

        Args:
            path: Its path.
        """
        info = await self._info(path, refresh=True)
        return tokenize(self._strip_protocol(path), *version_of(info))

    async def _checksum(self, path: str) -> int:
        """Return a number that is another one when the object's bytes are others.

        The cluster's own checksum is in `info(path)["checksum"]`.

        Args:
            path: Its path.
        """
        return int(await self._ukey(path), 16)

    # ------------------------------------------------------------ a directory

    async def _ls(
        self, path: str, detail: bool = True, refresh: bool = False, **_kwargs: Any
    ) -> list[Details] | list[str]:
        """List a directory, or describe a single object.

        Args:
            path: Its path.
            detail: Return descriptions instead of names. Default: `True`.
            refresh: Ask the cluster even if a listing is kept. Default: `False`.

        Raises:
            ErrPathNotFound: There is nothing (also a `FileNotFoundError`).
        """
        path = self._strip_protocol(path)
        listed = None if refresh else self.cached_listing(path)
        if listed is None:
            listed = await self._level(path)
        # An object and a directory of the same name are two entries, and one name.
        return [dict(entry) for entry in listed] if detail else sorted({entry["name"] for entry in listed})

    async def _level(self, path: str) -> list[Details]:
        location = self.locate(path)
        if not location.bucket:
            listed = await self.run(partial(self._list_buckets, location))
        else:
            listed = await self.run(partial(tree.list_level, self.bucket_of(location), location))
            if not listed and location.key:
                info = await self._info(path, refresh=True)
                if info["type"] == "file":
                    return [info]
        self.dircache[path] = listed
        return listed

    def _list_buckets(self, location: Location) -> list[Details]:
        provider, namespace = self.place_of(location)
        params = {QPARAM_PROVIDER: provider.value}
        if namespace is not None:
            params[QPARAM_NAMESPACE] = namespace.get_path()
        buckets = self.client.cluster().client.request_deserialize(
            HTTP_METHOD_GET,
            path=URL_PATH_BUCKETS,
            res_model=list[BucketModel],
            json=ActionMsg(action=ACT_LIST).as_dict(),
            params=params,
        )
        # Without a namespace, those of local namespaces are listed too.
        wanted = namespace or Namespace()
        names = sorted(bucket.name for bucket in buckets or () if (bucket.namespace or Namespace()) == wanted)
        return [of_directory(location._replace(bucket=name).root) for name in names]

    # ------------------------------------------------------------ everything below a directory

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **_kwargs: Any,
    ) -> dict[str, Details] | list[str]:
        """Find all objects below a directory, by one recursive listing.

        Args:
            path: Its path.
            maxdepth: How many levels to descend. Default: all.
            withdirs: Include directories, also the one at `path`. Default: `False`.
            detail: Return a dictionary of descriptions instead of a list of names. Default: `False`.
            prefix: Only names (within the directory) that start with it. Default: all.

        Raises:
            InvalidArgument: All objects of the cluster are asked for (also a `ValueError`).
        """
        if maxdepth is not None and maxdepth < 1:
            raise InvalidArgument(f"maxdepth must be at least 1, not {maxdepth}")
        path = self._strip_protocol(path)
        location = self.locate(path)
        found: dict[str, Details] = {}
        try:
            if maxdepth is not None:
                found = await self._descend(path, maxdepth, prefix, withdirs=withdirs)
            elif not location.bucket:
                raise InvalidArgument("finding every object of a cluster: name a bucket, or give maxdepth")
            else:
                found = await self.run(partial(self._everything, location, prefix, withdirs=withdirs))
            if not found and not prefix:
                info = await self._info(path)
                found = {path: info} if info["type"] == "file" or (withdirs and path) else {}
            elif found and withdirs and path:
                found[path] = of_directory(path)
        except FileNotFoundError:
            found = {}
        names = sorted(found)
        return {name: found[name] for name in names} if detail else names

    def _everything(self, location: Location, prefix: str, *, withdirs: bool) -> dict[str, Details]:
        found = {info["name"]: info for info in tree.list_below(self.bucket_of(location), location, prefix)}
        if withdirs:
            top = location.path_of(location.key) if location.key else location.root
            for directory in tree.directories_above(found, top):
                found.setdefault(directory, of_directory(directory))
        return found

    async def _matches(self, path: str | list[str]) -> list[tuple[str, str]]:
        """Return what paths, with wildcards or without, match, and what it is.

        That is `file` or `directory` of what wildcards match, `contents` of a path with a slash at its end,
        and "" of others: they are not looked for.

        Raises:
            ErrPathNotFound: One with wildcards matches nothing.
        """
        matches: dict[str, str] = {}
        for one in [path] if isinstance(path, str) else path:
            stripped = self._strip_protocol(one)
            if not has_magic(stripped):
                matches.setdefault(stripped, "contents" if str(one).endswith("/") else "")
                continue
            found = await self._glob(stripped, detail=True)
            if not found:
                raise ErrPathNotFound(stripped)
            matches.update((name, info["type"]) for name, info in found.items())
        return list(matches.items())

    async def _objects_at(
        self, matches: list[tuple[str, str]], *, recursive: bool, maxdepth: int | None = None
    ) -> list[str]:
        """Return the objects among matches, and those below the directories among them.

        Raises:
            ErrPathNotFound: There is nothing at one (found out only by a recursive look).
        """
        objects: dict[str, None] = {}
        for match, kind in matches:
            if recursive:
                below = await self._find(match, maxdepth=maxdepth)
                if not below and kind != "directory":
                    raise ErrPathNotFound(match)
                # What is both an object and a directory is found as a directory.
                if kind == "file" or (
                    not kind and below and self.locate(match).key and await self._isfile(match)
                ):
                    objects[match] = None
                objects.update(dict.fromkeys(below))
            elif kind != "directory":
                objects[match] = None
        return list(objects)

    async def _descend(self, path: str, depth: int, prefix: str, *, withdirs: bool) -> dict[str, Details]:
        found: dict[str, Details] = {}
        level = await self._ls_prefix(path, prefix)
        while True:
            directories = [info["name"] for info in level if info["type"] == "directory"]
            for info in level:
                if info["type"] == "file":
                    found[info["name"]] = info
                elif withdirs:
                    found.setdefault(info["name"], info)
            depth -= 1
            if not depth or not directories:
                return found
            below = await asyncio.gather(*[self._ls_if_there(directory) for directory in directories])
            level = [info for listed in below for info in listed]

    async def _ls_if_there(self, path: str) -> list[Details]:
        try:
            return await self._ls_prefix(path, "")
        except ErrPathNotFound:  # it was a moment ago
            return []

    async def _ls_prefix(self, path: str, prefix: str) -> list[Details]:
        """List those in a directory whose names start with `prefix`; nothing when it is no directory."""
        listed = self.cached_listing(path)
        if listed is None:
            listed = await self._level(path)
        start = f"{path}/{prefix}" if path else prefix
        return [dict(info) for info in listed if info["name"] != path and info["name"].startswith(start)]

    async def _walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        **kwargs: Any,
    ) -> AsyncIterator[tuple[str, Any, Any]]:
        async for step in super()._walk(
            path, maxdepth, topdown=topdown, on_error=_handler(on_error), **kwargs
        ):
            yield step

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        **kwargs: Any,
    ) -> Iterator[tuple[str, Any, Any]]:
        """Walk through a tree, directory by directory.

        Args:
            path: Path of its root.
            maxdepth: How many levels to descend. Default: all.
            topdown: A directory comes before those in it. Default: `True`.
            on_error: What to do about a directory that is not there: `omit`, `raise`, or a function that is
                given the error. Other errors are raised. Default: `omit`.
            **kwargs: `detail=True` for descriptions instead of names; others go on to `ls`.
        """
        yield from super().walk(path, maxdepth, topdown, _handler(on_error), **kwargs)

    async def _du(
        self,
        path: str,
        total: bool = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        **kwargs: Any,
    ) -> int | dict[str, int]:
        """Add up the sizes of everything below a path.

        Args:
            path: The path.
            total: Return the sum instead of a dictionary. Default: `True`.
            maxdepth: How many levels to descend. Default: all.
            withdirs: Include directories, of size 0. Default: `False`.
            **kwargs: As of `find`.
        """
        found = await self._find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs)
        assert isinstance(found, dict)
        sizes = {name: int(info["size"]) for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    modified = sync_wrapper(_modified)
    created = sync_wrapper(_created)
    ukey = sync_wrapper(_ukey)
    checksum = sync_wrapper(_checksum)


def _handler(on_error: Any) -> Any:
    """Return what is to handle errors: "omit" is for directories that are not there, not for clusters."""
    return _pass_over_missing if on_error == "omit" else on_error


def _pass_over_missing(error: Exception) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
