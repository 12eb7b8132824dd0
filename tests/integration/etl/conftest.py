"""Servers of every kind, started once, and a target that each test gets empty."""

import pytest
from etl_classes import CLASSES
from etl_peers import Target, run_server
from etl_recorded import make_mount_paths, recorded_class

KINDS = ("fastapi", "flask", "threaded")


@pytest.fixture(scope="session")
def _target():
    target = Target()
    yield target
    target.close()


@pytest.fixture
def target(_target):
    _target.reset()
    yield _target
    _target.reset()


@pytest.fixture(scope="session")
def _servers(_target, tmp_path_factory):
    """Start a server when it is first asked for: (kind, streaming, settings) -> server."""
    import contextlib

    root = tmp_path_factory.mktemp("etl-servers")
    running = {}
    with contextlib.ExitStack() as stack:

        def get(kind, streaming=False, **env):
            key = (kind, streaming, tuple(sorted(env.items())))
            if key not in running:
                folder = root / str(len(running))
                env = {"AIS_DIRECT_PUT_RETRIES": "1", "AIS_ETL_FQN_ROOTS": str(root.parent), **env}
                server = run_server(CLASSES[kind, streaming], _target.url, folder, **env)
                running[key] = stack.enter_context(server)
            assert running[key].process.poll() is None, running[key].output()
            return running[key]

        yield get
        for server in running.values():
            server.process.terminate()  # all at once; the stack waits for each


@pytest.fixture
def start(_servers, target):
    """Give the function that returns a running server of a kind."""
    return _servers


@pytest.fixture(scope="session")
def mount_paths(tmp_path_factory):
    """Give a folder laid out as the recorded target's disks."""
    root = tmp_path_factory.mktemp("MP")
    make_mount_paths(root)
    return root


@pytest.fixture(scope="session")
def recorded_server(_target, tmp_path_factory):
    """Give the function that returns a running server of a recorded class."""
    import contextlib

    running = {}
    with contextlib.ExitStack() as stack:

        def get(kind, streaming=False, stage="a", **env):
            key = (kind, streaming, stage, *env)
            if key not in running:
                folder = tmp_path_factory.mktemp("recorded")
                server = run_server(recorded_class(kind, streaming, stage), _target.url, folder, **env)
                running[key] = stack.enter_context(server)
            return running[key]

        yield get
        for server in running.values():
            server.process.terminate()  # all at once; the stack waits for each


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["transform", "stream"])
def streaming(request):
    return request.param


@pytest.fixture
def unused_port():
    """Give a port on which nobody listens: bound, but not listening."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
