"""A part of a sample that is a file."""

from __future__ import annotations

import logging
from pathlib import Path

from aistore.sdk.dataset.config_attribute import ConfigAttribute
from aistore.sdk.utils import read_file_bytes

logger = logging.getLogger(__name__)


class DataAttribute(ConfigAttribute):
    """The files of a directory, one for each sample.

    Args:
        path: The directory.
        name: Key of this part in the samples.
        file_type: Extension of the files, without the dot.
    """

    def __init__(self, path: Path, name: str, file_type: str) -> None:
        self.path = path
        self.name = name
        self.file_type = file_type

    def get_data_for_entry(self, filename: str) -> tuple[str, bytes | None]:
        """Return `name.file_type` and the content of the sample's file; `None` when there is none."""
        key = f"{self.name}.{self.file_type}"
        file = Path(self.path) / f"{filename}.{self.file_type}"
        try:
            return key, read_file_bytes(str(file))
        except FileNotFoundError:
            logger.warning("sample '%s' has no file %s", filename, file)
            return key, None
