"""Rows of a Ray dataset as objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aistore.ray.ray_classes import Block, BlockAccessor, Datasink, pa
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.parallel import ordered_map

if TYPE_CHECKING:
    from ray.data._internal.execution.interfaces import TaskContext

_WRITERS = 8


class AISDatasink(Datasink[int]):
    """Writes each row as an object of a bucket; objects of the same names are replaced.

    Args:
        bucket: The bucket; it must exist.
        prefix: Goes in front of every name as it is. Default: nothing.
        key_column: Column with the names. Default: `key`.
        bytes_column: Column with the contents, binary or text. Default: `bytes`.

    Example:
        >>> dataset.write_datasink(AISDatasink(client.bucket("resized"), prefix="train/"))
    """

    def __init__(
        self, bucket: Bucket, *, prefix: str = "", key_column: str = "key", bytes_column: str = "bytes"
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._columns = (key_column, bytes_column)

    def get_name(self) -> str:
        """Return what write tasks are called."""
        return "AIS"

    def write(self, blocks: Iterable[Block], ctx: TaskContext) -> int:
        """Write the rows of blocks, several at a time.

        Args:
            blocks: The blocks.
            ctx: Of the task; not used.

        Returns:
            How many objects were written.

        Raises:
            InvalidArgument: A column is missing, or a name or a content is null (also a `ValueError`).
        """
        written = 0
        for block in blocks:
            table = BlockAccessor.for_block(block).to_arrow()
            for _ in ordered_map(self._put, self._rows(table), _WRITERS):
                written += 1
        return written

    def _rows(self, table: pa.Table) -> Iterable[tuple[str | None, bytes | str | None]]:
        missing = [name for name in self._columns if name not in table.column_names]
        if missing and table.num_rows:
            raise InvalidArgument(
                f"no column {missing[0]!r}: the columns are {', '.join(table.column_names)}"
            )
        if missing:
            return []
        keys, contents = (table.column(name) for name in self._columns)
        return ((key.as_py(), content.as_py()) for key, content in zip(keys, contents, strict=True))

    def _put(self, row: tuple[str | None, bytes | str | None]) -> None:
        key, content = row
        if key is None or content is None:
            raise InvalidArgument(f"row {key!r} has no {self._columns[key is not None]}")
        self._bucket.object(f"{self._prefix}{key}").get_writer().put_content(
            content.encode() if isinstance(content, str) else content
        )
