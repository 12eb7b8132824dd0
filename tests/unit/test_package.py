"""What the package promises as a whole: light imports, shipped types, a version that programs can probe."""

import subprocess
import sys
from importlib.resources import files

import aistore

HEAVY = (
    "requests",
    "urllib3",
    "msgspec",
    "tenacity",
    "cloudpickle",
    "xxhash",
    "asyncio",
    "ssl",
    "json",
    "typing_extensions",
)
OPTIONAL = (
    "fastapi",
    "starlette",
    "uvicorn",
    "flask",
    "gunicorn",
    "httpx",
    "websockets",
    "rich",
    "yaml",
    "lz4",
    "torch",
    "numpy",
)


def imported_by(statement):
    code = (
        f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_aistore_imports_nothing_else():
    got = imported_by("import aistore")
    assert not got & set(HEAVY)
    assert {m for m in got if m.startswith("aistore")} == {"aistore"}


def test_import_client_pulls_in_nothing_optional():
    got = imported_by("from aistore import Client; Client('http://localhost:8080').bucket('b').object('o')")
    assert not got & {*OPTIONAL, "asyncio", "multiprocessing"}
    assert not any(m.startswith("aistore.local") for m in got)


def test_import_local_cluster_is_light():
    got = imported_by("from aistore.local import LocalCluster")
    assert not got & {*OPTIONAL, "asyncio", "sqlite3"}


def test_types_are_shipped():
    assert (files("aistore") / "py.typed").is_file()


def test_version_satisfies_what_programs_probe_for():
    major, minor, *_ = aistore.__version__.split(".")
    assert (int(major), int(minor)) >= (2, 0)


def test_top_level_names():
    assert aistore.__all__ == ["Client", "__version__"]
    assert "Client" in dir(aistore)
    assert aistore.Client.__name__ == "Client"


def test_import_client_leaves_what_only_nouns_and_errors_need():
    got = imported_by("from aistore import Client")
    assert not got & {"msgspec", "dataclasses", "tenacity", "cloudpickle", "xxhash", "pickle"}
    assert len({module for module in got if module.startswith("aistore")}) <= 50
