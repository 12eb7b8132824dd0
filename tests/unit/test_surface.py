"""Every public name, parameter, default and value of the 2.0.0 package is here, with its recorded form.

`tests/data/api` holds the recorded surface and the program that compares it.
"""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

HAS_TORCH = importlib.util.find_spec("torch") is not None
DATA = Path(__file__).resolve().parents[1] / "data" / "api"


def test_the_sdk_has_the_whole_recorded_surface():
    command = [sys.executable, DATA / "check_surface.py", "--json", "--tier", "public"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    assert report["total"] > 1000
    # torch is not there on every Python.
    assert [name for name in report["skipped"] if HAS_TORCH or "aistore.pytorch" not in str(name)] == []
    assert report["problems"] == []


def recorded_definitions():
    """Yield every class and function of the 2.0.0 package that this environment can import."""
    for module, recorded in json.loads((DATA / "surface.json").read_text())["modules"].items():
        try:
            ours = importlib.import_module(module)
        except ImportError:
            # torch is not there on every Python.
            assert recorded["optional_deps"] or not HAS_TORCH, module
            continue
        for name in [*(recorded.get("classes") or ()), *(recorded.get("functions") or ())]:
            if hasattr(ours, name):
                yield module, name, getattr(ours, name)


def test_public_definitions_say_they_are_where_the_2_0_0_package_has_them():
    elsewhere = [
        (module, name, found.__module__, found.__qualname__)
        for module, name, found in recorded_definitions()
        if (found.__module__, found.__qualname__) != (module, name)
    ]
    assert elsewhere == []


@pytest.mark.peer
def test_pickles_that_name_public_definitions_load_with_the_2_0_0_package(peer_python, tmp_path):
    # The modules that the peer's environment has no packages for are left out.
    definitions = [
        (module, name, found)
        for module, name, found in recorded_definitions()
        if not module.startswith(("aistore.pytorch", "aistore.botocore_patch", "aistore.mcp"))
    ]
    assert len(definitions) > 150
    file = tmp_path / "definitions.pickle"
    file.write_bytes(cloudpickle.dumps(definitions))
    load = "import importlib, pickle, sys\n"
    load += "for module, name, found in pickle.load(open(sys.argv[1], 'rb')):\n"
    load += "    assert found is getattr(importlib.import_module(module), name), (module, name)\n"
    done = subprocess.run(
        [peer_python, "-W", "ignore", "-c", load, file],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
