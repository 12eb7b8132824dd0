"""The bytes of objects: the same in every process, without sending them around."""

import random

BLOCK = 1 << 20


def content(size: int, seed: int = 0) -> bytes:
    """Make `size` bytes that do not compress.

    Args:
        size: How many.
        seed: Different bytes for different seeds.
    """
    block = random.Random(f"{size} {seed}").randbytes(min(size, BLOCK))
    whole, rest = divmod(size, BLOCK)
    return block if size <= BLOCK else block * whole + block[:rest]
