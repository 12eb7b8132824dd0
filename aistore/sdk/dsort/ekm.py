"""External key map: which records go into which output shards."""

from __future__ import annotations

from typing import Any

from aistore.sdk.errors import InvalidArgumentType
from aistore.sdk.multiobj.object_names import ObjectNames

EKM_FILE_NAME = "ekm-file.json"
"""Name of the object, in the input bucket, that holds the map while dSort reads it."""


class ExternalKeyMap(dict[str, ObjectNames]):
    """Templates of output shards, each with the record keys (regular expressions) that belong there.

    Raises:
        InvalidArgumentType: A key is not a string, or a value not an `ObjectNames` (also a `TypeError`).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __setitem__(self, key: str, value: ObjectNames) -> None:
        if not isinstance(key, str):
            raise InvalidArgumentType(f"Key must be a string, got {type(key).__name__}")
        if not isinstance(value, ObjectNames):
            raise InvalidArgumentType(f"Value must be an instance of ObjectNames, got {type(value).__name__}")
        super().__setitem__(key, value)

    def as_dict(self) -> dict[str, list[str]]:
        """Return the JSON form: template to list of keys."""
        return {key: list(value) for key, value in self.items()}

    def __str__(self) -> str:
        # What stands for the output format in a specification: the shards follow from the map.
        return ""
