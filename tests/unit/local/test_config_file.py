"""Options from a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from aistore.local.options import parse

TOML = 'dir = "/srv/ais"\nport = 51080\nquota = "200GiB"\nfsync = true\npromote_dir = "/in"\n'
needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="TOML needs Python 3.11")


def _write(tmp_path: Path, name: str, text: str) -> str:
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


@needs_toml
def test_a_toml_file_stands_for_arguments(tmp_path: Path) -> None:
    options = parse(["--config", _write(tmp_path, "ais.toml", TOML)])
    assert (options.dir, options.port, options.quota) == (Path("/srv/ais"), 51080, 200 << 30)
    assert (options.fsync, options.promote_dir, options.targets) == (True, Path("/in"), 1)


def test_a_json_file_too(tmp_path: Path) -> None:
    file = _write(tmp_path, "ais.json", json.dumps({"targets": 3, "fsync": False, "access-log": "-"}))
    options = parse([f"--config={file}"])
    assert (options.targets, options.fsync, options.access_log) == (3, False, "-")


def test_the_command_line_wins(tmp_path: Path) -> None:
    file = _write(tmp_path, "ais.json", json.dumps({"targets": 3, "port": 1}))
    options = parse(["--port", "2", "--config", file])
    assert (options.targets, options.port) == (3, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"potr": 1}', "unknown option 'potr'; there are "),
        ('{"child": true}', "unknown option 'child'"),
        ('{"config": "x"}', "unknown option 'config'"),
        ('{"port": [1]}', "port: expecting text, a number, true or false, not [1]"),
        ('{"port": 70000}', "'70000' is not a port"),
        ("[1]", "expecting an object of options"),
        ('{"port"', "ais.json: "),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    with pytest.raises(SystemExit):
        parse(["--config", _write(tmp_path, "ais.json", text)])
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--config", str(tmp_path / "none.toml")])
    assert "none.toml: No such file" in capsys.readouterr().err
