"""Calling a function for many things: in order, ahead of the consumer, and never further than said."""

import gc
import threading

import pytest

from aistore.sdk.parallel import WorkerPool, ordered_map


@pytest.mark.parametrize("num_workers", [1, 2, 8])
def test_results_come_in_order(num_workers):
    assert list(ordered_map(str, range(20), num_workers)) == [str(number) for number in range(20)]


def test_one_worker_works_while_its_last_result_is_used():
    called = [threading.Event() for _ in range(4)]

    def call(number):
        called[number].set()
        return number

    results = ordered_map(call, range(4), 1)
    assert next(results) == 0
    assert called[1].wait(10)
    assert not called[2].is_set()
    assert list(results) == [1, 2, 3]


def test_what_a_call_raises_is_raised_in_its_place_and_ends_the_calls():
    called = []

    def call(number):
        called.append(number)
        return 1 // (number - 2)

    results = ordered_map(call, range(100), 1)
    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert called == [0, 1, 2]


def test_an_iteration_that_is_given_up_leaves_no_thread():
    results = ordered_map(str, range(100), 4)
    assert next(results) == "0"
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ais-map")]


@pytest.fixture
def no_threads(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_calls_run_here_where_no_thread_can_be_started(no_threads):
    names = []

    def call(number):
        names.append(threading.current_thread().name)
        return 1 // number

    pool = WorkerPool(4, "ais-test", lambda: names.append("initializer"))
    assert pool.submit(call, 1).result() == 1
    with pytest.raises(ZeroDivisionError):
        pool.submit(call, 0).result()
    pool.shutdown()
    assert names == ["initializer", threading.current_thread().name] * 2
    assert list(ordered_map(str, range(5), 2)) == [*"01234"]


def test_calls_run_at_the_same_time_in_threads_that_are_used_again():
    together = threading.Barrier(3)
    with WorkerPool(3, "ais-test") as pool:
        for _ in range(20):
            for future in [pool.submit(together.wait, 10) for _ in range(3)]:
                future.result(10)
        names = {pool.submit(lambda: threading.current_thread().name).result(10) for _ in range(20)}
    assert names <= {"ais-test_0", "ais-test_1", "ais-test_2"}
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)


def test_calls_that_have_not_begun_can_be_cancelled():
    begun, goes_on = threading.Event(), threading.Event()
    pool = WorkerPool(1, "ais-test")
    first = pool.submit(lambda: begun.set() or goes_on.wait(10))
    others = [pool.submit(int) for _ in range(3)]
    assert begun.wait(10)
    pool.shutdown(wait=False, cancel_futures=True)
    goes_on.set()
    assert first.result(10)
    assert all(future.cancelled() for future in others)


def test_threads_end_with_a_pool_that_nobody_shut_down():
    pool = WorkerPool(2, "ais-dropped")
    assert pool.submit(int).result(10) == 0
    (thread,) = [thread for thread in threading.enumerate() if thread.name.startswith("ais-dropped")]
    del pool
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
