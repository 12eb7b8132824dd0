"""Kinds of jobs: names, which go idle instead of ending, which are for remote buckets only (protocol/06)."""

from __future__ import annotations

from aistore.sdk.xact_const import IDLE_KINDS, KNOWN_KINDS

__all__ = ["DISPLAY_NAMES", "IDLE_KINDS", "KNOWN_KINDS", "REMOTE_ONLY", "normalize_kind"]

DISPLAY_NAMES = {
    "cleanup": "cleanup-store",
    "copy-bucket": "copy-bck",
    "copy-objects": "copy-listrange",
    "delete-objects": "delete-listrange",
    "ec-bucket": "ec-encode",
    "elect-primary": "election",
    "etl-bucket": "etl-bck",
    "etl-objects": "etl-listrange",
    "evict-objects": "evict-listrange",
    "evict-remote-bucket": "evict-remote-bck",
    "shard-index": "index-shard",
    "warm-up-metadata": "load-lom-cache",
    "lru-eviction": "lru",
    "mirror": "make-n-copies",
    "rename-bucket": "move-bck",
    "prefetch-objects": "prefetch-listrange",
    "promote-files": "promote",
    "summary": "summary-bck",
    "shard-summary": "summary-shard",
}
"""Kinds by the names that the cluster shows."""

REMOTE_ONLY = frozenset({"blob-download", "evict-listrange", "prefetch-listrange"})
"""For buckets with a backend only."""


def normalize_kind(text: str) -> str | None:
    """The internal name of a kind given by either name, or None."""
    kind = DISPLAY_NAMES.get(text, text)
    return kind if kind in KNOWN_KINDS else None
