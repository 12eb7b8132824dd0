"""Python processes that the package starts, under programs and interpreters of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import aistore
from aistore._child import find_python, module_command, script_command
from aistore.local import LocalCluster, LocalClusterError
from aistore.local.patterns import Patterns
from aistore.sdk.errors import UnsupportedOperation
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.class_check import check_unpickles
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

SOURCE = Path(aistore.__file__).parent
SUPPORT = Path(__file__).parents[1] / "support"
PACKAGES = sysconfig.get_path("purelib")
# Starts the server, the check of a class, and an ETL with two workers.
PROGRAM = """
from aistore.local import LocalCluster
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

class Where(FastAPIServer):
    def transform(self, data, path, etl_args):
        import json, secrets, argparse, pathlib, uvicorn, aistore, os
        modules = (secrets, argparse, pathlib, uvicorn, aistore)
        return json.dumps([m.__file__ for m in modules] + [os.environ.get("PYTHONPATH")]).encode()

if __name__ == "__main__":
    with LocalCluster() as cluster:
        client = cluster.client()
        bucket = client.bucket("b").create()
        bucket.object("o").get_writer().put_content(b"")
        client.etl("where-from").init_class(NUM_WORKERS=2)(Where)
        print(bucket.object("o").get_reader(etl=ETLConfig("where-from")).read_all().decode())
"""
COMMAND_PROGRAM = """
from aistore.local import LocalCluster
from aistore.sdk.etl import ETLConfig

with LocalCluster() as cluster:
    client = cluster.client()
    bucket = client.bucket("b").create()
    bucket.object("o").get_writer().put_content(b"text")
    client.etl("command").init(image="none", command=["serve", "0.0.0.0:8000"], comm_type="hpush")
    print(bucket.object("o").get_reader(etl=ETLConfig("command")).read_all().decode())
