"""Which target owns an object: the cluster's rendezvous hashing (protocol-ml/08)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.hrw import get_digest as digest
from aistore.sdk.hrw import xoshiro256_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["digest", "owner"]


def owner(uname: str, node_digests: Sequence[int]) -> int:
    """Index of the node that owns `uname`; of equal weights the later node wins."""
    if len(node_digests) == 1:
        return 0
    key = digest(uname)
    best, best_weight = 0, -1
    for index, node in enumerate(node_digests):
        weight = xoshiro256_hash(node ^ key)
        if weight >= best_weight:
            best, best_weight = index, weight
    return best
