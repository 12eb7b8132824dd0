"""Files of a shard as samples: which sample a file belongs to, and which part of it the file is."""

from __future__ import annotations

from typing import Literal

from aistore.pytorch.errors import ErrSampleClash

KeyStyle = Literal["path", "basename"]


def sample_file(path: str, style: KeyStyle) -> tuple[str, str] | None:
    """Return the key of a file's sample and what follows the first dot of its name; `None` for no sample.

    Hidden files, such as the `._*` of macOS, and files without an extension are parts of no sample.

    Args:
        path: Path of the file in its shard.
        style: `path` for the path up to the first dot of its last element, without a leading `./`;
            `basename` for this last element up to its first dot.
    """
    folder, slash, base = path.rpartition("/")
    stem, _, rest = base.partition(".")
    if not stem or not rest or rest[-1] == ".":
        return None
    if style == "basename" or not slash:
        return stem, rest
    key = f"{folder}/{stem}"
    while key.startswith("./"):
        key = key[2:]
    return key, rest


class ShardSamples:
    """The samples of one shard, as its files are added to it.

    Args:
        shard: Name of the shard, for errors.
        style: Style of the keys.

    Attributes:
        samples: The samples by their keys: contents by extension.
        left_out: How many files are parts of no sample.
    """

    def __init__(self, shard: str, style: KeyStyle) -> None:
        self._shard = shard
        self._style = style
        self.samples: dict[str, dict[str, bytes]] = {}
        self.left_out = 0
        # Of files whose extension is not all that follows the first dot: all of it.
        self._long: dict[tuple[str, str], str] = {}
        self._clashed: set[tuple[str, str]] = set()

    def add(self, path: str, content: bytes) -> None:
        """Add a file.

        Its extension is what follows the last dot. Where several files of a sample have the same, it is all
        that follows the first dot.

        Args:
            path: Its path in the shard.
            content: Content of the file.

        Raises:
            ErrSampleClash: The sample has this file already (also a `ValueError`).
        """
        found = sample_file(path, self._style)
        if found is None:
            self.left_out += 1
            return
        key, long = found
        extension = long.rpartition(".")[2] if "." in long else long
        sample = self.samples.get(key)
        if sample is None:
            sample = self.samples[key] = {}
        elif extension in sample or (key, extension) in self._clashed:
            extension = self._tell_apart(path, key, extension, long)
        if extension != long:
            self._long[key, extension] = long
        sample[extension] = content

    def _tell_apart(self, path: str, key: str, short: str, long: str) -> str:
        """Give the file that has the extension its long one, and return that of the new file."""
        sample = self.samples[key]
        if short in sample and (key, short) not in self._clashed:
            taken = self._long.pop((key, short), short)
            self._clashed.add((key, short))
            sample[taken] = sample.pop(short)
        if long in sample or self._style == "basename":
            hint = "; keys='path' tells folders apart" if self._style == "basename" else ""
            raise ErrSampleClash(f"{self._shard}: {path!r} is another {short!r} of the sample {key!r}{hint}")
        return long
