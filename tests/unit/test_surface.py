"""Every public name, parameter, default and value of the 2.0.0 package is here, with its recorded form.

`tests/data/api` holds the recorded surface and the program that compares it.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

HAS_TORCH = importlib.util.find_spec("torch") is not None
DATA = Path(__file__).resolve().parents[1] / "data" / "api"


def test_the_sdk_has_the_whole_recorded_surface():
    command = [sys.executable, DATA / "check_surface.py", "--json", "--tier", "public"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    assert report["total"] > 1000
    # torch is not there on every Python.
    assert [name for name in report["skipped"] if HAS_TORCH or "aistore.pytorch" not in str(name)] == []
    assert report["problems"] == []
