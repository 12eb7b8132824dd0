"""Names are importable from the modules where programs know them from, and are loaded when asked for."""

import importlib
from unittest.mock import patch

import pytest


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("client", "Bucket", "bucket"),
        ("client", "Object", "obj.object"),
        ("bucket", "BucketModel", "types"),
        ("bucket", "Object", "obj.object"),
        ("bucket", "Provider", "provider"),
    ],
)
def test_names_of_other_modules(module, name, home):
    found = getattr(importlib.import_module(f"aistore.sdk.{module}"), name)
    assert found is getattr(importlib.import_module(f"aistore.sdk.{home}"), name)
    with patch(f"aistore.sdk.{module}.{name}") as replaced:
        assert getattr(importlib.import_module(f"aistore.sdk.{module}"), name) is replaced
    assert getattr(importlib.import_module(f"aistore.sdk.{module}"), name) is found


@pytest.mark.parametrize("module", ["bucket", "client"])
def test_unknown_names(module):
    with pytest.raises(AttributeError, match=f"module 'aistore.sdk.{module}' has no attribute 'nothing'"):
        importlib.import_module(f"aistore.sdk.{module}").nothing  # noqa: B018  # looking is what fails
