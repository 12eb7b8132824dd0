"""An object as a write-only file that becomes visible only when it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.obj.obj_file.file_writer import ObjectFileWriter
from aistore.sdk.obj.obj_file.sinks import ParallelReplaceSink

if TYPE_CHECKING:
    from aistore.sdk.obj.object_writer import ObjectWriter


class ObjectUploadWriter(ObjectFileWriter):
    """Replaces an object like a binary file, all at once when it is closed.

    Libraries flush what they write before it is complete, so flushing does nothing. Parts of 8 MiB are
    uploaded while the next ones are written; memory holds `num_workers` of them. A `with` block that raises
    leaves the object as it is.

    Args:
        obj_writer: Writes the object.
        num_workers: How many parts to upload at a time, at least 1.

    Raises:
        InvalidArgument: `num_workers` is out of range (also a `ValueError`).
    """

    def __init__(self, obj_writer: ObjectWriter, num_workers: int) -> None:
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 1:
            raise InvalidArgument(f"num_workers must be an int of at least 1, not {num_workers!r}")
        super().__init__(obj_writer, "w")
        self._sink = ParallelReplaceSink(obj_writer, num_workers)

    def flush(self) -> None:
        """Do nothing: only `close` makes the object visible.

        Raises:
            ValueError: The file is closed.
        """
        self._require_open()
