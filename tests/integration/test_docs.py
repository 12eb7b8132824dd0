"""Every Python snippet of the README and the documentation runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FORKING = ROOT / "tests" / "support" / "run_in_forks.py"
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(word, without=False):
    """Yield the snippets with a word in them, or those without it."""
    for page in PAGES:
        for number, match in enumerate(SNIPPET.finditer(page.read_text()), 1):
            if (word in match[1]) is without:
                continue
            yield pytest.param(match[1], id=f"{page.relative_to(ROOT)}-{number}")


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", list(snippets("torch", without=True)))
def test_snippet_runs(code, tmp_path):
    (tmp_path / "snippet.py").write_text(code)
    run(tmp_path, "snippet.py")


def test_snippets_with_torch_run(tmp_path):
    # torch takes seconds to import: once, and each snippet runs in a fork of that process.
    pytest.importorskip("torch")
    names = []
    for snippet in snippets("torch"):
        names.append(f"{len(names)}-{snippet.id.replace('/', '-')}.py")
        (tmp_path / names[-1]).write_text(snippet.values[0])
    assert len(names) > 4
    run(tmp_path, FORKING, "torch", *names)


def test_local_links_exist():
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    for page in PAGES:
        for match in link.finditer(page.read_text()):
            assert (page.parent / match[1]).exists(), f"{page.name} links to {match[1]}, which does not exist"
