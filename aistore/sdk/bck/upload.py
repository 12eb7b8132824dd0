"""Uploading a directory: which files become which objects, and putting them in parallel."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from aistore.sdk.bck.base import BucketBase
from aistore.sdk.errors import InvalidArgument, SDKError
from aistore.sdk.parallel import WorkerPool
from aistore.sdk.progress import ProgressCallback, ProgressUpdate
from aistore.sdk.utils import get_file_size, validate_directory
from aistore.wire.names import check_object_name

logger = logging.getLogger("aistore.sdk.bucket.put_files")

# Files handed to each worker beforehand: enough to keep it busy, few enough to stop soon.
_QUEUED_PER_WORKER = 2


class PutFilesError(SDKError):
    """A file could not be uploaded; it is also an instance of the class of its cause.

    Attributes:
        file: Path of the file.
        uploaded: Names of the objects that are in the bucket, in the order of the files.
    """

    file: str
    uploaded: list[str]

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Callable[..., PutFilesError], tuple[Any, ...]]:
        return put_files_error, (self.file, self.__cause__, self.uploaded)


@cache
def _class_for(cause: type[Exception]) -> type[PutFilesError]:
    return type(
        "PutFilesError", (PutFilesError, cause), {"__module__": __name__, "__doc__": PutFilesError.__doc__}
    )


def put_files_error(file: str, cause: Exception, uploaded: list[str]) -> PutFilesError:
    """Make the error for a file; programs that catch the cause's class catch it."""
    cls = _class_for(type(cause))  # type: ignore[arg-type]  # a class is hashable
    text = f"cannot upload {file} ({len(uploaded)} files uploaded before): {cause}"
    # Not through the cause's constructor, which takes other arguments.
    error = cls.__new__(cls)
    error.args = (text,)
    error.__dict__.update(cause.__dict__)
    if isinstance(cause, OSError):
        for name in ("errno", "strerror", "filename"):
            setattr(error, name, getattr(cause, name))
    error.file = file
    error.uploaded = uploaded
    error.__cause__ = cause
    return error


@dataclass(frozen=True)
class FileToPut:
    """A file and the object that it becomes."""

    path: Path
    name: str
    size: int


def find_files(
    root: Path,
    *,
    prefix_filter: str,
    pattern: str,
    exclude: str,
    basename: bool,
    prepend: str | None,
    recursive: bool,
) -> list[FileToPut]:
    """Return the files below `root` that match, each with its object's name.

    Links to files are followed; links to directories are not entered, so that there are no loops.

    Raises:
        InvalidArgument: A file's name cannot be an object's name, or two files would become the same object.
    """
    paths = root.rglob(pattern) if recursive else root.glob(pattern)
    found: list[FileToPut] = []
    by_name: dict[str, Path] = {}
    for path in paths:
        if not path.is_file() or not path.name.startswith(prefix_filter):
            continue
        relative = path.relative_to(root).as_posix()
        if fnmatchcase(relative, exclude):
            continue
        name = check_object_name(f"{prepend or ''}{path.name if basename else relative}")
        if name in by_name:
            raise InvalidArgument(f"{by_name[name]} and {path} would both become the object {name!r}")
        by_name[name] = path
        found.append(FileToPut(path, name, path.stat().st_size))
    return found


def put_parallel(
    files: list[FileToPut],
    put: Callable[[FileToPut], object],
    *,
    num_workers: int,
    done: Callable[[FileToPut], None],
) -> None:
    """Call `put` for every file in `num_workers` threads; `done` is called here as each one is through.

    Raises:
        PutFilesError: The first failure. Files that were under way are finished, others are not begun.
    """
    finished: list[bool] = [False] * len(files)
    pending: dict[Future[object], int] = {}
    left = deque(range(len(files)))
    pool = WorkerPool(num_workers, "ais-put")

    def uploaded() -> list[str]:
        return [file.name for file, through in zip(files, finished, strict=True) if through]

    failure: tuple[FileToPut, Exception] | None = None
    try:
        while left or pending:
            while left and failure is None and len(pending) < num_workers * (_QUEUED_PER_WORKER + 1):
                index = left.popleft()
                pending[pool.submit(put, files[index])] = index
            through, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in through:
                index = pending.pop(future)
                if future.cancelled():
                    continue
                error = future.exception()
                if error is None:
                    finished[index] = True
                    done(files[index])
                elif not isinstance(error, Exception):
                    raise error
                elif failure is None:
                    failure = files[index], error
                    left.clear()
                    for other in pending:
                        other.cancel()
    finally:
        # Also on Ctrl-C: what was not begun never is.
        pool.shutdown(wait=True, cancel_futures=True)
    if failure is not None:
        raise put_files_error(str(failure[0].path), failure[1], uploaded()) from failure[1]


