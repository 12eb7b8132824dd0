"""The memory of a serving process: what one object leaves is kept for the next."""

from __future__ import annotations

import os

_KEPT = 16 << 20
_MAPPED_FROM = 4 << 20
_ARENAS = range(2, 8)
# mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_freed_memory() -> None:
    """Have the C library keep some freed memory instead of returning it to the system each time.

    Otherwise each object of 128 KiB and more is read into new pages, which costs more than receiving it.
    Variables of the environment (`MALLOC_..._`) come first; other C libraries are left alone.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in (
        (_M_TRIM_THRESHOLD, _KEPT),
        (_M_MMAP_THRESHOLD, _MAPPED_FROM),
        (_M_ARENA_MAX, min(max(os.cpu_count() or 1, _ARENAS.start), _ARENAS.stop)),
    ):
        mallopt(parameter, value)
