"""Datasets: which parts samples have, and writing them into shards."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import DEFAULT_DATASET_MAX_COUNT, EXT_TAR
from aistore.sdk.dataset.config_attribute import ConfigAttribute
from aistore.sdk.errors import InvalidArgument

if TYPE_CHECKING:
    from aistore.sdk.dataset.data_attribute import DataAttribute

logger = logging.getLogger(__name__)


class DatasetConfig:
    """A dataset: its samples are the files of the primary part.

    Args:
        primary_attribute: The part that every sample has, files of a directory.
        secondary_attributes: The other parts. Default: none.
    """

    def __init__(
        self,
        primary_attribute: DataAttribute,
        secondary_attributes: Sequence[ConfigAttribute] | None = None,
    ) -> None:
        self.primary_attribute = primary_attribute
        self.secondary_attributes = list(secondary_attributes or ())

    def generate_dataset(self, max_shard_items: int) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Yield the samples, in the order of their names.

        Args:
            max_shard_items: Samples in one shard; its number of digits is that of the samples' numbers.

        Yields:
            A sample, `__key__` and its parts by their keys, and which parts it lacks (`name - key`).
        """
        _check_max(max_shard_items)
        digits = len(str(max_shard_items))
        primary = self.primary_attribute
        files = sorted(Path(primary.path).glob(f"*.{primary.file_type}"))
        for index, file in enumerate(files):
            sample: dict[str, Any] = {"__key__": f"sample_{index:0{digits}d}"}
            missing = []
            for attribute in (primary, *self.secondary_attributes):
                key, value = attribute.get_data_for_entry(file.stem)
                # A label may well be 0: only what is not there, or holds nothing, is missing.
                if value is None or value in ("", b""):
                    missing.append(f"{file.stem} - {key}")
                else:
                    sample[key] = value
            yield sample, missing

    def write_shards(self, skip_missing: bool, **kwargs: Any) -> None:
        """Write the samples into tar files, webdataset's layout. Needs the package `webdataset`.

        Args:
            skip_missing: Leave out samples that lack a part.
            **kwargs: For `webdataset.ShardWriter`: `pattern` (path of the shards without number and
                extension; default `dataset`), `maxcount` (samples in a shard; default 100,000), `maxsize`
                (bytes), `post` (called with the path of each shard).

        Raises:
            ImportError: `webdataset` is not installed.
        """
        try:
            from webdataset import ShardWriter
        except ImportError as err:
            raise ImportError("writing shards needs webdataset: pip install webdataset") from err
        max_count = kwargs.pop("maxcount", DEFAULT_DATASET_MAX_COUNT)
        _check_max(max_count)
        digits = len(str(max_count))
        pattern = f"{kwargs.pop('pattern', 'dataset')}-%0{digits}d{EXT_TAR}"
        with ShardWriter(pattern, maxcount=max_count, **kwargs) as writer:
            for sample, missing in self.generate_dataset(max_count):
                if missing and skip_missing:
                    logger.warning("left out, parts are missing: %s", missing)
                    continue
                if missing:
                    logger.warning("parts are missing: %s", missing)
                writer.write(sample)


def _check_max(max_shard_items: int) -> None:
    if isinstance(max_shard_items, bool) or not isinstance(max_shard_items, int) or max_shard_items < 1:
        raise InvalidArgument(f"the number of samples in a shard must be 1 or more, not {max_shard_items!r}")
