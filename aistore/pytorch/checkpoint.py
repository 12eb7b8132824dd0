"""Checkpoints as objects: files for `torch.save` and `torch.load`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.bck.urls import bucket_at
from aistore.sdk.client import Client

if TYPE_CHECKING:
    from io import BufferedReader

    from aistore.sdk.obj.obj_file.upload_writer import ObjectUploadWriter
    from aistore.sdk.obj.object import Object


class AISCheckpoint:
    """Writes and reads the checkpoints below one URL.

    Args:
        client: Sends the requests.
        url: `ais://bucket` or `ais://bucket/prefix`; a `/` goes between prefix and names.
        num_workers: How many parts of a checkpoint to send or receive at a time. Default: 4.

    Raises:
        InvalidURLException: `url` names no bucket (also a `ValueError`).

    Example:
        >>> checkpoints = AISCheckpoint(client, "ais://runs/first")
        >>> with checkpoints.writer("step-100.pt") as file:
        ...     torch.save(model.state_dict(), file)
        >>> with checkpoints.reader("step-100.pt") as file:
        ...     model.load_state_dict(torch.load(file, weights_only=True))
    """

    def __init__(self, client: Client, url: str, num_workers: int = 4) -> None:
        self._bucket, prefix = bucket_at(client, url)
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self._num_workers = num_workers

    def writer(self, name: str) -> ObjectUploadWriter:
        """Return a file that becomes a checkpoint when it is closed.

        Nothing is visible before, and nothing changes when the `with` block raises or the process ends in it.
        Large ones are uploaded in parts while they are written.

        Args:
            name: Of the checkpoint, below the URL.

        Raises:
            InvalidArgument: Not a name that an object can have (also a `ValueError`).
        """
        return self._object(name).get_writer().as_upload(self._num_workers)

    def reader(self, name: str) -> BufferedReader:
        """Return a file that reads a checkpoint, and can seek in it.

        Args:
            name: Of the checkpoint, below the URL.

        Raises:
            ErrObjNotFound: There is none (also a `FileNotFoundError`).
        """
        return self._object(name).get_reader().as_seekable_file(num_workers=self._num_workers)

    def names(self) -> list[str]:
        """Return the names of the checkpoints, in their order."""
        listed = self._bucket.list_objects_iter(prefix=self._prefix, props="name")
        return [entry.name[len(self._prefix) :] for entry in listed]

    def delete(self, name: str) -> None:
        """Delete a checkpoint.

        Args:
            name: Its name.

        Raises:
            ErrObjNotFound: There is none (also a `FileNotFoundError`).
        """
        self._object(name).delete()

    def _object(self, name: str) -> Object:
        return self._bucket.object(f"{self._prefix}{name}")
