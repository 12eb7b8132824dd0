"""Files: whole or not there, and never outside of the folder that was asked for."""

import os
import stat

import pytest

from aistore.cli.exits import CliError
from aistore.cli.files import Folder, is_part, regular_files, replacing


def test_a_file_is_there_once_it_is_whole(tmp_path):
    path = tmp_path / "f"
    with replacing(path) as file:
        file.write(b"all of it")
        assert not path.exists()
        assert [is_part(name) for name in os.listdir(tmp_path)] == [True]
    assert path.read_bytes() == b"all of it"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def write():
        with replacing(path) as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_permissions_of_the_replaced_file_stay(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"")
    path.chmod(0o640)
    with replacing(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_devices_are_written_to_and_not_replaced(tmp_path):
    with replacing(tmp_path.joinpath("/dev/null")) as file:
        file.write(b"x")
    assert not os.path.isfile("/dev/null")
    with pytest.raises(CliError, match="is a folder"):
        with replacing(tmp_path):
            pass


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b", "", "a/", ".", "a\0b", "./a"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    with pytest.raises(CliError, match="cannot be a file"):
        Folder(tmp_path).path_of(name)


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    folder = Folder(root)
    with pytest.raises(CliError, match="leads out of"):
        folder.prepare(folder.path_of("link/file"))
    folder.prepare(folder.path_of("a/b/file"))
    assert (root / "a/b").is_dir()


def test_a_root_that_is_a_link_is_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    folder = Folder(tmp_path / "root")
    folder.prepare(folder.path_of("a/file"))
    assert (tmp_path / "real/a").is_dir()


def test_a_file_where_a_folder_must_be(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    folder = Folder(tmp_path)
    with pytest.raises(CliError, match="a file is where a folder must be"):
        folder.prepare(folder.path_of("a/b"))


def test_what_is_found_in_a_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / ".aistore-0123.part").write_bytes(b"")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "fifo")
    left_out = []
    assert [name for name, _ in regular_files(tmp_path, left_out.append)] == ["a", "link", "sub/b"]
    assert len(left_out) == 3
    assert any("dangling (a link to nothing)" in line for line in left_out)
    assert any("loop (a link to a folder)" in line for line in left_out)
    assert any("fifo (not a file)" in line for line in left_out)


def test_removal_takes_empty_folders_along_but_not_the_root(tmp_path):
    for name in ("a/b/c", "a/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    folder = Folder(tmp_path)
    folder.remove([tmp_path / "a/b/c"])
    assert not (tmp_path / "a/b").exists()
    folder.remove([tmp_path / "a/d"])
    assert tmp_path.is_dir()
    assert os.listdir(tmp_path) == []
