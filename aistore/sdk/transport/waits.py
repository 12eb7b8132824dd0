"""Limits how long a socket's calls wait for its peer."""

from __future__ import annotations

import socket
import struct
import sys

# Longer than any wait that is meant; the operating system's field for it may be 32 bits wide.
_NO_LIMIT = 1e8


def limit_waits(sock: socket.socket, seconds: float | None) -> None:
    """Limit each wait for the peer, without the extra system call per operation of `settimeout`.

    A call that waits longer raises `BlockingIOError`, or `TimeoutError` where the operating system cannot do
    this.

    Args:
        sock: A socket without TLS.
        seconds: The limit; None for none.
    """
    if sys.platform == "win32":
        sock.settimeout(seconds)
        return
    if seconds is None or seconds > _NO_LIMIT:
        value = struct.pack("@ll", 0, 0)
    else:
        # Zero would be no limit.
        micros = max(1, int(seconds * 1_000_000))
        value = struct.pack("@ll", *divmod(micros, 1_000_000))
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
    except OSError:  # where a long is not what the system has for seconds
        sock.settimeout(seconds)
    else:
        if sock.gettimeout() is not None:
            sock.settimeout(None)
