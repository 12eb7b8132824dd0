"""Buffers of parallel reads go to other processes."""

import copy
import errno
import mmap
import multiprocessing
import pickle

import pytest

from aistore.sdk.obj.content_iterator import ParallelBuffer, buffer

SIZES = [0, 1, 65_535, 65_536, 1_000_003]


def make(size):
    return ParallelBuffer(bytearray(bytes(range(251)) * (size // 251 + 1)), size)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_has_the_bytes(protocol):
    given = make(1000)
    got = pickle.loads(pickle.dumps(given, protocol))
    assert (type(got), len(got), got.name) == (ParallelBuffer, 1000, "")
    assert got.tobytes() == given.tobytes()
    got.buf[0] = 7  # a copy, and writable
    assert given.buf[0] == 0
    got.close()


def test_bytes_may_go_beside_the_pickle():
    given, beside = make(1000), []
    data = pickle.dumps(given, 5, buffer_callback=beside.append)
    assert len(data) < 200
    assert pickle.loads(data, buffers=beside).tobytes() == given.tobytes()
    assert pickle.loads(data, buffers=[bytes(beside[0].raw())]).tobytes() == given.tobytes()
    assert copy.deepcopy(given).tobytes() == given.tobytes()


def send(queue, size, events):
    queue.put(make(size))
    events.wait(60)  # the sender must live until it is received


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_processes_share_the_memory(method):
    context = multiprocessing.get_context(method)
    queue, received = context.Queue(), context.Event()
    for size in SIZES if method == "fork" else SIZES[-1:]:
        received.clear()
        process = context.Process(target=send, args=(queue, size, received))
        process.start()
        with queue.get(timeout=60) as got:
            assert got.tobytes() == make(size).tobytes()
            assert isinstance(got._shm, mmap.mmap) == (size >= 65_536)
            assert len(got.buf) == size
        received.set()
        process.join(60)
        assert process.exitcode == 0
        got.close()


def measure(given, queue):
    queue.put(sum(given.buf))


def test_an_argument_of_a_new_process():
    context = multiprocessing.get_context("spawn")
    queue, given = context.Queue(), make(100_000)
    process = context.Process(target=measure, args=(given, queue))
    process.start()
    assert queue.get(timeout=60) == sum(given.buf)
    process.join(60)


def test_bytes_where_there_is_no_shared_memory(monkeypatch):
    def fail():
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(buffer, "_new_memory", fail)
    given = make(100_000)
    make_again, arguments = buffer._share(given)
    assert make_again(*arguments).tobytes() == given.tobytes()


def test_without_memory_files(monkeypatch):
    monkeypatch.delattr(buffer.os, "memfd_create")
    with buffer._new_memory() as memory:
        assert memory.write(b"x") == 1
