"""What a program left behind: processes and files, found by the temporary folder it was given."""

import contextlib
import os
import time
from pathlib import Path


def processes(mark: Path) -> dict[int, str]:
    """Return the command lines of the processes whose environment names the folder `mark`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if os.fsencode(mark) in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


def assert_nothing_left(mark: Path, within: float = 15.0) -> None:
    """Fail unless every process that names `mark` ends within so many seconds and the folder is empty."""
    deadline = time.monotonic() + within
    while processes(mark) or list(mark.iterdir()):
        if time.monotonic() > deadline:
            raise AssertionError(
                f"left behind: processes {processes(mark)}, files {[str(p) for p in mark.rglob('*')][:20]}"
            )
        time.sleep(0.05)