class BucketUpload(BucketBase):
    """The part of `Bucket` that uploads directories."""

    def put_files(
        self,
        path: str | Path,
        prefix_filter: str = "",
        pattern: str = "*",
        basename: bool = False,
        prepend: str | None = None,
        recursive: bool = False,
        dry_run: bool = False,
        verbose: bool = True,
        num_workers: int | None = None,
        progress: ProgressCallback | None = None,
        exclude: str = "",
    ) -> list[str]:
        """Upload the files of a directory, several at a time; each becomes an object.

        Args:
            path: The directory.
            prefix_filter: Only files whose own names start with it. Default: all.
            pattern: Only files that match this shell pattern. Default: `*`.
            basename: Name objects by the files' own names, without directories. Default: `False`, by the path
                below `path`, with `/`.
            prepend: Put in front of every name as it is (`dir/` for a directory). Default: nothing.
            recursive: Also the files in subdirectories. Default: `False`.
            dry_run: Upload nothing, only return the names. Default: `False`.
            verbose: Log at level INFO to `aistore.sdk.bucket.put_files`. Default: `True`.
            num_workers: Files uploaded at a time. Default: four for each CPU, at most 8.
            progress: Called for every object that is in the bucket. Default: `None`.
            exclude: Leave out files whose path below `path` matches this shell pattern, in which `*` also
                matches `/` (`.git/*`). Default: none.

        Returns:
            Names of the objects, in the order in which the files were found.

        Raises:
            InvalidArgument: `path` is not a directory, a file's name cannot be an object's name, or two files
                would become the same object; nothing has been uploaded then.
            PutFilesError: A file could not be uploaded. It names the file and what has been uploaded, and is
                also an instance of the class of its cause.
        """
        validate_directory(path)
        if num_workers is None:
            num_workers = min(8, 4 * (os.cpu_count() or 1))
        elif isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 1:
            raise InvalidArgument(f"num_workers must be a count from 1 on, not {num_workers!r}")
        files = find_files(
            Path(path),
            prefix_filter=prefix_filter,
            pattern=pattern,
            exclude=exclude,
            basename=basename,
            prepend=prepend,
            recursive=recursive,
        )
        names = [file.name for file in files]
        total_bytes = sum(file.size for file in files)
        level = logging.INFO if verbose else logging.DEBUG
        if dry_run:
            for file in files:
                logger.log(
                    level, "Dry-run: %s (%s) would become %s", file.path, get_file_size(file.path), file.name
                )
            return names
        self._require_client()
        self._path()
        started = time.monotonic()
        report = _reporter(len(files), total_bytes, progress)

        def put(file: FileToPut) -> None:
            self.object(file.name).get_writer().put_file(file.path)

        def done(file: FileToPut) -> None:
            logger.log(level, "%s is now %s", file.path, file.name)
            report(file)

        put_parallel(files, put, num_workers=num_workers, done=done)
        took = time.monotonic() - started
        logger.log(
            level, "Uploaded %d files, %d bytes, to %s in %.1f s", len(files), total_bytes, self.name, took
        )
        return names


def _reporter(
    total_objects: int, total_bytes: int, progress: ProgressCallback | None
) -> Callable[[FileToPut], None]:
    objects = size = 0

    def report(file: FileToPut) -> None:
        nonlocal objects, size
        objects += 1
        size += file.size
        if progress is not None:
            progress(ProgressUpdate(file.name, objects, total_objects, size, total_bytes))

    return report
