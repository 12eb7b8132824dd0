"""A part of a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class ConfigAttribute(ABC):
    """Finds one part of each sample: its data, its label, ..."""

    @abstractmethod
    def get_data_for_entry(self, filename: str) -> tuple[str, Any]:
        """Return key and value of the part for a sample.

        Args:
            filename: Name of the sample: that of its primary file, without extension.

        Returns:
            The key, and the value; `None` when the sample lacks this part.
        """
