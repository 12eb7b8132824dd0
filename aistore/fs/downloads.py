"""Objects to local files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from glob import has_magic
from typing import Any, BinaryIO, NamedTuple

from fsspec.asyn import _run_coros_in_chunks
from fsspec.callbacks import DEFAULT_CALLBACK, Callback, NoOpCallback
from fsspec.implementations.local import LocalFileSystem, make_path_posix, trailing_sep
from fsspec.utils import other_paths

from aistore._files import Folder, followed, replacing
from aistore.fs import content
from aistore.fs.errors import ErrNotAFile, ErrPathNotFound
from aistore.fs.listing import Listing
from aistore.fs.threads import one_operation
from aistore.sdk.errors import InvalidArgument


class _Copy(NamedTuple):
    """A path and its local target; `kind` is "file" or "directory", or `None` where that is not known."""

    path: str
    target: str
    kind: str | None


class Downloads(Listing):
    """The part of `AISFileSystem` that writes local files."""

    async def _get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Copy objects to local files.

        In a local directory nothing is written through links, and nothing outside of it.

        Args:
            rpath: One path or several; may have wildcards.
            lpath: A file or directory, or as many files as there are paths.
            recursive: Copy directories with everything in them. Default: `False`.
            callback: Counts the files; the callbacks that it makes for them count bytes. Default: none.
            maxdepth: How many levels to descend. Default: all.
            **kwargs: `batch_size`, files at a time.

        Raises:
            ErrPathNotFound: There is nothing at a path (also a `FileNotFoundError`).
            ErrNotAFile: Some objects cannot be files here, such as `d` where there is `d/x`; all others are
                copied (also an `OSError`).
        """
        with one_operation():
            if isinstance(rpath, list) and isinstance(lpath, list):
                if len(rpath) != len(lpath):
                    raise InvalidArgument(f"{len(rpath)} paths with {len(lpath)} local paths")
                root, copies = (
                    None,
                    [_Copy(one, os.fspath(to), None) for one, to in zip(rpath, lpath, strict=True)],
                )
            else:
                root, copies = await self._plan(rpath, lpath, recursive=recursive, maxdepth=maxdepth)
            return await self._carry_out(root, copies, callback, kwargs.get("batch_size", self.batch_size))

    async def _get_file(
        self, rpath: str, lpath: Any, callback: Callback = DEFAULT_CALLBACK, **_kwargs: Any
    ) -> None:
        """Copy an object to a local file, which appears or changes when all bytes are there.

        Args:
            rpath: Path of the object; of a directory a local one is made.
            lpath: Path of the file, or a binary file to write to. What a link leads to is written.
            callback: Told of size and progress. Default: nobody is.

        Raises:
            ErrPathNotFound: There is no such object (also a `FileNotFoundError`).
            ErrNotAFile: A directory is at `lpath` (also an `OSError`).
        """
        if hasattr(lpath, "write"):
            lpath.write(await self._cat_file(rpath))
            return
        local = os.fspath(lpath)
        make_directory = partial(os.makedirs, local, exist_ok=True)
        await self._fetch(rpath, partial(replacing, followed(local)), make_directory, callback)

    async def _plan(
        self, rpath: Any, lpath: Any, *, recursive: bool, maxdepth: int | None
    ) -> tuple[str | None, list[_Copy]]:
        """Return the local directory, or `None` where the caller names each file, and what goes where."""
        is_one = isinstance(rpath, str)
        is_itself = is_one and not trailing_sep(rpath)  # not what is in a directory
        stripped = self._strip_protocol(rpath)
        kinds = await self._expand(stripped, recursive=recursive, maxdepth=maxdepth)
        if is_one and not recursive and not has_magic(stripped) and await self._isdir(stripped):
            return None, []
        if is_one and (not recursive or maxdepth is not None):
            kinds = {path: kind for path, kind in kinds.items() if kind != "directory"}
        elif is_itself and kinds.get(stripped) == "directory" and await self._isfile(stripped):
            kinds[stripped] = "file"  # which has others below it
        if not kinds:
            return None, []
        paths = sorted(kinds)
        local: Any = make_path_posix(lpath)
        is_directory = isinstance(local, str) and (trailing_sep(local) or LocalFileSystem().isdir(local))
        inside = is_one and (len(paths) == 1 if has_magic(stripped) else is_directory and is_itself)
        targets = other_paths(paths, local, exists=inside, flatten=not is_one)
        copies = [_Copy(path, target, kinds[path]) for path, target in zip(paths, targets, strict=True)]
        return (local.rstrip("/") or "/") if isinstance(local, str) else None, copies

    async def _expand(
        self, path: str | Iterable[str], *, recursive: bool, maxdepth: int | None
    ) -> dict[str, str | None]:
        """Return what paths, with wildcards or without, mean, and its kind; `None` where that is not known.

        Raises:
            ErrPathNotFound: There is nothing.
        """
        if maxdepth is not None and maxdepth < 1:
            raise InvalidArgument(f"maxdepth must be at least 1, not {maxdepth}")
        kinds: dict[str, str | None] = {}

        async def descend(top: str, depth: int | None) -> None:
            found: Any = await self._find(top, maxdepth=depth, withdirs=True, detail=True)
            for name, info in found.items():
                if kinds.get(name) != "file":
                    kinds[name] = info["type"]

        for one in [path] if isinstance(path, str) else path:
            if has_magic(one):
                matches = await self._glob(one, detail=True, maxdepth=maxdepth)
                kinds.update((name, info["type"]) for name, info in matches.items())
                if recursive and maxdepth != 1:
                    for name in matches:
                        await descend(name, None if maxdepth is None else maxdepth - 1)
            elif recursive:
                await descend(one, maxdepth)
            else:
                kinds[one] = None
        if not kinds:
            raise ErrPathNotFound(path if isinstance(path, str) else ", ".join(path))
        return kinds

    async def _carry_out(
        self, root: str | None, copies: list[_Copy], callback: Callback, batch_size: int | None
    ) -> list[Any]:
        """Copy what can be a local file or directory, then raise if there is anything else."""
        callback.set_size(len(copies))
        if len(copies) == 1 and copies[0].target == root:
            root = None  # the one file is named by the caller
        taken: dict[str, str] = {}
        faults: dict[str, str] = {}
        for one in copies:
            if one.kind != "directory" and (other := taken.setdefault(one.target, one.path)) != one.path:
                faults[one.path] = f"would be the same file as {other!r}"
        place = _Place(root)
        unfit = place.unfit(taken)
        faults.update((taken[target], why) for target, why in unfit.items())
        calls = [
            callback.branch_coro(partial(self._get_one, place, one, faults))(one.path, one.target)
            for one in copies
            if one.path not in faults
        ]
        done: list[Any] = await _run_coros_in_chunks(calls, batch_size=batch_size, callback=callback)
        if faults:
            raise ErrNotAFile(dict(sorted(faults.items())), root or os.curdir)
        return done

    async def _get_one(
        self, place: _Place, one: _Copy, faults: dict[str, str], *_paths: str, callback: Callback
    ) -> None:
        make_directory = partial(place.make, one.target)
        try:
            if one.kind == "directory":
                await self.run(make_directory)
            else:
                await self._fetch(one.path, partial(place.replacing, one.target), make_directory, callback)
        except ErrNotAFile as err:
            # Each file below a directory that cannot be made has its own error.
            if one.kind != "directory":
                faults[one.path] = next(iter(err.names.values()))

    async def _fetch(
        self,
        rpath: str,
        target: Callable[[], AbstractContextManager[BinaryIO]],
        make_directory: Callable[[], None],
        callback: Callback,
    ) -> None:
        """Copy an object to a file, or make a directory for one."""
        if not self.locate(rpath).key:
            await self.run(make_directory)
            return
        told = None if isinstance(callback, NoOpCallback) else callback.relative_update
        work = partial(content.download, self._object(rpath), target, told, validate=self.validate_checksum)
        try:
            if told is not None:
                info = await self.run(partial(self.describe, self._strip_protocol(rpath)))
                callback.set_size(info["size"])
            await self._on_object(rpath, work)
        except ErrPathNotFound:
            if not await self._isdir(rpath):
                raise
            await self.run(make_directory)


class _Place:
    """Where local files go: below a directory, or with `None` wherever the caller names them."""

    def __init__(self, root: str | None) -> None:
        self._folder = None if root is None else Folder(root)
        self._start = 0 if root is None else len(root.rstrip("/")) + 1

    def unfit(self, targets: Iterable[str]) -> dict[str, str]:
        """Return which targets cannot be files, and why."""
        if self._folder is None:
            return {}
        by_name = {target[self._start :]: target for target in targets}
        root = by_name.pop("", None)  # an object of the directory's name
        faults = {by_name[name]: why for name, why in self._folder.unfit(by_name).items()}
        return faults if root is None else {**faults, root: "is also a folder"}

    def replacing(self, target: str) -> AbstractContextManager[BinaryIO]:
        """Return what opens a target; see `Folder.replacing`."""
        if self._folder is not None:
            return self._folder.replacing(target[self._start :])
        os.makedirs(os.path.dirname(target) or os.curdir, exist_ok=True)
        return replacing(followed(target))

    def make(self, target: str) -> None:
        """Make a directory of a target."""
        if self._folder is None:
            os.makedirs(target, exist_ok=True)
        else:
            self._folder.make(target[self._start :])
