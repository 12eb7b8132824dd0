"""The training example, run as its README says: killed, resumed, and not a sample lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

for module in ("torch", "torchdata", "sklearn", "matplotlib"):
    pytest.importorskip(module)

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "training" / "run.py"


@pytest.mark.slow
def test_a_killed_training_goes_on_at_the_exact_sample(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--dir", str(tmp_path), "--samples", "600"],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resumed from step-" in done.stdout
    assert "600 samples, each once in each of 3 epochs" in done.stdout
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    steps = [json.loads(line) for line in (tmp_path / "killed.jsonl").read_text().splitlines()]
    assert sum(len(step["ids"]) for step in steps) == 3 * 600
