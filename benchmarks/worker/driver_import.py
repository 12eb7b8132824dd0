"""Starting an interpreter that imports something."""

import resource
import subprocess
import sys

from operation import Operation


def prepare(op):
    command = [sys.executable, "-c", op["code"]]

    def once():
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def peak():
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024

    return Operation(once, check=lambda: once() or {}, peak=peak)
