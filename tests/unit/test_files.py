"""Files that objects become: whole or not there, and never outside of the folder that was named."""

import os
import stat
import threading

import pytest

from aistore import _files
from aistore._files import ErrNotAFile, Folder, Part, followed, is_part, remove_parts, replacing, unfinished


@pytest.fixture(params=["descriptors", "paths"], autouse=True)
def _platform(request, monkeypatch):
    """Run as on platforms that open files below a descriptor, and as on those that do not."""
    if request.param == "paths":
        monkeypatch.setattr(_files, "_BELOW_DESCRIPTORS", False)


@pytest.fixture(params=["file", "in a folder"])
def opened(request, tmp_path):
    """Give a path, and what opens a file that is there once it is whole."""
    if request.param == "file":
        return tmp_path / "f", lambda: replacing(tmp_path / "f")
    return tmp_path / "f", lambda: Folder(tmp_path).replacing("f")


def put(folder, name, content=b""):
    with folder.replacing(name) as file:
        file.write(content)


def test_a_file_is_there_once_it_is_whole(opened, tmp_path):
    path, replace = opened
    with replace() as file:
        file.write(b"all of it")
        assert not path.exists()
        assert [is_part(name) for name in os.listdir(tmp_path)] == [True]
        assert [os.path.basename(part) for part in unfinished] == os.listdir(tmp_path)
    assert path.read_bytes() == b"all of it"
    assert os.listdir(tmp_path) == ["f"]
    assert not unfinished


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(opened, tmp_path, error):
    path, replace = opened
    path.write_bytes(b"old")

    def write():
        with replace() as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_permissions_of_the_replaced_file_stay(opened):
    path, replace = opened
    path.touch(mode=0o640)
    path.chmod(0o640)
    with replace():
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_is_not_replaced(opened):
    path, replace = opened
    path.mkdir()
    with pytest.raises(ErrNotAFile, match="'f' is a folder"), replace():
        pass
    assert path.is_dir()


def test_devices_are_written_to_and_not_replaced():
    with replacing("/dev/null") as file:
        file.write(b"x")
    assert not os.path.isfile("/dev/null")


def test_links_are_followed_only_when_it_is_asked_for(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to("target")
    with replacing(followed(link)) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    with replacing(link) as file:
        file.write(b"newer")
    assert not link.is_symlink()
    assert target.read_bytes() == b"new"
    assert followed("/dev/stdout") == "/dev/stdout"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b", "", "a/", ".", "a\0b", "./a"])
def test_names_that_are_not_those_of_files(tmp_path, name):
    folder = Folder(tmp_path / "root")
    assert list(folder.unfit([name, "ok"])) == [name]
    with pytest.raises(ErrNotAFile), folder.replacing(name):
        pass
    assert os.listdir(tmp_path) == []


def test_names_that_are_also_folders():
    unfit = Folder("nowhere").unfit(["a", "a/b", "a/b/c", "ab", "x//y", "x", "/d", "d"])
    assert {name: why.split()[-1] for name, why in unfit.items()} == {
        "a": "folder",
        "a/b": "folder",
        "x//y": "element",
        "/d": "element",
    }


def test_names_that_the_file_system_refuses(tmp_path):
    folder = Folder(tmp_path)
    for name in ("n" * 300, f"{'n' * 300}/x"):
        with pytest.raises(ErrNotAFile, match="too long"):
            put(folder, name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["link/file", "link/sub/file", "a/link/file"])
def test_links_in_the_folder_are_not_followed(tmp_path, name):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "a").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "a" / "link").symlink_to(outside)
    folder = Folder(root)
    with pytest.raises(ErrNotAFile, match="link, a link that leads out of the folder"):
        put(folder, name)
    with pytest.raises(ErrNotAFile, match="a link"):
        folder.make(name)
    (outside / "file").touch()
    folder.remove([name])
    assert os.listdir(outside) == ["file"]
    assert (root / "link").is_symlink()


def test_nor_one_that_leads_to_another_folder_inside(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(ErrNotAFile, match=r"cannot be below .*link, a link$"):
        put(Folder(tmp_path), "link/file")
    assert os.listdir(tmp_path / "real") == []


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "f").symlink_to("../precious")
    put(Folder(tmp_path / "root"), "f", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "root" / "f").read_bytes() == b"new"
    assert not (tmp_path / "root" / "f").is_symlink()


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    put(Folder(tmp_path / "root"), "a/file", b"x")
    assert (tmp_path / "real/a/file").read_bytes() == b"x"


def test_a_folder_that_becomes_a_link_meanwhile(tmp_path, monkeypatch):
    """Another user who can write in the folder may exchange it while a file is on its way."""
    monkeypatch.setattr(_files, "_BELOW_DESCRIPTORS", True)
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    with Folder(root).replacing("a/file") as file:
        file.write(b"x")
        (root / "a").rename(root / "moved")
        (root / "a").symlink_to(outside)
    assert os.listdir(outside) == []
    assert (root / "moved/file").read_bytes() == b"x"


def test_a_file_where_a_folder_must_be(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ErrNotAFile, match="a file is where a folder must be"):
        put(Folder(tmp_path), "a/b")


def test_two_names_of_one_file(tmp_path):
    """A hard link stands for a file system that ignores case."""
    folder = Folder(tmp_path)
    put(folder, "name", b"1")
    os.link(tmp_path / "name", tmp_path / "NAME")
    with pytest.raises(ErrNotAFile, match="'NAME' is the same file as 'name' here"):
        put(folder, "NAME", b"2")
    put(folder, "name", b"3")
    assert (tmp_path / "name").read_bytes() == b"3"
    assert (tmp_path / "NAME").read_bytes() == b"1"


def test_many_threads_make_the_same_folders(tmp_path):
    folder = Folder(tmp_path / "root")
    threads = [threading.Thread(target=put, args=(folder, f"a/b/c/{number}", b"x")) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir(tmp_path / "root/a/b/c")) == 16


def test_removal_takes_empty_folders_along_but_not_the_root(tmp_path):
    folder = Folder(tmp_path)
    for name in ("a/b/c", "a/d"):
        put(folder, name)
    folder.remove(["a/b/c", "a/nothing", "nothing/at/all"])
    assert os.listdir(tmp_path / "a") == ["d"]
    folder.remove(["a/d"])
    assert tmp_path.is_dir()
    assert os.listdir(tmp_path) == []


def test_many_names_are_counted():
    err = ErrNotAFile({str(number): "is a folder here" for number in range(1007)}, "out")
    assert str(err).startswith("1,007 objects cannot be files below out: '0' is a folder here; '1' is")
    assert str(err).endswith("'4' is a folder here; and 1,002 more")


def test_parts_are_kept_for_their_file_and_content(tmp_path):
    path = tmp_path / "f"
    path.touch(mode=0o600)
    with Part(path, "version 1").open() as file:
        file.write(b"half of it")
    with Part(path, "version 2").open() as file:
        file.write(b"all of it")
    with Part(tmp_path / "other", "version 1").open() as file:
        assert file.read() == b""
    Part(path, "version 2").finish()
    assert path.read_bytes() == b"all of it"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    remove_parts([path])
    assert sorted(map(is_part, os.listdir(tmp_path))) == [False, True]
    Part(tmp_path / "other", "version 1").remove_if_empty()
    assert os.listdir(tmp_path) == ["f"]


def test_a_part_is_no_link(tmp_path):
    part = Part(tmp_path / "f", "version 1")
    with part.open():
        pass
    (name,) = os.listdir(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        part.open()
    assert not (tmp_path / "precious").exists()
