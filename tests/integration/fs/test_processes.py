"""Threads, forks, event loops, and programs that end in the middle."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fs_processes import read

from aistore.fs import AISFileSystem


@pytest.fixture
def path(ais, root):
    ais.pipe(f"{root}/x", b"content")
    return f"{root}/x"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_other_processes_while_threads_are_busy(ais, path, method):
    stop = threading.Event()

    def keep_reading():
        while not stop.is_set():
            ais.cat_file(path)

    busy = [threading.Thread(target=keep_reading) for _ in range(3)]
    for thread in busy:
        thread.start()
    try:
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=read, args=(ais, path, queue))
        process.start()
        assert queue.get(timeout=60) == (b"content", b"content", [path], [b"content"] * 3)
        process.join(30)
        assert process.exitcode == 0
    finally:
        stop.set()
        for thread in busy:
            thread.join(30)


def test_threads_share_an_instance(ais, root):
    ais.pipe({f"{root}/{number}": bytes([number]) for number in range(50)})
    with ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda number: ais.cat_file(f"{root}/{number % 50}"), range(400)))
    assert got == [bytes([number % 50]) for number in range(400)]


class TestAsync:
    def test_from_coroutines(self, endpoint, root):
        async def main():
            fs = AISFileSystem(endpoint, asynchronous=True)
            await fs._pipe({f"{root}/{number}": b"x" for number in range(20)})
            got = await asyncio.gather(*[fs._cat_file(f"{root}/{number}") for number in range(20)])
            await fs._mv(f"{root}/1", f"{root}/moved")
            await fs._touch(f"{root}/touched")
            names = [name async for _, _, files in fs._walk(root) for name in files]
            await fs._rm(f"{root}/moved")
            return got, len(names), await fs._exists(f"{root}/moved")

        for _ in range(2):  # another loop, the same instance
            assert asyncio.run(main()) == ([b"x"] * 20, 21, False)

    def test_files_work_within_a_loop(self, ais, path):
        """They do not need it, so that they cannot wait for it for ever."""

        async def main():
            with ais.open(path) as file:
                first = file.read()
            with ais.open(f"{path}2", "wb") as file:
                file.write(b"2")
            return first, await asyncio.to_thread(ais.cat_file, f"{path}2")

        assert asyncio.run(main()) == (b"content", b"2")

    def test_a_synchronous_call_within_its_own_loop_fails_instead_of_waiting_for_ever(self, ais, path):
        async def main():
            return ais.cat_file(path)

        future = asyncio.run_coroutine_threadsafe(main(), ais.loop)
        with pytest.raises(NotImplementedError, match="running loop"):
            future.result(20)

    def test_what_is_cancelled_ends(self, endpoint, ais, root):
        ais.pipe({f"{root}/{number:04}": b"x" for number in range(500)})

        async def main():
            fs = AISFileSystem(endpoint, asynchronous=True, threads=2)
            begun = asyncio.Event()
            run = fs.run

            async def counted(call):
                begun.set()
                return await run(call)

            fs.run = counted
            task = asyncio.create_task(fs._cat([f"{root}/{number:04}" for number in range(500)]))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            if rest:
                await asyncio.wait(rest, timeout=20)
            return len(asyncio.all_tasks()), await fs._cat_file(f"{root}/0000")

        assert asyncio.run(main()) == (1, b"x")


class TestProgramsThatEnd:
    CODE = """
import fsspec, sys
fs = fsspec.filesystem("ais")
file = fs.open(sys.argv[1], "wb", block_size=1000)
file.write(b"half" * 5000)
print("ready", flush=True)
sys.stdin.readline()
"""

    @pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    def test_midway_leave_nothing(self, ais, path, sent):
        child = subprocess.Popen(
            [sys.executable, "-c", self.CODE, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=dict(os.environ),
        )
        with child:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(sent)
            assert child.wait(30) != 0
        assert ais.cat(path) == b"content"

    def test_without_closing_leave_nothing_and_say_so(self, ais, path):
        ran = subprocess.run(
            [sys.executable, "-c", self.CODE, path],
            input="\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert "dropped without being closed" in ran.stderr
        assert ais.cat(path) == b"content"
