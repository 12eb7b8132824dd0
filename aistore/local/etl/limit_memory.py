"""Becomes a command that, with each process that it starts, may take so many bytes of memory.

Run by path, with nothing but the standard library. The limit is on what a process can write to (RLIMIT_DATA):
mapped files and libraries don't count, the stacks of threads do.

Usage: limit_memory.py BYTES COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import resource
import sys


def main() -> int:
    """Run the command in place of this process; returns only when there is none."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    command = sys.argv[2:]
    try:
        os.execvp(command[0], command)  # noqa: S606 - a list of words needs no shell
    except OSError as err:
        print(f"{command[0]}: {err.strerror}", file=sys.stderr, flush=True)  # noqa: T201 - to the ETL's log
    return 127


if __name__ == "__main__":
    sys.exit(main())
