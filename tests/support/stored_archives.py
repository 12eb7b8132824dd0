"""Archives made by other programs (`tests/data/archives`), and what is in them."""

import gzip
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "data" / "archives"
NAMES = sorted(path.name.removesuffix(".gz") for path in FOLDER.glob("*.gz"))


def _holes() -> bytes:
    content = bytearray(700_000)
    for number in range(40):
        at = number * 16384 + 8192
        content[at : at + 4096] = bytes([number + 1]) * 4096
    return bytes(content)


FILES = {
    "a.txt": b"alpha\n",
    "empty": b"",
    "hard": b"alpha\n",
    "holes.bin": _holes(),
    "n" * 120 + ".txt": b"long",
    "soft": b"beta",
    "sub/b.bin": b"beta",
}
"""The files of the folder that most archives have; links as what they point to."""

SOME = {name: FILES[name] for name in ("a.txt", "sub/b.bin")}
_SMALL = {name: content for name, content in FILES.items() if name != "holes.bin"}
_IN_FOLDER = {f"d/{name}": FILES[name] for name in ("a.txt", "hard", "soft", "sub/b.bin")}
_LARGE = {**SOME, "holes.bin": FILES["holes.bin"]}

CONTENTS = {
    "7z.tar": SOME,
    "git.tar": SOME,
    "ustar.tar": _IN_FOLDER,
    "v7.tar": _IN_FOLDER,
    "info.zip": _SMALL,
    "prefixed.zip": _SMALL,
    "streamed.zip": {"-": b"alpha\n"},
    "zip64.zip": SOME,
    "bsdtar.zip": SOME,
    "7z-lzma.zip": _LARGE,
    "7z-bzip2.zip": _LARGE,
    "7z-deflate64.zip": SOME,
    "7z-ppmd.zip": SOME,
    "7z-aes.zip": {},
    "encrypted.zip": {"empty": b""},
}
"""The files of the other archives that can be read."""

UNREADABLE = ("7z-aes.zip", "7z-deflate64.zip", "7z-ppmd.zip", "encrypted.zip")
"""Archives with members that cannot be read: encrypted, or compressed in a way that Python does not know."""


def stored(name: str) -> bytes:
    """Return an archive."""
    return gzip.decompress((FOLDER / f"{name}.gz").read_bytes())


def files_in(name: str) -> dict[str, bytes]:
    """Return the files of an archive, links as what they point to."""
    return CONTENTS.get(name, FILES)


class Bytes:
    """Bytes that are read at any offset, as an object is."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.reads = 0

    def read_at(self, offset: int, size: int) -> bytes:
        self.reads += 1
        return self.data[offset : offset + size]
