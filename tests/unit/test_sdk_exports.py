"""What `aistore.sdk` offers, and that it is imported only when it is used."""

import subprocess
import sys

import pytest

import aistore.sdk
from aistore.sdk import types
from aistore.sdk.obj.object_props import ObjectProps


def test_every_name_is_there():
    for name in aistore.sdk.__all__:
        assert getattr(aistore.sdk, name).__name__ == name
        assert name in dir(aistore.sdk)
    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = aistore.sdk.NoSuchThing


def test_nothing_is_imported_beforehand():
    code = "import sys, aistore.sdk; print([name for name in sys.modules if name.startswith('aistore.sdk.')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_types_offers_what_it_cannot_import_itself():
    assert types.ObjectProps is ObjectProps
