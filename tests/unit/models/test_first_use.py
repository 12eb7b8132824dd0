"""Several threads use a model for the first time: `msgspec` alone would end the process."""

import subprocess
import sys
import textwrap

PROGRAM = """
    import sys, threading, types
    from aistore.sdk.models.base import Model

    MODULE = '''
    from __future__ import annotations
    import msgspec
    from aistore.sdk.models.base import Model
    class Inner(Model):
        x: str
        y: str | None = None
        z: int | None = None
    class Outer(Model):
        inner: list[Inner] = msgspec.field(default_factory=list)
        name: str | None = None
        flag: bool | None = None
        count: int | None = None
    '''

    sys.setswitchinterval(1e-6)
    for number in range(400):
        module = types.ModuleType(f"made_{number}")
        sys.modules[module.__name__] = module
        exec(MODULE, module.__dict__)
        together = threading.Barrier(6)

        def use():
            together.wait()
            assert module.Outer(inner=[{"x": "1"}], name="n").inner[0].x == "1"

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print("done")
"""


def test_threads_may_use_a_model_for_the_first_time_at_once():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


FORKING = """
    import os, threading
    from aistore.sdk.models import prepare

    held, go_on = threading.Event(), threading.Event()

    def hold():
        with prepare._lock:
            held.set()
            go_on.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    threading.Timer(0.05, go_on.set).start()
    child = os.fork()
    if child == 0:
        prepare.prepared(dict[str, int])
        os._exit(0)
    _, status = os.waitpid(child, 0)
    thread.join()
    prepare.prepared(dict[str, bool])
    print(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_may_use_models_too():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKING)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr[-2000:]
