"""What a contender's process measures: one piece of work that can be done again and again."""

import hashlib
import os
import queue
import resource
import threading
import time


class Operation:
    """One piece of work.

    Args:
        once: Does it, and returns what it got: bytes, a list of bytes or texts, or None.
        check: Does it and says what came of it, when `digest(once())` does not. Default: that.
        close: Gives up what the work held. Default: nothing.
        cpu: CPU seconds spent so far. Default: this process and the children it waited for.
        peak: Most memory held at a time, in bytes. Default: this process's.

    Attributes:
        is_concurrent: Whether `run` keeps several at a time under way by itself.
    """

    is_concurrent = False

    def __init__(self, once, *, check=None, close=None, cpu=None, peak=None):
        self.once = once
        self.check = check or (lambda: digest(once()))
        self.close = close or (lambda: None)
        self.cpu = cpu or process_cpu
        self.peak = peak or peak_memory

    def run(self, times):
        once = self.once
        for _ in range(times):
            once()


class ThreadedOperation(Operation):
    """The same work by several threads that share what `operation` holds.

    The threads stay from run to run, and with them the connections that belong to a thread.
    """

    is_concurrent = True

    def __init__(self, operation, threads):
        super().__init__(
            operation.once,
            check=operation.check,
            close=operation.close,
            cpu=operation.cpu,
            peak=operation.peak,
        )
        self._shares = [queue.SimpleQueue() for _ in range(threads)]
        self._done = queue.SimpleQueue()
        for shares in self._shares:
            threading.Thread(target=self._work, args=(shares,), daemon=True).start()

    def _work(self, shares):
        while True:
            share = shares.get()
            failure = None
            try:
                for _ in range(share):
                    self.once()
            except Exception as err:
                failure = err
            self._done.put(failure)

    def run(self, times):
        each, more = divmod(times, len(self._shares))
        for number, shares in enumerate(self._shares):
            shares.put(each + (number < more))
        failures = [failure for failure in [self._done.get() for _ in self._shares] if failure]
        if failures:
            raise failures[0]


def digest(result):
    """Say what a result is, so that it can be compared with what it should be."""
    if result is None:
        return {}
    pieces = [result] if isinstance(result, (bytes, bytearray, memoryview, str)) else result
    total, count, sha = 0, 0, hashlib.sha256()
    for piece in pieces:
        data = piece.encode() if isinstance(piece, str) else piece
        sha.update(data)
        total += len(data)
        count += 1
    return {"count": count, "size": total, "sha256": sha.hexdigest()}


def process_cpu():
    """CPU seconds of this process and of the children it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_memory(pid="self"):
    """Most resident memory that a process has had, in bytes.

    Not `ru_maxrss`: on Linux that starts with what the process had that started this one.
    """
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def tree_cpu(*roots):
    """CPU seconds of processes and their living descendants, to the nanosecond, ended threads included."""
    total = 0.0
    for pid in descendants(roots):
        try:
            # What clock_getcpuclockid(3) makes of a process on Linux.
            total += time.clock_gettime((~pid << 3) | 2)
        except OSError:
            continue
    return total


def descendants(roots):
    """The processes given and all that they started."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                    parents.setdefault(int(stat.read().rpartition(")")[2].split()[1]), []).append(int(name))
            except OSError:
                continue
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(parents.get(pid, ()))
    return found
