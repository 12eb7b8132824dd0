"""Memory that a serving process keeps."""

import ctypes
from unittest.mock import Mock

import pytest

from aistore.sdk.etl.webserver.memory import keep_freed_memory


@pytest.fixture
def library(monkeypatch):
    for name in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    library = Mock()
    monkeypatch.setattr(ctypes, "CDLL", Mock(return_value=library))
    return library


def test_what_the_c_library_is_told(library):
    keep_freed_memory()
    told = dict(call.args for call in library.mallopt.call_args_list)
    assert set(told) == {-1, -3, -8}
    assert 2 <= told[-8] <= 8


def test_the_environment_comes_first(library, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    keep_freed_memory()
    assert not library.mallopt.called


def test_other_c_libraries_are_left_alone(library):
    del library.mallopt
    keep_freed_memory()
