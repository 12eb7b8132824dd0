"""What stands in the way of a goal, as profiles show it; printed with a row that misses it."""

from __future__ import annotations

_OUTGOING = (
    "the put itself takes 56 us in one thread, 39 of them in send and recv; the rest is threads that wait"
    " for the interpreter's lock (55 futex calls a request under strace). A Python without that lock "
    "would help"
)
_EDGE = "at the edge of the goal: met in some runs, missed in others"
_SMALL_ANSWERS = (
    "some 45 % of the CPU is in the kernel, for two requests and two answers; the rest is some 220 Python"
    " calls, which tests count"
)
_THREADS = "threads share one interpreter lock: the CPU of one GET is what bounds all threads together"

OBSTACLES = {
    "GET 4 KiB through the proxy": _SMALL_ANSWERS,
    "GET 4 KiB direct to the target": _SMALL_ANSWERS,
    "GET 4 KiB with direct routing": _SMALL_ANSWERS,
    "HEAD": _SMALL_ANSWERS,
    "props": _SMALL_ANSWERS,
    "PUT 4 KiB": _SMALL_ANSWERS,
    "iterating 512 MiB, default chunk": (
        "the default chunk has 32 KiB, so there are 16,384 of them, each with a poll and a recv of its "
        "own (strace): two thirds of the CPU are in the kernel. Larger chunks (`chunk_size=`) have no "
        "such limit"
    ),
    "4 ranges into one buffer, 512 MiB": (
        "the floor takes 0.19 of the baseline already: client and server share two cores"
    ),
    "GET 64 KiB, 8 threads": _THREADS,
    "GET 64 KiB, 32 threads": _THREADS,
    "from aistore import Client": (
        "`import requests` alone takes 73 of 115 ms, and of memory 0.60 of what the 2.0.0 package takes "
        "(27.1 of 45.1 MiB); our errors are subclasses of its exceptions, so that it must be imported"
    ),
    "tar decoding alone, 10,000 x 10 KiB": (
        "a member costs six calls, most of them slices of its header, and one copy of its bytes; "
        "`get(views=True)` saves the copy"
    ),
    "1,000 x 10 KiB straight from the owners": (
        "the floor, bare pipelined GETs, takes 0.63 of the baseline already: nginx answers the baseline's "
        "Get-Batch at once, where clusters hold it open for 100 ms. Each member is an answer with a head of "
        "its own to check: some 100 Python calls, which a test counts"
    ),
    "AISShardReader, 10 shards x 1,000 x 1 KiB": _EDGE,
    "hpush, body 4 KiB, threaded": _EDGE,
    "hpush, FQN 4 KiB, fastapi": _EDGE,
    "hpush, FQN 4 KiB, threaded": _EDGE,
    "hpull 64 KiB, threaded": _OUTGOING,
    "hpull 64 KiB, fastapi": _OUTGOING,
    "direct put 64 KiB, fastapi": _OUTGOING,
    "direct put 64 KiB, threaded": _OUTGOING,
    "direct put 64 KiB, flask": _OUTGOING,
    "transform_stream 1 MiB, fastapi": _EDGE,
    "offline transform": (
        "the server creates, writes and registers a file for each result: 230 to 330 us of CPU an object,"
        " 55 % of it in the kernel (writing 16 %, opening 10 %, sockets 11 %, futexes of the "
        "interpreter's lock 10 %), SQLite 4 %; the goal would leave 130 us. Jobs in processes of their "
        "own, or several objects in one file, would help; the latter gives up that an object is a file"
    ),
}


def obstacle(title: str) -> str:
    """Return what stands in the way of a row's goals, "" when it has not been looked at.

    Args:
        title: Title of the row.
    """
    return next((text for start, text in OBSTACLES.items() if title.startswith(start)), "")
