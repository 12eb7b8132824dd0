"""Every Python snippet of the README and the documentation runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets():
    for page in PAGES:
        for number, match in enumerate(SNIPPET.finditer(page.read_text()), 1):
            yield pytest.param(match[1], id=f"{page.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize("code", list(snippets()))
def test_snippet_runs(code, tmp_path):
    script = tmp_path / "snippet.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


def test_local_links_exist():
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    for page in PAGES:
        for match in link.finditer(page.read_text()):
            assert (page.parent / match[1]).exists(), f"{page.name} links to {match[1]}, which does not exist"
