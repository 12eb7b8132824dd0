"""What stands in the way of a goal, as profiles show it; printed with a row that misses it."""

from __future__ import annotations

_DELIVERY = (
    "nginx answers a PUT after 0.4 to 1 ms, and after a wait the same code runs with cold caches: a delivery"
    " costs 32 us of CPU in one thread when the target answers at once (a bare socket loop 13), 90 when it "
    "takes 0.5 ms (bare 36), 230 at 2 ms (bare 44); 140 Python calls, which tests count. The request itself "
    "adds 45, FastAPI's loop 60 more, and 3 to 8 futex calls for the interpreter's lock (26 before work was "
    "done by two threads at a time). Idle cores would help, or C"
)
_UVICORN = (
    "bare uvicorn, which returns the body and nothing else, takes 76 us in the run in which ours takes 87 "
    "and the baseline 156 (with a file: 109, 80, 280): little is left for routing, the change of threads and"
    " the transform"
)
_SMALL_ANSWERS = (
    "of 70 us of CPU for a GET through the proxy a bare socket loop takes 21 for the same two requests and "
    "answers, reading the two heads 10, object, reader and request 14; the rest is following the redirect, "
    "the pool, retries, statistics and the answer: 113 Python calls in all, which a test counts"
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
        "the default chunk has 32 KiB, so there are 16,384 of them, each with a recv of its own (strace): "
        "97 of 122 ms of CPU are in the kernel, 25 in the client, and the floor, which receives more at a "
        "time, takes 0.38 to 0.66 of the baseline itself. Larger chunks (`chunk_size=`) have no such limit"
    ),
    "4 ranges into one buffer, 512 MiB": (
        "the floor takes 0.19 of the baseline already, and ours about as much CPU: most is the kernel's "
        "copy into the buffer (16 requests, some 500 receives). Client and server share two cores: more of "
        "them would help, nothing in the client"
    ),
    "GET 64 KiB, 8 threads": _THREADS,
    "GET 64 KiB, 32 threads": _THREADS,
    "from aistore import Client": (
        "starting Python and `import requests` take 0.36 of the baseline's time and 0.60 of its memory (27.0 "
        "of 45.2 MiB); our errors are subclasses of its exceptions, so that it must be imported. The rest is "
        "42 modules of ours, 14 ms and 0.8 MiB, which the first request needs, and what they import: a goal "
        "below 0.6 for memory would need errors that are not those of `requests`"
    ),
    "tar decoding alone, 10,000 x 10 KiB": (
        "17 of 21 us for ten members are two copies of their bytes, out of the stream (11, from memory that "
        "is in no cache) and out of the buffer (6.5, which `get(views=True)` saves); the rest is six calls a "
        "member. What else uses the machine's memory slows ours more than the baseline, which computes"
    ),
    "1,000 x 10 KiB straight from the owners": (
        "the floor, bare pipelined GETs, takes 0.63 of the baseline already, most of it nginx opening 1,000 "
        "files. Of the client's 13 us a member 6 are the floor's (receiving), 1.4 the head, 2 naming and "
        "placing the object, 1.3 counting the request: 50 Python calls, which a test counts"
    ),
    "AISShardReader, 10 shards x 1,000 x 1 KiB": (
        "of 3.8 us of CPU a sample decoding the tar takes 1.2, receiving 0.8, naming the file and keeping it "
        "1, handing the sample out 0.8; the first shard is waited for, with nothing to do meanwhile"
    ),
    "hpush, body 4 KiB, fastapi": _UVICORN,
    "hpush, FQN 4 KiB, fastapi": _UVICORN,
    "direct put 64 KiB, fastapi": _DELIVERY,
    "direct put 64 KiB, threaded": _DELIVERY,
    "direct put 64 KiB, flask": _DELIVERY,
    "offline transform": (
        "three processes share two cores, the server and an ETL server for each of two targets. The server "
        "creates, writes and registers a file for each result: 200 to 260 us of CPU an object, 49 % of it "
        "Python (136 calls, which a test counts), 44 % in the kernel (writing the file 15 %, creating it "
        "12 %, sockets 8 %), SQLite 4 %. The ETL servers take 240 to 310: they get single requests, where "
        "the baseline's gets eight at a time, and read files (40 futex calls a request under strace). "
        "A Python without the interpreter's lock would help them; several objects in one file would help "
        "the server, and give up that an object is a file"
    ),
}


def obstacle(title: str) -> str:
    """Return what stands in the way of a row's goals, "" when it has not been looked at.

    Args:
        title: Title of the row.
    """
    return next((text for start, text in OBSTACLES.items() if title.startswith(start)), "")
