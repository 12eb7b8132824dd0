"""Moving bytes: cat, pipe, put, copy, and files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fsspec.callbacks import DEFAULT_CALLBACK, Callback, NoOpCallback
from fsspec.core import get_compression

from aistore.fs import content
from aistore.fs.downloads import Downloads
from aistore.fs.errors import ErrIsADirectory, ErrPathExists, ErrPathNotFound, is_missing
from aistore.fs.files import AISFile
from aistore.fs.threads import one_operation
from aistore.fs.wrappers import AISTextFile, CompressedFile
from aistore.sdk.errors import APIRequestError, InvalidArgument
from aistore.sdk.obj.identity import ObjectIdentity

T = TypeVar("T")

_TEXT = ("encoding", "errors", "newline")


class Transfer(Downloads):
    """The part of `AISFileSystem` that moves bytes."""

    # ------------------------------------------------------------ many at a time

    async def _cat(
        self,
        path: str | list[str],
        recursive: bool = False,
        on_error: str = "raise",
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the bytes of objects.

        Args:
            path: One path or several; may have wildcards, which match no directories unless `recursive`.
            recursive: Return those of everything below directories. Default: `False`.
            on_error: `raise` the first error, `return` errors in the place of bytes, or `omit` what has one.
                Default: `raise`.
            batch_size: Without effect: the filesystem's `threads` are the limit.
            **kwargs: `start` and `end`, as of `cat_file`.

        Returns:
            Bytes for one path that names an object, else a dictionary of bytes by path.
        """
        with one_operation():
            names = await self._objects_at(await self._matches(path), recursive=recursive)
            raises = on_error == "raise"
            reads = [self._cat_file(name, **kwargs) for name in names]
            out = await asyncio.gather(*reads, return_exceptions=not raises)
        if isinstance(path, str) and names == [self._strip_protocol(path)]:
            return out[0]
        return {
            name: got
            for name, got in zip(names, out, strict=True)
            if on_error != "omit" or not isinstance(got, Exception)
        }

    async def _pipe(self, *args: Any, **kwargs: Any) -> Any:
        with one_operation():
            return await super()._pipe(*args, **kwargs)

    async def _put(self, *args: Any, **kwargs: Any) -> Any:
        with one_operation():
            return await super()._put(*args, taken={}, **kwargs)

    async def _copy(self, *args: Any, **kwargs: Any) -> Any:
        with one_operation():
            return await super()._copy(*args, taken={}, **kwargs)

    # ------------------------------------------------------------ bytes in memory

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        """Return the bytes of an object.

        Args:
            path: Its path.
            start: First byte; negative counts from the end. Default: the first.
            end: The byte after the last; negative counts from the end. Default: to the end.

        Raises:
            ErrPathNotFound: There is no such object (also a `FileNotFoundError`).
        """
        if start is None and end is None:
            read = partial(content.read_whole, self._object(path), validate=self.validate_checksum)
            return await self._on_object(path, read)
        return (await self._range(path, start, end))[0]

    async def _range(self, path: str, start: int | None, end: int | None) -> tuple[bytes, ObjectIdentity]:
        first = start or 0
        if (end is not None and end < 0) or (first < 0 and end is not None):
            size = (await self.run(partial(self.describe, self._strip_protocol(path))))["size"]
            first, end, _ = slice(start, end).indices(size)
        location = self.locate(path)
        read = partial(content.read_range, self.bucket_of(location), location.key, first, end)
        return await self._on_object(path, read)

    async def _cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        batch_size: int | None = None,
        on_error: str = "return",
        **_kwargs: Any,
    ) -> list[bytes | Exception]:
        """Return ranges of objects, read in parallel; those of one object are of one version of it.

        Args:
            paths: Path of each range's object.
            starts: First byte of each range, or of all.
            ends: The byte after the last of each range, or of all.
            max_gap: Without effect: each range is a request.
            batch_size: Without effect: the filesystem's `threads` are the limit.
            on_error: `return` errors in the place of bytes, or `raise` the first. Default: `return`.

        Raises:
            ErrObjectChanged: An object was overwritten meanwhile (also an `OSError`).
            InvalidArgument: There are not as many starts and ends as paths (also a `ValueError`).
        """
        if not isinstance(paths, list):
            raise InvalidArgument(f"paths must be a list, not {type(paths).__name__}")
        starts = list(starts) if isinstance(starts, Iterable) else [starts] * len(paths)
        ends = list(ends) if isinstance(ends, Iterable) else [ends] * len(paths)
        if not len(paths) == len(starts) == len(ends):
            raise InvalidArgument(f"{len(paths)} paths with {len(starts)} starts and {len(ends)} ends")
        ranges = [self._range(*one) for one in zip(paths, starts, ends, strict=True)]
        answers = await asyncio.gather(*ranges, return_exceptions=True)
        results: list[Any] = []
        identities: dict[str, ObjectIdentity] = {}
        for path, answer in zip(paths, answers, strict=True):
            if isinstance(answer, BaseException):
                if on_error != "return" or not isinstance(answer, Exception):
                    raise answer
                results.append(answer)
                continue
            identities.setdefault(path, answer[1]).check(answer[1], path, checksum=False)
            results.append(answer[0])
        return results

    async def _pipe_file(self, path: str, value: Any, mode: str = "overwrite", **_kwargs: Any) -> None:
        """Write an object; within a transaction it appears at its end.

        Args:
            path: Its path.
            value: Its bytes: anything with a contiguous buffer.
            mode: `overwrite`, or `create` to fail when there is one; two writers may both find none.
                Default: `overwrite`.

        Raises:
            ErrPathExists: There is one (also a `FileExistsError`).
        """
        data = value if isinstance(value, (bytes, bytearray)) else memoryview(value)
        await self._check_absent(path, mode)
        if self._intrans:
            await self.run(partial(self._write_in_transaction, path, lambda file: file.write(data)))
            return
        writer = self._object(path).get_writer()
        await self.run(partial(writer.put_content, data))  # type: ignore[arg-type]  # a view is as good as bytes
        self.invalidate_cache(path)

    # ------------------------------------------------------------ local files

    async def _put_file(
        self,
        lpath: Any,
        rpath: str,
        mode: str = "overwrite",
        callback: Callback = DEFAULT_CALLBACK,
        taken: dict[str, str] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Copy a local file to an object, in one request; within a transaction it appears at its end.

        Args:
            lpath: Path of the file; of a directory there is nothing to copy.
            rpath: Path of the object.
            mode: `overwrite`, or `create` to fail when there is one. Default: `overwrite`.
            callback: Told of size and progress. Default: nobody is.
            taken: Objects written by the same operation, and the files that they are copies of.

        Raises:
            InvalidArgument: Another file of the operation becomes the same object (also a `ValueError`).
        """
        source = os.fspath(lpath)
        size = await self.run(partial(content.file_size, source))
        if size is None:
            return
        if taken is not None and (other := taken.setdefault(rpath, source)) != source:
            raise InvalidArgument(f"{other!r} and {source!r} would both become {rpath!r}")
        callback.set_size(size)
        await self._check_absent(rpath, mode)
        progress = _progress(callback)
        if self._intrans:
            await self.run(partial(self._write_in_transaction, rpath, partial(_copy_into, source, progress)))
            return
        await self.run(partial(content.upload, source, self._object(rpath), progress))
        self.invalidate_cache(rpath)

    # ------------------------------------------------------------ within the cluster

    async def _cp_file(
        self,
        path1: str,
        path2: str,
        copied: list[str] | None = None,
        taken: dict[str, str] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Copy an object within the cluster, with its custom metadata; of a directory nothing is copied.

        Args:
            path1: Path of the object.
            path2: Path of the copy.
            copied: Gets `path1` when there is a copy now. Default: `None`.
            taken: Objects written by the same operation, and what they are copies of.

        Raises:
            InvalidArgument: Another object of the operation has the same copy (also a `ValueError`).
        """
        source, target = self.locate(path1), self.locate(path2)
        if not source.key or self._unique(path1) == self._unique(path2):
            return
        if not target.key:
            raise ErrIsADirectory(path2, "a bucket: name the object, or end the path with a slash")
        other = path1 if taken is None else taken.setdefault(path2, path1)
        # Directories have no copies, and may have the same name.
        if other != path1 and await self._isfile(path1) and await self._isfile(other):
            raise InvalidArgument(f"{other!r} and {path1!r} would both become {path2!r}")
        copy = partial(self._object(path1).copy, self._object(path2))
        try:
            await self.run(copy)
        except APIRequestError as err:
            if await self._isdir(path1):
                return
            if is_missing(err):
                raise ErrPathNotFound(path1) from err
            raise
        self.invalidate_cache(path2)
        if copied is not None:
            copied.append(path1)

    # ------------------------------------------------------------ files

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Open an object as a file.

        Args:
            path: Its path.
            mode: `r`, `w`, `a` or `x`, with `b` for bytes, else text. Default: `rb`.
            block_size: Bytes to read or to write at a time. Default: the filesystem's.
            cache_options: Options of fsspec's cache. Default: none.
            compression: Name of a compression, `infer` for the one that the path's ending says.
                Default: `None`.
            **kwargs: `encoding`, `errors`, `newline` of text; `cache_type`, `autocommit`, `size`.
        """
        text = {name: kwargs.pop(name) for name in _TEXT if name in kwargs} if "b" not in mode else None
        kind = mode.replace("b", "").replace("t", "")
        file = super().open(path, f"{kind}b", block_size=block_size, cache_options=cache_options, **kwargs)
        compression = get_compression(self._strip_protocol(path), compression)
        if compression is not None:
            from fsspec.compression import compr

            compressors: dict[Any, Any] = compr
            file = CompressedFile(compressors[compression](file, mode=kind), file)
        return file if text is None else AISTextFile(file, **text)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        cache_type: str | None = None,
        size: int | None = None,
        **kwargs: Any,
    ) -> AISFile:
        return AISFile(
            self,
            path,
            mode,
            block_size=block_size or self.default_block_size,
            autocommit=autocommit,
            cache_type=cache_type or self.default_cache_type,
            cache_options=cache_options,
            size=size,
            **kwargs,
        )

    # ------------------------------------------------------------ what they share

    async def _check_absent(self, path: str, mode: str) -> None:
        if mode not in ("overwrite", "create"):
            raise InvalidArgument(f"mode must be 'overwrite' or 'create', not {mode!r}")
        if mode == "create":
            try:
                await self.run(partial(self.describe, self._strip_protocol(path)))
            except ErrPathNotFound:
                return
            raise ErrPathExists(self._strip_protocol(path))

    def _write_in_transaction(self, path: str, write: Callable[[AISFile], object]) -> None:
        file = self._open(self._strip_protocol(path), "wb", autocommit=False)
        with file:
            write(file)
        self.transaction.files.append(file)


def _progress(callback: Callback) -> content.Progress | None:
    return None if isinstance(callback, NoOpCallback) else callback.relative_update


def _copy_into(path: str, progress: content.Progress | None, file: AISFile) -> None:
    with Path(path).open("rb") as source:
        while piece := source.read(file.blocksize):
            file.write(piece)
            if progress is not None:
                progress(len(piece))
