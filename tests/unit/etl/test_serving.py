"""What is set in a serving process."""

import ctypes
import sys
from unittest.mock import Mock

import pytest

from aistore.sdk.etl.webserver.serving import prepare_process


@pytest.fixture(autouse=True)
def interval():
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def library(monkeypatch):
    for name in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    library = Mock()
    monkeypatch.setattr(ctypes, "CDLL", Mock(return_value=library))
    return library


def test_what_the_c_library_is_told(library):
    prepare_process()
    told = dict(call.args for call in library.mallopt.call_args_list)
    assert set(told) == {-1, -3, -8}
    assert 2 <= told[-8] <= 8


def test_the_environment_comes_first(library, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    prepare_process()
    assert not library.mallopt.called


def test_other_c_libraries_are_left_alone(library):
    del library.mallopt
    prepare_process()


@pytest.mark.parametrize(("before", "after"), [(0.005, 0.001), (0.02, 0.02), (0.0005, 0.0005)])
def test_threads_take_turns_sooner_unless_the_program_says_how_often(library, before, after):
    sys.setswitchinterval(before)
    prepare_process()
    assert sys.getswitchinterval() == pytest.approx(after)
