"""sync: by checksum, in both directions."""

import json
import os
import shutil

import pytest


@pytest.fixture
def tree(aistore):
    """Give a folder of files, some in folders."""
    root = aistore.folder / "tree"
    for name in ("a", "sub/b", "sub/deep/c d"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    return root


def done(aistore, *arguments):
    lines = aistore("sync", "--json", *arguments).splitlines()
    return sorted((change["action"], change["name"]) for change in map(json.loads, lines))


def test_up_and_down_and_twice(aistore, bucket, uri, tree):
    everything = ["a", "sub/b", "sub/deep/c d"]
    assert done(aistore, "tree", f"{uri}/t") == [("upload", name) for name in everything]
    assert done(aistore, "tree", f"{uri}/t/") == []
    assert done(aistore, f"{uri}/t", "back") == [("download", name) for name in everything]
    assert done(aistore, f"{uri}/t", "back") == []

    # The same size and another content: found by checksum, and not looked for with --size-only.
    (tree / "a").write_bytes(b"b" * 1000)
    assert done(aistore, "--size-only", "tree", f"{uri}/t") == []
    assert done(aistore, "-n", "tree", f"{uri}/t") == [("upload", "a")]
    assert bucket.object("t/a").get_reader().read_all() == b"a" * 1000
    assert done(aistore, "tree", f"{uri}/t") == [("upload", "a")]
    assert done(aistore, f"{uri}/t", "back") == [("download", "a")]
    assert (aistore.folder / "back/a").read_bytes() == b"b" * 1000


def test_delete(aistore, bucket, uri, tree, put):
    put("t/extra", b"x")
    put("tx", b"not below t")
    aistore("sync", "tree", f"{uri}/t")
    assert bucket.object("t/extra").get_reader().read_all() == b"x"
    assert done(aistore, "--delete", "tree", f"{uri}/t") == [("delete", "extra")]
    bucket.object("t/sub/deep/c d").delete()
    (tree / "link").symlink_to("a")
    assert done(aistore, "--delete", f"{uri}/t", "tree") == [("delete", "link"), ("delete", "sub/deep/c d")]
    assert sorted(os.listdir(tree)) == ["a", "sub"]
    assert os.listdir(tree / "sub") == ["b"]  # a folder that is empty now is gone
    assert bucket.object("tx").head().size == 11


def test_an_empty_source_deletes_nothing_by_accident(aistore, uri, tree):
    aistore("sync", "tree", uri)
    (aistore.folder / "empty").mkdir()
    assert "add --yes" in aistore.fails("sync", "--delete", "empty", uri, code=2)
    assert len(aistore("ls", "-r", uri).splitlines()) == 3
    assert len(done(aistore, "--delete", "--yes", "empty", uri)) == 3
    assert "no such folder" in aistore.fails("sync", "nope", uri, code=3)


def test_links_do_not_lead_out_of_the_folder(aistore, uri, put):
    put("link/file", b"x")
    put("link/sub/file", b"x")
    put("precious", b"x")
    put("z", b"z")
    outside, tree = aistore.folder / "outside", aistore.folder / "tree"
    outside.mkdir()
    (outside / "precious").write_bytes(b"precious")
    for command in (("sync",), ("get", "-r"), ("cp", "-r"), ("mv", "-r")):
        tree.mkdir()
        (tree / "link").symlink_to(outside)
        (tree / "precious").symlink_to(outside / "precious")
        message = aistore.fails(*command, uri, "tree", code=1)
        assert "2 objects cannot be files below tree" in message
        assert "a link that leads out of the folder" in message
        assert os.listdir(outside) == ["precious"]
        assert (outside / "precious").read_bytes() == b"precious"
        assert (tree / "z").read_bytes() == b"z"
        assert (tree / "precious").read_bytes() == b"x"
        shutil.rmtree(tree)
    assert len(aistore("ls", "-r", uri).splitlines()) == 4  # nothing was moved


def test_what_cannot_be_files_here_is_named_and_all_others_come(aistore, uri, put):
    for name in ("d", "d/x", "x//y", "x/y", "z1", "z2"):
        put(name, name.encode())
    for command in (("sync",), ("get", "-r"), ("cp", "-r"), ("mv", "-r")):
        message = aistore.fails(*command, uri, "tree", code=1)
        assert "2 objects cannot be files below tree: 'd' is also a folder" in message
        assert "'x//y' has an empty path element" in message
        assert ("4 files (10B) transferred" in message) is (command == ("sync",))
        tree = aistore.folder / "tree"
        files = {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}
        assert files == {name: name for name in ("d/x", "x/y", "z1", "z2")}
        shutil.rmtree(tree)
    assert len(aistore("ls", "-r", uri).splitlines()) == 6
    assert "2 objects cannot be files" in aistore.fails(
        "batch", uri, "d", "d/x", "x//y", "--to", "many", code=1
    )
    assert os.listdir(aistore.folder / "many") == ["d"]


def test_a_bucket_without_checksums_is_transferred_anew(aistore, client, bucket, tree):
    other = client.bucket(f"{bucket.name}-none").create(props={"checksum": {"type": "none"}})
    try:
        for _ in range(2):
            assert len(done(aistore, "tree", f"ais://{other.name}")) == 3
        assert done(aistore, "--size-only", "tree", f"ais://{other.name}") == []
        assert len(done(aistore, f"ais://{other.name}", "back")) == 3
    finally:
        other.delete()
