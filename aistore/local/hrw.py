"""Which target owns an object: rendezvous hashing, bit for bit as on a real cluster (protocol-ml/08)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 1103515245

_MASK = (1 << 64) - 1
_G = 0x9E3779B97F4A7C15
_A = 0xBF58476D1CE4E5B9
_B = 0x94D049BB133111EB


def digest(text: str) -> int:
    """XXH64 of a node ID or of an object's full name."""
    return xxhash.xxh64_intdigest(text.encode("utf-8", "surrogateescape"), SEED)


def mix(seed: int) -> int:
    """The weight of a node for an object, given the exclusive or of their digests."""
    z = (seed + _G) & _MASK
    z = ((z ^ (z >> 30)) * _A) & _MASK
    z = ((z ^ (z >> 27)) * _B) & _MASK
    z = ((z ^ (z >> 31)) + _G) & _MASK
    z = ((z ^ (z >> 30)) * _A) & _MASK
    z = ((z ^ (z >> 27)) * _B) & _MASK
    z = ((z ^ (z >> 31)) * 5) & _MASK
    z = ((z << 7) | (z >> 57)) & _MASK
    return (z * 9) & _MASK


def owner(uname: str, node_digests: Sequence[int]) -> int:
    """Index of the node that owns `uname`; of equal weights the later node wins."""
    if len(node_digests) == 1:
        return 0
    key = digest(uname)
    best, best_weight = 0, -1
    for index, node in enumerate(node_digests):
        weight = mix(node ^ key)
        if weight >= best_weight:
            best, best_weight = index, weight
    return best
