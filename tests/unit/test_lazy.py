"""Names are importable from the modules where programs know them from, and are loaded when asked for."""

import ast
import importlib
import logging
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import pytest
import requests

import aistore.sdk

SDK = Path(aistore.sdk.__file__).parent


def offered() -> list[tuple[str, str]]:
    """Find what modules offer: `__getattr__ = lazy_names(__name__, "Name", ...)`."""
    found = []
    for path in SDK.rglob("*.py"):
        if "__getattr__ = lazy_names(" not in (source := path.read_text()):
            continue
        module = ".".join(path.relative_to(SDK).with_suffix("").parts)
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__getattr__":
                found += [(module, arg.value) for arg in node.value.args[1:]]
    return found


def test_every_offered_name_is_there():
    assert len(offered()) > 100
    for module, name in offered():
        assert getattr(importlib.import_module(f"aistore.sdk.{module}"), name) is not None


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("client", "Bucket", "bucket"),
        ("client", "Object", "obj.object"),
        ("bucket", "BucketModel", "types"),
        ("bucket", "Object", "obj.object"),
        ("bucket", "Provider", "provider"),
        ("dsort.core", "Timeout", "errors"),
        ("job", "RequestClient", "request_client"),
        ("obj.object", "ETLConfig", "etl.etl_config"),
    ],
)
def test_names_of_other_modules(module, name, home):
    found = getattr(importlib.import_module(f"aistore.sdk.{module}"), name)
    assert found is getattr(importlib.import_module(f"aistore.sdk.{home}"), name)
    with patch(f"aistore.sdk.{module}.{name}") as replaced:
        assert getattr(importlib.import_module(f"aistore.sdk.{module}"), name) is replaced
    assert getattr(importlib.import_module(f"aistore.sdk.{module}"), name) is found


def test_modules_and_loggers():
    core = importlib.import_module("aistore.sdk.dsort.core")
    assert core.time is time
    with patch("aistore.sdk.dsort.core.time.sleep") as sleep:
        time.sleep(0)
    sleep.assert_called_once_with(0)
    assert importlib.import_module("aistore.sdk.obj.object").Response is requests.Response
    cluster = importlib.import_module("aistore.sdk.cluster")
    assert cluster.logger is logging.getLogger("aistore.sdk.cluster")


@pytest.mark.parametrize("module", ["bucket", "client"])
def test_unknown_names(module):
    with pytest.raises(AttributeError, match=f"module 'aistore.sdk.{module}' has no attribute 'nothing'"):
        importlib.import_module(f"aistore.sdk.{module}").nothing  # noqa: B018  # looking is what fails


@pytest.mark.parametrize(
    "path",
    ["errors", "bucket", "obj.object", "obj.obj_file.errors", "authn.types", "etl.etl_const", "dsort.core"],
)
def test_modules_are_there_after_import_of_the_package(path):
    code = f"import aistore; print(aistore.sdk.{path}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"aistore.sdk.{path}"


def test_unknown_modules(tmp_path, monkeypatch):
    assert not hasattr(aistore.sdk, "nothing")
    assert not hasattr(aistore.sdk.obj, "_private")
    (tmp_path / "broken.py").write_text("import not_installed_at_all")
    monkeypatch.setattr(aistore.sdk, "__path__", [*aistore.sdk.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="not_installed_at_all"):
        _ = aistore.sdk.broken
