"""The modules that are listed as pure are: they import nothing that reaches beyond the process."""

import ast
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
LISTED = tomllib.loads((ROOT / "tests" / "pure.toml").read_text())["tool"]["coverage"]["report"]["include"]
PURE = sorted({path for pattern in LISTED for path in ROOT.glob(pattern)})
REACH_OUT = {
    "asyncio",
    "http",
    "multiprocessing",
    "os",
    "select",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
}


def imported(path: Path) -> set[str]:
    """Find what a module imports when it is used; types are imported for the checker only."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("pattern", LISTED)
def test_is_there(pattern):
    assert list(ROOT.glob(pattern))


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_nothing_that_reaches_out(path):
    assert not {name for name in imported(path) if name.split(".")[0] in REACH_OUT}


WIRE = [ROOT / "aistore" / "errors.py", *(ROOT / "aistore" / "wire").rglob("*.py")]


@pytest.mark.parametrize("path", WIRE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_protocol_imports_nothing_above_it(path):
    ours = {name for name in imported(path) if name.split(".")[0] == "aistore"}
    assert not {name for name in ours if name != "aistore.errors" and not name.startswith("aistore.wire")}
