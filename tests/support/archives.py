"""Archives as other programs make them, and sources that give bytes in awkward pieces."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable
from itertools import pairwise

Member = tuple[str, bytes]


class Pieces:
    """A source that gives exactly these pieces, then ends or raises."""

    def __init__(self, data: bytes, cuts: Iterable[int], error: Exception | None = None) -> None:
        bounds = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
        self.pieces = [data[a:b] for a, b in pairwise(bounds) if b > a]
        self.error = error
        self.reads = 0

    def readinto(self, buffer) -> int:
        self.reads += 1
        if not self.pieces:
            if self.error is not None:
                raise self.error
            return 0
        piece = self.pieces[0][: len(buffer)]
        self.pieces[0] = self.pieces[0][len(piece) :]
        if not self.pieces[0]:
            self.pieces.pop(0)
        buffer[: len(piece)] = piece
        return len(piece)


def tar_of(members: Iterable[Member], format: int = tarfile.PAX_FORMAT) -> bytes:
    """Make a tar with two zero blocks at its end and no more, as the cluster does."""
    out = io.BytesIO()
    size = 0
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        size = tar.offset
    return out.getvalue()[:size] + bytes(1024)


def zip_of(members: Iterable[Member]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def archive_of(format: str, members: Iterable[Member]) -> bytes:
    if format == ".zip":
        return zip_of(members)
    tar = tar_of(members)
    if format in (".tgz", ".tar.gz"):
        return gzip.compress(tar, 1)
    if format == ".tar.lz4":
        import lz4.frame

        return lz4.frame.compress(tar)
    return tar


def read_all(reader) -> list[tuple[bytes, bytes]]:
    found = []
    while member := reader.next_member():
        name, size = member
        data = reader.read_member()
        assert len(data) == size
        found.append((name, data))
    reader.close()
    return found
