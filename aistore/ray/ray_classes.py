"""What is used of Ray Data, with an error that says how to get it."""

from __future__ import annotations

try:
    import pyarrow as pa
    from ray.data import DataContext, Datasink, Datasource
    from ray.data.block import Block, BlockAccessor, BlockMetadata
    from ray.data.datasource import ReadTask
except ImportError as err:
    raise ImportError(
        "aistore.ray needs Ray Data: pip install 'aistore[ray]'", name=err.name or "ray"
    ) from err

__all__ = [
    "Block",
    "BlockAccessor",
    "BlockMetadata",
    "DataContext",
    "Datasink",
    "Datasource",
    "ReadTask",
    "pa",
]
