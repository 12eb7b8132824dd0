"""Reading ahead: order, memory, errors, and threads that end."""

import gc
import threading
import time
from itertools import islice

import pytest

from aistore.pytorch.prefetch import prefetch


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name == "ais-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    wait_until(lambda: not reading_threads())


def read(group):
    yield from group


def numbers(groups, **options):
    return prefetch(groups, read, lambda _: 1, **{"ahead": 3, "max_bytes": 100, **options})


@pytest.mark.parametrize("ahead", [1, 2, 5, 50])
@pytest.mark.parametrize("max_bytes", [1, 3, 1000])
def test_samples_come_in_order(ahead, max_bytes):
    groups = [range(start, start + 7) for start in range(0, 210, 7)]
    assert list(numbers(groups, ahead=ahead, max_bytes=max_bytes)) == list(range(210))


def test_empty_groups_and_no_groups():
    assert list(numbers([])) == []
    assert list(numbers([[], [1], [], [], [2, 3], []])) == [1, 2, 3]


def test_groups_are_read_at_a_time():
    together = threading.Barrier(3, timeout=20)

    def meet(group):
        together.wait()
        yield group

    assert list(prefetch(range(6), meet, lambda _: 1, ahead=3, max_bytes=10)) == list(range(6))


def test_no_more_groups_are_taken_than_are_read():
    taken = []

    def groups():
        for number in range(10):
            taken.append(number)
            yield [number]

    samples = numbers(groups(), ahead=2)
    assert next(samples) == 0
    assert taken == [0, 1]
    samples.close()


def test_threads_pause_when_enough_is_held():
    read_ahead = []

    def count(group):
        for number in group:
            read_ahead.append(number)
            yield number

    samples = prefetch([range(100), range(100, 200)], count, lambda _: 10, ahead=2, max_bytes=50)
    assert next(samples) == 0
    wait_until(lambda: len(read_ahead) >= 5)
    for _ in range(50):  # what is not paused gets the chance to go on
        time.sleep(0.001)
    assert len(read_ahead) <= 5 + 2 + 2  # held, one over it for each thread, and one under way for each
    assert [0, *samples] == list(range(200))


def test_an_error_comes_in_its_place():
    def fail(group):
        yield group
        if group == 2:
            raise ValueError("broken")
        yield group

    samples = prefetch(range(5), fail, lambda _: 1, ahead=4, max_bytes=100)
    assert list(islice(samples, 5)) == [0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(samples)


def test_an_error_of_the_groups_is_raised_and_ends_the_threads():
    def groups():
        yield [1]
        yield [2]
        raise OSError("no listing")

    with pytest.raises(OSError, match="no listing"):
        list(numbers(groups()))


@pytest.mark.parametrize("end", ["close", "drop"])
def test_threads_end_with_the_iterator_and_close_what_they_read(end):
    closed = []

    def watched(group):
        try:
            while True:
                yield group
        finally:
            closed.append(group)

    samples = prefetch(range(10), watched, lambda _: 1, ahead=3, max_bytes=20)
    assert next(samples) == 0
    assert len(reading_threads()) == 3
    if end == "close":
        samples.close()
    else:
        del samples
        gc.collect()
    wait_until(lambda: sorted(closed) == [0, 1, 2])


def test_a_silent_read_does_not_hold_the_consumer_up():
    silent, goes_on = threading.Event(), threading.Event()

    def stuck(group):
        yield group
        silent.set()
        goes_on.wait(60)

    samples = prefetch([1], stuck, lambda _: 1, ahead=1, max_bytes=20)
    assert next(samples) == 1
    assert silent.wait(20)
    samples.close()
    assert reading_threads()
    goes_on.set()


def test_groups_are_read_here_where_no_thread_can_be_started(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert list(numbers([range(start, start + 3) for start in range(0, 12, 3)])) == list(range(12))
