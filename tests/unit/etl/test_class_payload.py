"""Classes as text: by value, checked, explained."""

import base64
import subprocess
import sys

import cloudpickle
import own_module
import pytest

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.etl import serialize_class
from aistore.sdk.etl.class_check import check_unpickles, undefined_names
from aistore.sdk.etl.class_payload import (
    PAYLOAD_LIMIT,
    UnpicklableClass,
    check_payload_size,
    deserialize_class,
    is_own_module,
)


def run_elsewhere(payload, expression):
    """Evaluate an expression of the class in a process that has none of our modules."""
    script = (
        "import sys; from aistore.sdk.etl.class_payload import deserialize_class\n"
        f"cls = deserialize_class(sys.stdin.read()); print({expression})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=payload,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_module_that_is_not_installed_goes_by_value():
    payload = serialize_class(own_module.Shouts)
    assert run_elsewhere(payload, "cls.transform(None, b'a', '', '')") == "b'A!'"
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_a_module_registered_by_the_program_stays_registered():
    cloudpickle.register_pickle_by_value(own_module)
    try:
        serialize_class(own_module.Shouts)
        assert cloudpickle.list_registry_pickle_by_value() == {"own_module"}
    finally:
        cloudpickle.unregister_pickle_by_value(own_module)


def test_a_class_of_the_main_script(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        "from aistore.sdk.etl import serialize_class\n"
        "from aistore.sdk.etl.webserver.flask_server import FlaskServer\n"
        "import json\n"
        "FACTOR = 3\n"
        "def helper(data): return json.dumps([FACTOR] * len(data)).encode()\n"
        "class Mine(FlaskServer):\n"
        "    def transform(self, data, path, etl_args): return helper(data)\n"
        "if __name__ == '__main__': print(serialize_class(Mine))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert run_elsewhere(done.stdout, "cls.transform(None, b'ab', '', '')") == "b'[3, 3]'"


def test_a_class_of_a_notebook(tmp_path):
    """Cells are compiled one by one and run in the main module, which has no file."""
    cells = [
        "from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer\nimport zlib\nLEVEL = 9",
        "def pack(data): return zlib.compress(data, LEVEL)",
        "class Packs(FastAPIServer):\n    def transform(self, data, path, etl_args): return pack(data)",
        "from aistore.sdk.etl import serialize_class\nprint(serialize_class(Packs))",
    ]
    script = (
        "import __main__\n"
        "del __main__.__file__\n"
        f"for number, cell in enumerate({cells!r}):\n"
        "    exec(compile(cell, f'<ipython-input-{number}>', 'exec'), vars(__main__))\n"
    )
    (tmp_path / "kernel.py").write_text(script)
    command = [sys.executable, tmp_path / "kernel.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    result = run_elsewhere(done.stdout, "__import__('zlib').decompress(cls.transform(None, b'ab', '', ''))")
    assert result == "b'ab'"


def test_modules_beside_the_main_script_go_with_its_classes(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "deep.py").write_text("import beside\ndef f(data): return beside.g(data)\n")
    (tmp_path / "beside.py").write_text("def g(data): return data[::-1]\n")
    script = tmp_path / "main.py"
    script.write_text(
        "from aistore.sdk.etl import serialize_class\n"
        "from aistore.sdk.etl.class_check import check_unpickles\n"
        "from aistore.sdk.etl.webserver.flask_server import FlaskServer\n"
        "from pkg.deep import f\n"
        "class Mine(FlaskServer):\n"
        "    def transform(self, data, path, etl_args): return f(data)\n"
        "payload = serialize_class(Mine)\n"
        "check_unpickles(Mine, payload)\n"
        "print(payload)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert run_elsewhere(done.stdout, "cls.transform(None, b'ab', '', '')") == "b'ba'"


def test_which_modules_are_the_users_own():
    import json

    import aistore.sdk.errors

    assert is_own_module(own_module)
    assert not any(is_own_module(m) for m in (json, cloudpickle, aistore.sdk.errors, sys))


@pytest.mark.parametrize(
    ("cls", "names"),
    [(own_module.UsesLock, "global name LOCK"), (own_module.HasLock, "attribute lock")],
)
def test_what_cannot_be_pickled_is_named(cls, names):
    with pytest.raises(UnpicklableClass, match=names) as error:
        serialize_class(cls)
    assert isinstance(error.value, (ValueError, TypeError))
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_what_makes_a_class_too_large_is_named():
    payload = serialize_class(own_module.UsesTable)
    with pytest.raises(InvalidArgument, match=r"Largest parts: .*global name TABLE \(200,\d+ bytes\)"):
        check_payload_size(own_module.UsesTable, payload)
    check_payload_size(own_module.Shouts, serialize_class(own_module.Shouts))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_the_limit_is_that_of_the_system():
    """The largest payload fits into an environment, one more byte does not."""
    command = [sys.executable, "-c", ""]
    subprocess.run(command, env={"ETL_CLASS_PAYLOAD": "x" * PAYLOAD_LIMIT}, check=True, timeout=30)
    with pytest.raises(OSError, match="too long"):
        subprocess.run(command, env={"ETL_CLASS_PAYLOAD": "x" * (PAYLOAD_LIMIT + 1)}, check=False, timeout=30)


def test_a_good_class_passes_the_check():
    check_unpickles(own_module.Shouts, serialize_class(own_module.Shouts))


def test_a_class_that_does_not_load_elsewhere_is_refused():
    by_reference = base64.b64encode(cloudpickle.dumps(own_module.UsesNothingKnown)).decode()
    with pytest.raises(
        InvalidArgument, match=r"No module named 'own_module'.*nobody defines: helper_of_nobody"
    ):
        check_unpickles(own_module.UsesNothingKnown, by_reference)


def test_names_that_are_missing_are_told_even_when_the_class_loads(caplog):
    check_unpickles(own_module.UsesNothingKnown, serialize_class(own_module.UsesNothingKnown))
    assert "uses names that nobody defines: helper_of_nobody" in caplog.text


def test_the_check_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("AIS_ETL_CHECK", "false")
    check_unpickles(own_module.Shouts, "not a payload")


def test_undefined_names():
    assert undefined_names(own_module.UsesNothingKnown) == {"helper_of_nobody"}
    assert undefined_names(own_module.Shouts) == set()


@pytest.mark.parametrize("text", ["", "  ", "not base64!", "YQ"])
def test_text_that_is_no_payload(text):
    with pytest.raises(InvalidArgument):
        deserialize_class(text)


def test_a_payload_that_is_no_server():
    with pytest.raises(InvalidArgumentType, match="int is not a subclass"):
        deserialize_class(base64.b64encode(cloudpickle.dumps(int)).decode())
