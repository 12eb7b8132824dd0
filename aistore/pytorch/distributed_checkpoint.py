"""Checkpoints of `torch.distributed.checkpoint`, each a group of objects."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from aistore.pytorch.errors import ErrUnsafeCheckpoint
from aistore.pytorch.torch_classes import torch
from aistore.sdk.bck.urls import bucket_at
from aistore.sdk.client import Client
from aistore.sdk.errors import ErrObjNotFound, InvalidURLException

# isort: split
# After torch_classes, which says how to get torch.
from torch.distributed.checkpoint.filesystem import FileSystemBase, FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta

if TYPE_CHECKING:
    from torch.distributed.checkpoint.filesystem import FileSystem
    from torch.distributed.checkpoint.planner import LoadPlan, LoadPlanner, ReadItem
    from torch.futures import Future

    from aistore.sdk.obj.object import Object

_Path = str | os.PathLike[str]


class AISStorageWriter(FileSystemWriter):
    """Writes checkpoints of `torch.distributed.checkpoint`: an object for each rank, then the metadata.

    Objects have the content of the files that torch's `FileSystemWriter` writes. A checkpoint is there when
    its metadata, the object `.metadata`, is.

    Args:
        client: Sends the requests.
        path: URL of the checkpoint, `ais://bucket/prefix`; `checkpoint_id` of `save` goes before it.
        num_workers: How many parts of an object to upload at a time. Default: 4.
        options: See torch's `FileSystemWriter`.

    Raises:
        InvalidURLException: `path` is not of that form (also a `ValueError`).
    """

    def __init__(self, client: Client, path: str, *, num_workers: int = 4, **options: Any) -> None:
        # There is nothing to sync: an object is safe when the cluster has taken it.
        super().__init__(path, **{"sync_files": False, **options})
        objects = _Objects(client, num_workers)
        self.fs = cast("FileSystem", objects)  # declared as torch's own kind of file system
        self.path = objects.init_path(path)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: _Path) -> bool:
        """Return whether a checkpoint can have this URL.

        Args:
            checkpoint_id: The URL.
        """
        return _Objects.validate_checkpoint_id(checkpoint_id)


class AISStorageReader(FileSystemReader):
    """Reads checkpoints of `torch.distributed.checkpoint` that `AISStorageWriter` wrote, or that were copied.

    What comes from the cluster is not trusted: metadata may hold what torch puts into it only, and values
    that are no tensors only what `torch.load` takes with `weights_only=True`.

    Args:
        client: Sends the requests.
        path: URL of the checkpoint, `ais://bucket/prefix`; `checkpoint_id` of `load` goes before it.
        num_workers: How many ranges of an object to read at a time. Default: 4.
        weights_only: Refuse values that could run code when they are loaded. Default: `True`.

    Raises:
        InvalidURLException: `path` is not of that form (also a `ValueError`).
    """

    def __init__(self, client: Client, path: str, *, num_workers: int = 4, weights_only: bool = True) -> None:
        super().__init__(path)
        objects = _Objects(client, num_workers)
        self.fs = cast("FileSystem", objects)  # declared as torch's own kind of file system
        self.path = objects.init_path(path)
        self._weights_only = weights_only

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Return the metadata of the checkpoint.

        Args:
            args: Ignored.
            kwargs: `rank`, when every rank wrote metadata of its own.

        Raises:
            ErrObjNotFound: There is no such checkpoint (also a `FileNotFoundError`).
            ErrUnsafeCheckpoint: The metadata is not such as torch writes (also an `UnpicklingError`).
        """
        rank = kwargs.get("rank")
        name = ".metadata" if rank is None else f"__{rank}.metadata"
        with self.fs.create_stream(self.fs.concat_path(self.path, name), "rb") as file:
            metadata = _MetadataUnpickler(cast("io.BufferedIOBase", file)).load()
        if not isinstance(metadata, Metadata):
            raise ErrUnsafeCheckpoint(f"{self.path}/{name} holds a {type(metadata).__name__}, no metadata")
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        """Read what a plan names.

        Args:
            plan: The plan.
            planner: Takes the values.

        Raises:
            pickle.UnpicklingError: A value could run code, and `weights_only` was not turned off.
        """
        checked = cast("LoadPlanner", _CheckingPlanner(planner)) if self._weights_only else planner
        return super().read_data(plan, checked)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: _Path) -> bool:
        """Return whether a checkpoint can have this URL.

        Args:
            checkpoint_id: The URL.
        """
        return _Objects.validate_checkpoint_id(checkpoint_id)


class _Objects(FileSystemBase):
    """What torch's readers and writers ask of a file system, for URLs of objects."""

    def __init__(self, client: Client, num_workers: int) -> None:
        self._client = client
        self._num_workers = num_workers

    @contextmanager
    def create_stream(self, path: _Path, mode: str) -> Generator[io.IOBase, None, None]:
        obj = self._object(path)
        if mode == "rb":
            with obj.get_reader().as_seekable_file(num_workers=self._num_workers) as reader:
                yield reader
        else:
            with obj.get_writer().as_upload(self._num_workers) as writer:
                yield writer

    def concat_path(self, path: _Path, suffix: str) -> str:
        return f"{os.fspath(path)}/{suffix}"

    def init_path(self, path: _Path) -> str:
        url = os.fspath(path).rstrip("/")
        if not bucket_at(self._client, url)[1]:
            raise InvalidURLException(url)
        return url

    def rename(self, path: _Path, new_path: _Path) -> None:
        old = self._object(path)
        old.copy(self._object(new_path))
        old.delete()

    def mkdir(self, path: _Path) -> None:
        """Do nothing: there are no directories."""

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: _Path) -> bool:
        # A Path has lost one of the slashes.
        return isinstance(checkpoint_id, str) and checkpoint_id.startswith("ais://")

    def exists(self, path: _Path) -> bool:
        try:
            self._object(path).head()
        except ErrObjNotFound:
            return False
        return True

    def rm_file(self, path: _Path) -> None:
        self._object(path).delete()

    def _object(self, path: _Path) -> Object:
        return self._client.get_object_from_url(os.fspath(path))


# What torch puts into metadata, besides dtypes.
_KNOWN = {
    "torch": {"Size"},
    "torch.distributed.checkpoint.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "collections": {"OrderedDict"},
    "pathlib": {"PosixPath", "PurePosixPath"},
    "pathlib._local": {"PosixPath", "PurePosixPath"},
}


class _MetadataUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name == "torch" and isinstance(getattr(torch, global_name, None), torch.dtype):
            return getattr(torch, global_name)
        if global_name not in _KNOWN.get(module_name, ()):
            raise ErrUnsafeCheckpoint(f"checkpoint metadata may not contain {module_name}.{global_name}")
        return super().find_class(module_name, global_name)


class _CheckingPlanner:
    """A planner that looks at values before they are unpickled."""

    def __init__(self, planner: LoadPlanner) -> None:
        self._planner = planner

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        torch.load(value, weights_only=True)
        value.seek(0)
        self._planner.load_bytes(read_item, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._planner, name)
