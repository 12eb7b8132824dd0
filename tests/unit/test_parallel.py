"""Calling a function for many things: in order, ahead of the consumer, and never further than said."""

import threading

import pytest

from aistore.sdk.parallel import ordered_map


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
