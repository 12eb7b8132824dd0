"""The command `aistore`: a cluster from a shell. Needs the extra `cli`; see docs/cli.md."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command that the process was started with, and return its exit code."""
    try:
        import click  # noqa: F401 - whether it is there
    except ImportError:
        sys.stderr.write("aistore: the command line needs the extra 'cli': pip install 'aistore[cli]'\n")
        return 1
    from aistore.cli.app import run

    return run(sys.argv[1:])
