"""Starts the contenders of a row, lets them take turns, and keeps what they measured."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import statistics
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import Contender, find_contender

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.row import Row

_WORKER = Path(__file__).parent / "worker"
_MAX_ROUNDS = 15
_SLICE = 0.2
_ANSWER_SECONDS = 120.0
_ONCE_SECONDS = 600.0


class ContenderError(RuntimeError):
    """A contender cannot do the work, or does it wrong."""


@dataclass
class Figures:
    """What a contender took for one piece of work.

    Attributes:
        wall: Seconds, of each round.
        cpu: CPU seconds, of each round.
        grown: How far memory grew above what it was before the work, in bytes.
        peak: Most memory, in bytes.
        excluded: Why it did not take part; "" when it did.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    grown: int = 0
    peak: int = 0
    excluded: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        shown = asdict(self)
        if self.wall:
            shown |= {"wall_best": min(self.wall), "wall_median": statistics.median(self.wall)}
            shown |= {"cpu_best": min(self.cpu), "cpu_median": statistics.median(self.cpu)}
        return shown


class Worker:
    """A contender's process.

    Args:
        contender: Whose.
    """

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("AIS_", "ETL_", "PYTHON"))}
        # Away from the checkout, or 2.0.0 would import ours.
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._process = subprocess.Popen(
            [str(contender.python), str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=environ | {"TMPDIR": self._folder.name},
            start_new_session=True,
        )

    def ask(self, do: str, seconds: float = _ANSWER_SECONDS, **more: Any) -> dict[str, Any]:
        """Send a command and return its answer.

        Args:
            do: The command.
            seconds: How long to wait for the answer.
            **more: Its arguments.

        Raises:
            ContenderError: It failed, or did not answer in time.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
            stdin.flush()
        except OSError as err:
            raise ContenderError("its process has ended") from err
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                self._process.kill()
                raise ContenderError(f"no answer to {do!r} within {seconds:.0f} s")
        line = stdout.readline()
        if not line:
            raise ContenderError(f"its process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process, and wait for it."""
        with contextlib.suppress(ContenderError):
            self.ask("close", 20)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


@dataclass
class Task:
    """A row that is ready to be measured.

    Attributes:
        row: The row.
        op: What the drivers are told.
        own: The same for single contenders.
        expected: What `check` should answer.
        verify: Looks at what a contender left on the server, or None.
    """

    row: Row
    op: dict[str, Any]
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    verify: Callable[[], None] | None = None


def measure(task: Task, only: frozenset[str], seconds: float) -> dict[str, Figures]:
    """Measure a row.

    Args:
        task: The row.
        only: Names of the contenders to measure; empty for all.
        seconds: Time for each contender.

    Returns:
        Figures by contender.
    """
    figures: dict[str, Figures] = {}
    workers: dict[str, Worker] = {}
    try:
        for name in task.row.contenders:
            if only and name not in only:
                continue
            figures[name] = Figures()
            contender = find_contender(name, task.row)
            if contender.missing:
                figures[name].excluded = contender.missing
                continue
            workers[name] = worker = Worker(contender)
            try:
                _preflight(task, worker)
            except ContenderError as err:
                figures[name].excluded = str(err)
                workers.pop(name).close()
        _take_turns(task.row, workers, figures, seconds)
    finally:
        for worker in workers.values():
            worker.close()
    return figures


def _preflight(task: Task, worker: Worker) -> None:
    """Let a contender do the work once and compare what came of it."""
    contender = worker.contender
    op = {**task.op, **contender.extra, **task.own.get(contender.name, {})}
    seconds = _ONCE_SECONDS if task.row.once else _ANSWER_SECONDS
    worker.ask("prepare", seconds, driver=contender.driver, op=op)
    answer = worker.ask("check", seconds)
    for key, value in task.expected.items():
        if key in answer and answer[key] != value:
            raise ContenderError(f"wrong answer: {key} is {answer[key]!r}, not {value!r}")
    if task.verify is not None:
        task.verify()


def _take_turns(row: Row, workers: dict[str, Worker], figures: dict[str, Figures], seconds: float) -> None:
    if row.once:
        for name, worker in workers.items():
            _round(worker, figures[name], 1, _ONCE_SECONDS)
        return
    least = row.args.get("threads", 1)
    times: dict[str, int] = {}
    for name, worker in workers.items():
        try:
            times[name] = _calibrate(worker, least, min(_SLICE, seconds / 5))
        except ContenderError as err:
            figures[name].excluded = str(err)
    left = dict.fromkeys(times, seconds)
    for number in range(_MAX_ROUNDS):
        # Everyone starts a round in another place, so that nobody always follows the same neighbour.
        names = [name for name in times if left[name] > 0]
        for name in names[number % len(names) :] + names[: number % len(names)] if names else []:
            if figures[name].excluded:
                continue
            try:
                left[name] -= _round(workers[name], figures[name], times[name], _ANSWER_SECONDS)
            except ContenderError as err:
                figures[name].excluded = str(err)


def _calibrate(worker: Worker, least: int, slice_: float) -> int:
    """Find out how often the work can be done in `slice_` seconds, once connections are there."""
    times = least
    for share in (0.1, 1.0):
        wall = max(worker.ask("run", times=times)["wall"], 1e-6)
        times = max(least, min(100_000, int(share * slice_ / wall)))
    return times


def _round(worker: Worker, figures: Figures, times: int, seconds: float) -> float:
    answer = worker.ask("run", seconds, times=times)
    figures.wall.append(answer["wall"])
    figures.cpu.append(answer["cpu"])
    figures.grown = max(figures.grown, answer["grown"])
    figures.peak = max(figures.peak, answer["peak"])
    wall: float = answer["wall"] * times
    return wall