"""
BROKEN = "raise ImportError('not the standard library')"


def run(folder: Path, python: str = sys.executable, before: str = "", **env: str) -> list[str | None]:
    """Run the program in a folder; returns the files that its ETL imported, and its PYTHONPATH."""
    (folder / "program.py").write_text(before + PROGRAM)
    variables = {**os.environ, **env}
    done = subprocess.run(
        [python, "program.py"], cwd=folder, env=variables, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    return found


def test_modules_in_the_callers_folder_are_not_imported(tmp_path: Path) -> None:
    folder = tmp_path / "with:colon"
    folder.mkdir()
    for name in ("secrets", "uvicorn", "httptools", "argparse", "pip", "launch"):
        (folder / f"{name}.py").write_text(BROKEN)
    files = run(folder, TMPDIR=str(folder))
    assert not any(str(file).startswith(str(folder)) for file in files)
    assert files[-1] is None


def test_packages_that_only_sys_path_leads_to(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    deps = tmp_path / "with:colon"
    deps.mkdir()
    for entry in Path(PACKAGES).iterdir():
        if entry.suffix != ".pth":
            (deps / entry.name).symlink_to(entry)
    for name in ("argparse", "pathlib", "secrets"):  # as PyPI has some of them
        (deps / f"{name}.py").write_text(BROKEN)
    before = f"import sys; sys.path += [{str(deps)!r}, {str(SOURCE.parent)!r}]\n"
    files = run(tmp_path, str(python), before)
    assert Path(str(files[3])).is_relative_to(deps)
    assert not any(Path(str(file)).is_relative_to(deps) for file in files[:3])
    assert Path(str(files[4])).parent == SOURCE


def test_a_package_in_a_zip_archive(tmp_path: Path) -> None:
    archive = tmp_path / "aistore.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in SOURCE.rglob("*.py"):
            file.write(path, path.relative_to(SOURCE.parent))
    files = run(tmp_path, before=f"import sys; sys.path.insert(0, {str(archive)!r})\n")
    assert str(files[4]).startswith(str(archive))


def make_version(folder: Path, version: str) -> None:
    """A package of one module, installed in a folder."""
    info = folder / f"only_for_this_test-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: only-for-this-test\nVersion: {version}\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    (info / "RECORD").write_text("")
    (folder / "only_for_this_test.py").write_text(f"VERSION = {version!r}\n")


def make_wheel(folder: Path, version: str) -> None:
    """The package as a wheel."""
    make_version(folder / "unpacked", version)
    with zipfile.ZipFile(folder / f"only_for_this_test-{version}-py3-none-any.whl", "w") as archive:
        for path in (folder / "unpacked").rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(folder / "unpacked"))


class Version(FastAPIServer):
    def transform(self, data, path, etl_args):
        import os
        import subprocess
        import sys

        import only_for_this_test

        code = "import only_for_this_test as module; print(module.VERSION)"
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        return (
            f"{only_for_this_test.VERSION} {child.decode().strip()} {os.environ.get('PYTHONPATH')}".encode()
        )


@pytest.mark.parametrize("way", ["PYTHONPATH", "sys.path"])
def test_an_etls_dependencies_go_before_a_pythonpath_of_the_users(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(tmp_path / "users", "2")
    make_wheel(tmp_path, "1")
    if way == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "users"))
    else:
        monkeypatch.syspath_prepend(str(tmp_path / "users"))
    with LocalCluster() as cluster, cluster.client() as client:
        bucket = client.bucket("b").create()
        bucket.object("o").get_writer().put_content(b"")

        def found(*dependencies: str) -> str:
            with client.etl("version-of") as etl:
                etl.init_class(NUM_WORKERS=2, dependencies=list(dependencies))(Version)
                return bucket.object("o").get_reader(etl=ETLConfig(etl.name)).read_all().decode()

        assert found("--no-index", f"--find-links {tmp_path}", "only-for-this-test==1") == "1 1 None"
        if way == "PYTHONPATH":
            assert found("only-for-this-test==2") == f"2 2 {tmp_path / 'users'}"


def no_children(*args: object, **kwargs: object) -> None:
    raise AssertionError("a process was started")


def test_a_frozen_program_does_not_start_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(subprocess, "Popen", no_children)
    with pytest.raises(LocalClusterError, match=r"this program is frozen: .* not a Python interpreter"):
        LocalCluster().start()
    with pytest.raises(UnsupportedOperation, match="frozen"):
        script_command("aistore.local", "pattern_worker.py")
    check_unpickles(Patterns, "")
    assert "was not checked before it is sent: a Python process cannot be started" in caplog.text


def test_the_interpreter_of_a_program_that_python_is_embedded_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "multiprocessing.spawn", raising=False)  # it remembers the executable
    python = find_python()
    for executable in ("", "/usr/bin/env"):
        monkeypatch.setattr(sys, "executable", executable)
        assert Path(find_python()).parent == Path(python).parent
        assert subprocess.run(module_command("json.tool"), input=b"1", capture_output=True).stdout == b"1\n"
    monkeypatch.setattr(sys, "exec_prefix", "/nowhere")
    monkeypatch.setattr(sys, "base_exec_prefix", "/nowhere")
    with pytest.raises(UnsupportedOperation, match="no Python interpreter found at /nowhere/bin/python"):
        find_python()


def test_an_interpreter_chosen_for_multiprocessing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import spawn

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(spawn, "get_executable", lambda: b"/chosen/python")
    assert module_command("pip")[0] == "/chosen/python"


@pytest.mark.parametrize(
    "flags", [["-I"], ["-E", "-s"], ["-S"], ["-P"] if sys.version_info >= (3, 11) else []]
)
def test_flags_of_the_interpreter(flags: list[str]) -> None:
    code = (
        f"import sys, json; sys.path += {[PACKAGES, str(SOURCE.parent)]!r}\n"
        "import subprocess, aistore._child as child\n"
        "command = child.module_command('aistore.local', '--version')\n"
        "print(subprocess.run(command, capture_output=True, text=True))"
    )
    done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, timeout=60)
    assert "returncode=0" in done.stdout, done


def test_programs_of_the_servers_environment_are_found_where_it_is_not_activated(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    python, program = (tmp_path / "venv" / "bin" / name for name in ("python", "serve"))
    program.write_text(f"#!/bin/sh\nexec '{python}' '{SUPPORT / 'command_server.py'}' \"$@\"\n")
    program.chmod(0o755)
    before = f"import sys; sys.path += [{PACKAGES!r}, {str(SOURCE.parent)!r}]\n"
    (tmp_path / "program.py").write_text(before + COMMAND_PROGRAM)
    done = subprocess.run(
        [python, "program.py"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, timeout=60
    )
    assert done.stdout == b"TEXT\n", done.stderr
