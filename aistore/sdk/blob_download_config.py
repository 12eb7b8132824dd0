"""How the cluster fetches a large remote object: in chunks, by several workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class BlobDownloadConfig:
    """Ask for a blob download when an object that is not in the cluster yet is read.

    Args:
        chunk_size: Size of a chunk, with its unit (`"4mb"`). Default: `None`, the cluster's choice (4 MiB).
        num_workers: How many workers fetch chunks, as text. Default: `None`, the cluster's choice.
    """

    chunk_size: str | None = None
    num_workers: str | None = None
