"""Placement: the hashes of AIStore's highest random weight (HRW). All arithmetic is modulo 2**64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash

from aistore.sdk.const import XX_HASH_SEED

if TYPE_CHECKING:
    from collections.abc import Sequence

MASK = (1 << 64) - 1
GOLDEN_RATIO = 0x9E3779B97F4A7C15
CONST1 = 0xBF58476D1CE4E5B9
CONST2 = 0x94D049BB133111EB
ROTATION_BITS = 7


def get_digest(name: str) -> int:
    """Return the digest of an object's uname, or of a node's id: xxHash64 with the cluster's seed.

    A name that is not valid UTF-8 has lone surrogates for its bytes (as `os.fsdecode` makes them).
    """
    return xxhash.xxh64_intdigest(name.encode("utf-8", "surrogateescape"), seed=XX_HASH_SEED)


def xoshiro256_hash(seed: int) -> int:
    """Return the weight of `node digest XOR object digest` (xoshiro256** seeded by splitmix64)."""
    # Written out: it runs once for each target and object.
    z = (seed + GOLDEN_RATIO) & MASK
    z = ((z ^ (z >> 30)) * CONST1) & MASK
    z = ((z ^ (z >> 27)) * CONST2) & MASK
    z = ((z ^ (z >> 31)) + GOLDEN_RATIO) & MASK
    z = ((z ^ (z >> 30)) * CONST1) & MASK
    z = ((z ^ (z >> 27)) * CONST2) & MASK
    z = ((z ^ (z >> 31)) * 5) & MASK
    return (((z << ROTATION_BITS) | (z >> (64 - ROTATION_BITS))) & MASK) * 9 & MASK


def owner_index(uname: str, node_digests: Sequence[int]) -> int:
    """Return which of the nodes owns an object; of equal weights the later node wins, as on the cluster.

    Args:
        uname: `provider/@uuid#namespace/bucket/object`.
        node_digests: Digests of the targets that may own objects, at least one.
    """
    if len(node_digests) == 1:
        return 0
    key = get_digest(uname)
    best, best_weight = 0, -1
    for index, node in enumerate(node_digests):
        weight = xoshiro256_hash(node ^ key)
        if weight >= best_weight:
            best, best_weight = index, weight
    return best


# Pickles name functions by module, also those for programs that have the 2.0.0 package.
for _function in (get_digest, xoshiro256_hash):
    _function.__module__ = "aistore.sdk.utils"
