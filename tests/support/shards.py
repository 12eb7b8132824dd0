"""Shards of any format, made and read in memory."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import lz4.frame

Members = list[tuple[str, bytes]]


def make_shard(extension: str, members: Members) -> bytes:
    out = io.BytesIO()
    if extension == ".zip":
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    if extension == ".tar":
        return out.getvalue()
    compress = lz4.frame.compress if extension == ".tar.lz4" else gzip.compress
    return compress(out.getvalue())


def read_shard(extension: str, data: bytes) -> Members:
    if extension == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    if extension == ".tar.lz4":
        data = lz4.frame.decompress(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(info.name, archive.extractfile(info).read()) for info in archive]
