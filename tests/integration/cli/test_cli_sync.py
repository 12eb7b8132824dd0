"""sync: by checksum, in both directions."""

import json
import os

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
    outside = aistore.folder / "outside"
    outside.mkdir()
    (aistore.folder / "tree").mkdir()
    (aistore.folder / "tree/link").symlink_to(outside)
    assert "leads out of" in aistore.fails("sync", uri, "tree", code=1)
    assert os.listdir(outside) == []
    assert "leads out of" in aistore.fails("get", "-r", uri, "tree", code=1)


def test_a_bucket_without_checksums_is_transferred_anew(aistore, client, bucket, tree):
    other = client.bucket(f"{bucket.name}-none").create(props={"checksum": {"type": "none"}})
    try:
        for _ in range(2):
            assert len(done(aistore, "tree", f"ais://{other.name}")) == 3
        assert done(aistore, "--size-only", "tree", f"ais://{other.name}") == []
        assert len(done(aistore, f"ais://{other.name}", "back")) == 3
    finally:
        other.delete()
