"""Datasets, samplers and checkpoints for PyTorch on a cluster (extra `pytorch`).

Nothing is imported before it is used: torch is loaded with the first class. Importing this package teaches
WebDataset `ais://` URLs, whenever that is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.pytorch.web_dataset import register as _register_opener
from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.pytorch.base_iter_dataset import AISBaseIterDataset
    from aistore.pytorch.base_map_dataset import AISBaseMapDataset
    from aistore.pytorch.batch_iter_dataset import AISBatchIterDataset
    from aistore.pytorch.checkpoint import AISCheckpoint
    from aistore.pytorch.distributed_checkpoint import AISStorageReader, AISStorageWriter
    from aistore.pytorch.dynamic_sampler import DynamicBatchSampler
    from aistore.pytorch.iter_dataset import AISIterDataset
    from aistore.pytorch.map_dataset import AISMapDataset
    from aistore.pytorch.multishard_dataset import AISMultiShardStream
    from aistore.pytorch.parallel_map_dataset import AISParallelMapDataset
    from aistore.pytorch.shard_reader import AISShardReader

__all__ = [
    "AISBaseIterDataset",
    "AISBaseMapDataset",
    "AISBatchIterDataset",
    "AISCheckpoint",
    "AISIterDataset",
    "AISMapDataset",
    "AISMultiShardStream",
    "AISParallelMapDataset",
    "AISShardReader",
    "AISStorageReader",
    "AISStorageWriter",
    "DynamicBatchSampler",
]

_MODULES = {
    "AISBaseIterDataset": "base_iter_dataset",
    "AISBaseMapDataset": "base_map_dataset",
    "AISBatchIterDataset": "batch_iter_dataset",
    "AISCheckpoint": "checkpoint",
    "AISIterDataset": "iter_dataset",
    "AISMapDataset": "map_dataset",
    "AISMultiShardStream": "multishard_dataset",
    "AISParallelMapDataset": "parallel_map_dataset",
    "AISShardReader": "shard_reader",
    "AISStorageReader": "distributed_checkpoint",
    "AISStorageWriter": "distributed_checkpoint",
    "DynamicBatchSampler": "dynamic_sampler",
}


_register_opener()


__getattr__ = lazy_exports(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
