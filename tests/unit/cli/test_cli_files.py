"""Files of a folder that are uploaded."""

import os

from aistore.cli.files import regular_files


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
