"""What is set in a process that serves: it keeps freed memory, and its threads take turns sooner."""

from __future__ import annotations

import os
import sys

_DEFAULT_TURN = 0.005
_TURN = 0.001

_KEPT = 16 << 20
_MAPPED_FROM = 4 << 20
_ARENAS = range(2, 8)
# mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def prepare_process() -> None:
    """Set this process up for serving."""
    _keep_freed_memory()
    _take_turns_sooner()


def _take_turns_sooner() -> None:
    """Have threads that compute give way each millisecond.

    An answer needs several turns. With four transforms that compute in pure Python `/health` waited 180 ms at
    the most by Python's own interval, and 46 by this one. Another that the program has set stays.
    """
    if abs(sys.getswitchinterval() - _DEFAULT_TURN) < _TURN / 100:
        sys.setswitchinterval(_TURN)


def _keep_freed_memory() -> None:
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
