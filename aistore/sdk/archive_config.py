"""What to read from an archive (shard): one member, or all that match."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aistore.sdk.errors import InvalidArgument


class ArchiveMode(Enum):
    """How `ArchiveConfig.regex` selects members."""

    REGEXP = "regexp"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    SUBSTR = "substr"
    WDSKEY = "wdskey"
    """The member's path without its extension, the key of a WebDataset sample."""


@dataclass
class ArchiveConfig:
    """Select what a read returns of an archive.

    Args:
        archpath: Path of the one member to read. Default: "", the archive itself.
        regex: What members must match, in the way that `mode` says. Default: "".
        mode: How `regex` is meant. Default: `None`.

    Raises:
        InvalidArgument: `regex` and `mode` not together, or `regex` with `archpath` (also a `ValueError`).
    """

    archpath: str = ""
    regex: str = ""
    mode: ArchiveMode | None = None

    def __post_init__(self) -> None:
        if self.mode is not None:
            try:
                self.mode = ArchiveMode(self.mode)  # also from its text
            except ValueError:
                modes = ", ".join(mode.value for mode in ArchiveMode)
                raise InvalidArgument(f"mode must be one of {modes}, not {self.mode!r}") from None
        if bool(self.regex) != (self.mode is not None):
            raise InvalidArgument("regex and mode go together: give both or neither")
        if self.regex and self.archpath:
            raise InvalidArgument("archpath names one member and regex selects many: give one of them")
