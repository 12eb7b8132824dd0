"""Batches of as many samples as fit into a number of bytes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from aistore.pytorch.base_map_dataset import AISBaseMapDataset
from aistore.pytorch.torch_classes import Sampler, torch
from aistore.sdk.errors import InvalidArgument

logger = logging.getLogger(__name__)

SATURATION_FACTOR = 0.8


class DynamicBatchSampler(Sampler[list[int]]):
    """Yields lists of indices, for the `batch_sampler` of a `DataLoader`.

    An empty object is left out with a warning.

    Args:
        data_source: The dataset; sizes are those of its listing.
        max_batch_size: Most bytes in a batch.
        drop_last: Leave a last batch out that is not filled beyond `saturation_factor`. Default: `False`.
        allow_oversized_samples: Give a sample larger than `max_batch_size` a batch of its own. Default:
            `False`, leave it out with a warning.
        saturation_factor: From which filling on, 0 to 1, the last batch is kept all the same. Default: 0.8.
        shuffle: Take the samples in a new random order (`torch.randperm`) in each pass. Default: `False`.

    Raises:
        InvalidArgument: `max_batch_size` or `saturation_factor` is out of range (also a `ValueError`).
    """

    def __init__(
        self,
        data_source: AISBaseMapDataset,
        max_batch_size: float,
        drop_last: bool = False,
        allow_oversized_samples: bool = False,
        saturation_factor: float = SATURATION_FACTOR,
        shuffle: bool = False,
    ) -> None:
        if not 0 <= saturation_factor <= 1:
            raise InvalidArgument(f"saturation_factor must be from 0 to 1, not {saturation_factor!r}")
        if not max_batch_size > 0:
            raise InvalidArgument(
                f"max_batch_size must be a positive number of bytes, not {max_batch_size!r}"
            )
        self._data_source = data_source
        self._max_batch_size = max_batch_size
        self._drop_last = drop_last
        self._allow_oversized_samples = allow_oversized_samples
        self._saturation_factor = saturation_factor
        self._shuffle = shuffle
        self._batches: list[list[int]] | None = None
        self._is_used = False

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the indices of each batch."""
        if self._batches is None or (self._is_used and self._shuffle):
            self._batches = list(self._plan())
        self._is_used = True
        yield from self._batches

    def __len__(self) -> int:
        """Return how many batches the pass has that is under way, or else the next one."""
        if self._batches is None:
            self._batches = list(self._plan())
        return len(self._batches)

    def _plan(self) -> Iterator[list[int]]:
        objects = self._data_source.get_obj_list()
        count = len(objects)
        batch: list[int] = []
        filled = 0
        for index in torch.randperm(count).tolist() if self._shuffle else range(count):
            known = objects[index].props_cached
            size = known.size if known is not None else objects[index].head().size
            if size == 0:
                logger.warning("%s is empty: it is left out", objects[index].name)
            elif size > self._max_batch_size:
                if self._allow_oversized_samples:
                    yield [index]
                else:
                    logger.warning(
                        "%s has %d bytes, more than a batch of %g: it is left out",
                        objects[index].name,
                        size,
                        self._max_batch_size,
                    )
            else:
                if filled + size > self._max_batch_size:
                    yield batch
                    batch, filled = [], 0
                batch.append(index)
                filled += size
        if batch and not (self._drop_last and filled / self._max_batch_size <= self._saturation_factor):
            yield batch
