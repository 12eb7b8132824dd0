"""What is used of torch, with an error that says how to get it."""

from __future__ import annotations

import os

try:
    import torch
    from torch.utils import data as torch_utils
    from torch.utils.data import Dataset, IterableDataset, Sampler
except ImportError as err:
    raise ImportError(
        "aistore.pytorch needs PyTorch: pip install 'aistore[pytorch]'", name=err.name or "torch"
    ) from err

__all__ = [
    "Dataset",
    "IterableDataset",
    "Sampler",
    "current_rank",
    "current_worker",
    "torch",
    "torch_utils",
]


def current_rank() -> tuple[int, int]:
    """Return this process's rank and the number of ranks.

    From `torch.distributed` when it is initialized, else from `RANK` and `WORLD_SIZE` as `torchrun` sets
    them, else 0 of 1.
    """
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    rank, world_size = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if rank.isdigit() and world_size.isdigit() and int(rank) < int(world_size):
        return int(rank), int(world_size)
    return 0, 1


def current_worker() -> tuple[int, int]:
    """Return the number of this `DataLoader` worker and how many there are; 0 of 1 outside of workers."""
    info = torch_utils.get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)
