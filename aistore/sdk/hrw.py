"""Placement: the hashes of AIStore's highest random weight (HRW). All arithmetic is modulo 2**64."""

from __future__ import annotations

import xxhash

from aistore.sdk.const import XX_HASH_SEED

_M64 = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


def get_digest(name: str) -> int:
    """Return the digest of an object's uname, or of a node's id: xxHash64 with the cluster's seed."""
    return xxhash.xxh64_intdigest(name.encode(), seed=XX_HASH_SEED)


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _M64
    return z ^ (z >> 31)


def xoshiro256_hash(seed: int) -> int:
    """Return the weight of `node digest XOR object digest` (xoshiro256** seeded by splitmix64)."""
    z = _mix((seed + _GAMMA) & _M64)
    z = (_mix((z + _GAMMA) & _M64) * 5) & _M64
    rotated = ((z << 7) | (z >> 57)) & _M64
    return (rotated * 9) & _M64
