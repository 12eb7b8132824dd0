"""Kinds of jobs: names, which may be started by themselves, which go idle instead of ending (protocol/06)."""

from __future__ import annotations

from aistore.sdk.xact_const import IDLE_KINDS, KNOWN_KINDS

__all__ = ["DISPLAY_NAMES", "IDLE_KINDS", "KNOWN_KINDS", "REMOTE_ONLY", "STARTABLE", "normalize_kind"]

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

STARTABLE = frozenset(
    {"cleanup-store", "ec-encode", "load-lom-cache", "lru", "make-n-copies", "rebalance", "rechunk"}
)
"""Started by `start` alone. On one machine there is nothing for them to do but to end."""

BUCKET_ONLY = frozenset({"ec-encode", "load-lom-cache", "make-n-copies", "rechunk", "prefetch-listrange"})
"""Of the startable kinds those that need a bucket."""

REMOTE_ONLY = frozenset({"evict-listrange", "prefetch-listrange"})
"""For buckets with a backend only."""


def normalize_kind(text: str) -> str | None:
    """The internal name of a kind given by either name, or None."""
    kind = DISPLAY_NAMES.get(text, text)
    return kind if kind in KNOWN_KINDS else None
