"""Objects of a job that one thread has transformed, many under way at the same time.

An answer that comes whole and says yes is stored by that thread. Everything else may take its time (a long
result, a failure that is tried again), and goes on in a thread of the jobs' pool.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from aistore.local.etl.exchange import Exchange, Result, TransformCall
    from aistore.local.etl.http_client import Answer
    from aistore.local.etl.instance import Etl
    from aistore.local.etl.pump import Pump
    from aistore.local.jobs import Job, Jobs


class Flight:
    """An object that was asked for.

    Attributes:
        call: What is asked.
        deadline: When an answer is too late, by `time.monotonic()`.
    """

    __slots__ = ("call", "deadline")

    def __init__(self, call: TransformCall) -> None:
        self.call = call
        self.deadline = 0.0


T_contra = TypeVar("T_contra", contravariant=True)
F = TypeVar("F", bound=Flight)


class Work(Protocol[T_contra, F]):
    """What is done with each object. What it raises ends the job."""

    def begin(self, item: T_contra) -> F | None:
        """Say what is asked; None if the object is passed over."""

    def store(self, flight: F, result: Result) -> None:
        """Store a result, which holds all its bytes."""

    def insist(self, flight: F, asked: Answer | OSError) -> None:
        """Make the best of an answer, or of none; may take its time."""

    def drop(self, flight: F) -> None:
        """Forget an object whose result is no longer wanted: the job was aborted."""


class Abreast(Generic[T_contra, F]):
    """The objects of one job.

    Args:
        jobs (Jobs): Has the threads for what takes its time.
        job (Job): The job.
        exchange (Exchange): Asks.
        etl (Etl): Is asked.
        work (Work[T_contra, F]): What is done with each.
        most (int): How many are under way at a time.
    """

    def __init__(
        self, jobs: Jobs, job: Job, exchange: Exchange, etl: Etl, work: Work[T_contra, F], most: int
    ) -> None:
        self._jobs, self._job = jobs, job
        self._exchange, self._etl, self._work = exchange, etl, work
        self._most = most
        self._slow: set[Future[None]] = set()
        self._failures: list[BaseException] = []

    def run(self, items: Iterator[T_contra]) -> None:
        """Have every object transformed.

        The first error stops it and is raised when nothing is under way any more.

        Raises:
            Aborted: The job was aborted.
        """
        pump: Pump[F]
        with self._exchange.pump(self._etl) as pump:
            self._fill(pump, items)
            while self._slow or len(pump):
                settled = pump.wait()
                if not settled and not self._slow and self._job.is_aborting:
                    break
                whole: list[tuple[F, Result]] = []
                for flight, answer in settled:
                    result = self._exchange.take_whole(answer)
                    if result is not None:
                        whole.append((flight, result))
                    else:
                        self._go_on_slowly(pump, flight, answer)
                self._slow = {task for task in self._slow if not task.done()}
                # Before the results are stored, so that the server has something to do meanwhile.
                self._fill(pump, items)
                for flight, result in whole:
                    self._attempt(partial(self._work.store, flight, result))
            for flight in pump.under_way():
                self._work.drop(flight)
        if self._failures:
            raise self._failures[0]
        self._job.check()

    def _fill(self, pump: Pump[F], items: Iterator[T_contra]) -> None:
        while self._next(pump, items):
            pass

    def _next(self, pump: Pump[F], items: Iterator[T_contra]) -> bool:
        """Ask for one more object; False if there is no room, or none left."""
        if len(pump) + len(self._slow) >= self._most or self._failures:
            return False
        try:
            self._job.check()
            item = next(items, None)
            if item is None:
                return False
            flight = self._work.begin(item)
            if flight is not None:
                self._ask(pump, flight)
        except BaseException as err:  # noqa: BLE001 - raised again when nothing is under way
            self._failures.append(err)
        return True

    def _ask(self, pump: Pump[F], flight: F) -> None:
        try:
            flight.deadline = self._exchange.ask(pump, flight, flight.call)
        except OSError as err:
            self._go_on_slowly(pump, flight, err)

    def _go_on_slowly(self, pump: Pump[F], flight: F, asked: Answer | OSError) -> None:
        work = partial(self._attempt, partial(self._work.insist, flight, asked))
        task = self._jobs.submit(self._job, work)
        self._slow.add(task)
        task.add_done_callback(lambda _: pump.wake())

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as err:  # noqa: BLE001 - raised again when nothing is under way
            self._failures.append(err)
