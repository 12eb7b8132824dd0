"""Files that requests name: what is really opened decides."""

import os

import pytest

from aistore.sdk.etl.webserver import files
from aistore.sdk.etl.webserver.exchange import ObjectTooLarge, RequestFailed
from aistore.sdk.etl.webserver.files import FileRules, open_whole_file, read_whole_file
from aistore.sdk.etl.webserver.settings import ServerSettings


def test_a_file_below_a_root(tmp_path):
    (tmp_path / "o").write_bytes(b"abc")
    rules = FileRules(ServerSettings(host_target="http://t", fqn_roots=(os.path.realpath(tmp_path),)))
    assert read_whole_file(rules.open(str(tmp_path / "o")), 10) == b"abc"
    with open_whole_file(rules.open(str(tmp_path / "o"))) as file:
        assert file.read() == b"abc"
    (tmp_path / "empty").touch()
    assert read_whole_file(rules.open(str(tmp_path / "empty")), 10) == b""


@pytest.mark.parametrize("has_proc", [True, False])
def test_links_lead_nowhere_else(tmp_path, monkeypatch, has_proc):
    root = tmp_path.resolve() / "root"
    root.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "o").write_bytes(b"abc")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to(root / "o")
    (tmp_path / "way in").symlink_to(root)
    if not has_proc:
        monkeypatch.setattr(files, "_opened", lambda fd, path: os.path.realpath(path))
    rules = FileRules(ServerSettings(host_target="http://t", fqn_roots=(str(root),)))
    for path in (root / "link", tmp_path / "secret", tmp_path / "rootless"):
        with pytest.raises(RequestFailed) as error:
            rules.open(str(path))
        assert error.value.status == 403
        with pytest.raises(RequestFailed):
            rules.check(str(path))
    for path in (root / "inside", tmp_path / "way in" / "o"):
        assert read_whole_file(rules.open(str(path)), 10) == b"abc"
        rules.check(str(path))
    open_files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(RequestFailed):
        rules.open(str(root / "link"))
    if open_files:
        assert len(os.listdir("/proc/self/fd")) == open_files


def test_what_is_no_regular_file(tmp_path):
    root = os.path.realpath(tmp_path)
    rules = FileRules(ServerSettings(host_target="http://t", fqn_roots=(root,)))
    os.mkfifo(tmp_path / "pipe")
    for open_it in (lambda fd: read_whole_file(fd, 10), open_whole_file):
        with pytest.raises(OSError, match="not a regular file"):
            open_it(rules.open(f"{root}/pipe"))
        with pytest.raises(IsADirectoryError):
            open_it(rules.open(root))
    with pytest.raises(FileNotFoundError):
        rules.open(f"{root}/none")


def test_a_file_that_is_too_large_and_one_that_grows(tmp_path, monkeypatch):
    path = tmp_path / "o"
    path.write_bytes(b"abcdef")
    rules = FileRules(ServerSettings(host_target="http://t", fqn_roots=(os.path.realpath(tmp_path),)))
    with pytest.raises(ObjectTooLarge):
        read_whole_file(rules.open(str(path)), 5)
    monkeypatch.setattr(files.os, "read", lambda fd, size, _read=os.read: _read(fd, 4))
    assert read_whole_file(rules.open(str(path)), 10) == b"abcdef"


def test_files_turned_off(tmp_path):
    rules = FileRules(ServerSettings(host_target="http://t", fqn=False))
    for ask in (rules.open, rules.check):
        with pytest.raises(RequestFailed, match="AIS_ETL_FQN=false"):
            ask("/mp/@ais/b/%ob/o")
