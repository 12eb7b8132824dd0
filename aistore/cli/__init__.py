"""The command `aistore`: a cluster from a shell. Needs the extra `cli`; see docs/cli.md."""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> int:
    """Run the command that the process was started with, and return its exit code."""
    # Before this Ctrl-C shows a traceback: what takes time to import is imported below.
    _leave_on_interrupt(_INTERRUPTED)
    try:
        import click  # noqa: F401 - whether it is there
    except ImportError:
        sys.stderr.write("aistore: the command line needs the extra 'cli': pip install 'aistore[cli]'\n")
        return 1
    from aistore.cli.app import run

    code = run(sys.argv[1:])
    _leave_on_interrupt(code)
    return code


def _leave_on_interrupt(code: int) -> None:
    """Let Ctrl-C end the process without a word: while modules are loaded, and while the interpreter ends."""
    import os

    # What `signal` wraps in enumerations, whose import takes longer than all before it.
    signals = __import__("_signal")
    signals.signal(signals.SIGINT, lambda *_: os._exit(code))
