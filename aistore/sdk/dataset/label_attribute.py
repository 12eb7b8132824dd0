"""A part of a sample that follows from its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aistore.sdk.dataset.config_attribute import ConfigAttribute


class LabelAttribute(ConfigAttribute):
    """A label for each sample.

    Args:
        name: Key of this part in the samples.
        label_identifier: Returns the label for the name of a sample.
    """

    def __init__(self, name: str, label_identifier: Callable[[str], Any]) -> None:
        self.name = name
        self.label_identifier = label_identifier

    def get_data_for_entry(self, filename: str) -> tuple[str, Any]:
        """Return `name` and the sample's label."""
        return self.name, self.label_identifier(filename)
