"""First imports in several threads: none waits for another in a circle, which Python breaks with an error.

While a module is imported its lock is held, and with it those of its package and of what it imports are asked
for. So the modules of a circle cannot be imported by two threads, and a package that imports its own modules
is in a circle with each of them.
"""

import ast
import os
import pickle
import random
import sys
import threading
from importlib import import_module
from pathlib import Path

import pytest

import aistore
import aistore.sdk

ROOT = Path(aistore.__file__).parent
# Imported by its package only, which no other module does.
ALONE = {"aistore.pytorch.web_dataset"}


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The server's own packages are imported when it starts, by one thread; what programs import of it is here.
CLIENT_SIDE = ("aistore.local", "aistore.local.admin", "aistore.local.cluster", "aistore.local.errors")
FILES = {
    name: path
    for path in ROOT.rglob("*.py")
    if not (name := module_name(path)).startswith("aistore.local.") or name in CLIENT_SIDE
}


def imports(nodes):
    """The statements that run when a module is imported."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(node.orelse)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        yield from imports(ast.iter_child_nodes(node))


def is_package(module):
    return module in FILES and FILES[module].name == "__init__.py"


def imported_names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    names = [node.module or ""]
    for alias in node.names:
        name = f"{node.module}.{alias.name}"
        if name not in FILES and is_package(node.module):
            homes = getattr(import_module(node.module), "_MODULES", None)
            if isinstance(homes, dict) and alias.name in homes:  # loaded by the package's `__getattr__`
                name = f"{node.module}.{homes[alias.name]}"
        names.append(name)
    return names


def waits():
    """What the lock of each module is held for: its package, and what it imports."""
    found = {}
    for module, path in FILES.items():
        names = {name for node in imports(ast.parse(path.read_text()).body) for name in imported_names(node)}
        found[module] = {name for name in {*names, module.rpartition(".")[0]} if name in FILES} - {module}
    return found


def circles(graph):
    """Modules that lead back to themselves."""
    left = {module: set(others) for module, others in graph.items()}
    while ends := {module for module, others in left.items() if not others & left.keys()}:
        for module in ends:
            del left[module]
    return sorted(left)


def test_no_module_waits_for_itself():
    graph = waits()
    assert len(graph) > 200
    importers = {name: {module for module in graph if name in graph[module]} for name in ALONE}
    assert importers == {name: {name.rpartition(".")[0]} for name in ALONE}
    for name in ALONE:
        graph[name.rpartition(".")[0]].discard(name)
    stuck = circles(graph)
    assert not stuck, {module: graph[module] & set(stuck) for module in stuck}


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


NAMES = [
    "from aistore import Client",
    "import aistore.fs",
    "from aistore.fs import AISFileSystem",
    "from aistore.local import LocalCluster",
    "from aistore.sdk.authn import AuthNClient",
    "from aistore.sdk.authn.errors import AuthNError",
    "from aistore.sdk.dsort import Dsort, DsortFramework",
    "from aistore.sdk.errors import AISError",
    "from aistore.sdk.etl import ETLConfig",
    "from aistore.sdk.etl.webserver import serialize_class",
    "from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer",
    "from aistore.sdk.multiobj import ObjectRange",
    "from aistore.sdk.multiobj.object_template import ObjectTemplate",
    "from aistore.sdk.obj.content_iterator import ContentIterProvider",
    "from aistore.sdk.session_manager import SessionManager",
    "from aistore.version import __version__",
    *(f"from aistore.sdk import {name}" for name in aistore.sdk.__all__),
]
PROCESSES = 12
THREADS = 6


def import_in_threads(seed):
    """Import names in threads of a process that has imported nothing of ours; returns what failed."""
    chosen = random.Random(seed)
    barrier = threading.Barrier(THREADS)
    failed = []

    def run(statement):
        barrier.wait()
        try:
            exec(statement, {})
        except BaseException as err:
            failed.append(f"{statement}: {err!r}")

    sys.setswitchinterval(10 ** chosen.uniform(-6, -3))
    threads = [threading.Thread(target=run, args=(chosen.choice(NAMES),)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def fork_and_import(seed):
    """Import names in a child that has what we depend on, but nothing of ours; returns what failed."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        for name in [name for name in sys.modules if name.split(".")[0] == "aistore"]:
            del sys.modules[name]
        # pytest's finder parses modules in Python, which 3.11 cannot do in several threads.
        sys.meta_path[:] = [finder for finder in sys.meta_path if "pytest" not in type(finder).__module__]
        os.write(writing, pickle.dumps(import_in_threads(seed)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(data)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("seed", range(PROCESSES))
def test_names_are_imported_first_in_several_threads(seed):
    assert fork_and_import(seed) == []
