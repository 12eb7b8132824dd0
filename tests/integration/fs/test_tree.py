"""Looking: info, ls, find, glob, walk, du - names of all kinds, directories, listings that are kept."""

from datetime import datetime, timezone

import msgspec
import pytest
from scripted import Answer, scripted

from aistore.fs import AISFileSystem
from aistore.fs.errors import ErrPathNotFound
from aistore.sdk.errors import AISConnectionRefused, ErrBckNotFound, InvalidArgument

NAMES = [
    "a b", "ünï-日本", "per%25cent", "ha#sh", "q?m", "plus+", "br[x]", "star*", "q'u\"o", "c:d", "line\nfeed",
    "a&b=;", "...", ".hidden", "tail ", "d/x", "d/e/f/y", "d.txt", "d-", "e//f", "x@y#z",
]  # fmt: skip


@pytest.fixture
def tree(ais, root):
    ais.pipe({f"{root}/{name}": name.encode() for name in NAMES})
    return root


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_each_is_addressed_as_it_is_written(self, ais, tree, name):
        path = f"{tree}/{name}"
        assert ais.cat_file(path) == name.encode()
        assert ais.cat_file(f"ais://{path}", 1, 3) == name.encode()[1:3]
        assert (ais.isfile(path), ais.isdir(path), ais.exists(path)) == (True, False, True)
        assert ais.info(path)["size"] == len(name.encode())
        with ais.open(path) as file:
            assert file.read() == name.encode()
        ais.cp_file(path, f"{tree}/copies/{name}")
        assert ais.cat_file(f"{tree}/copies/{name}") == name.encode()
        ais.rm_file(path)
        assert not ais.exists(path)

    def test_all_are_found(self, ais, tree):
        assert ais.find(tree) == sorted(f"{tree}/{name}" for name in NAMES)

    def test_the_cluster_refuses_some(self, ais, root):
        with pytest.raises(InvalidArgument, match=r"'\.\.'"):
            ais.pipe(f"{root}/a/../b", b"")


class TestInfo:
    def test_of_an_object(self, ais, root):
        before = datetime.now(timezone.utc).replace(microsecond=0)
        ais.pipe(f"{root}/x", b"abc")
        ais.set_metadata(f"{root}/x", {"kind": "letters"})
        info = ais.info(f"ais://{root}/x")
        assert info.pop("mtime") >= before.timestamp()
        etag = info.pop("ETag")
        assert etag
        assert info == {
            "name": f"{root}/x",
            "size": 3,
            "type": "file",
            "checksum": "44bc2cf5ad770999",
            "checksum_type": "xxhash2",
            "version": "1",
            "metadata": {"kind": "letters"},
        }
        assert before <= ais.modified(f"{root}/x") <= datetime.now(timezone.utc)
        assert ais.created(f"{root}/x") == ais.modified(f"{root}/x")
        assert abs(ais.created(root) - before).total_seconds() < 60

    def test_of_directories(self, ais, tree):
        for path in (tree, f"{tree}/d", f"{tree}/d/e/", ""):
            assert ais.info(path) == {"name": path.rstrip("/"), "size": 0, "type": "directory"}
            assert ais.isdir(path)
            assert not ais.isfile(path)

    @pytest.mark.parametrize("path", ["{}/nope", "{}/d/nope", "{}/a", "no-such-bucket", "no-such-bucket/x"])
    def test_of_nothing(self, ais, tree, path):
        path = path.format(tree)
        with pytest.raises(FileNotFoundError):
            ais.info(path)
        with pytest.raises(FileNotFoundError):
            ais.ls(path)
        assert (ais.exists(path), ais.isfile(path), ais.isdir(path)) == (False, False, False)
        assert (ais.find(path), ais.glob(path)) == ([], [])
        assert not any(directories or files for _, directories, files in ais.walk(path))
        with pytest.raises(FileNotFoundError):
            list(ais.walk(path, on_error="raise"))

    def test_ukey_and_checksum_change_with_the_bytes_only(self, ais, root):
        path = f"{root}/x"
        ais.pipe(path, b"abc")
        first = (ais.ukey(path), ais.checksum(path))
        ais.cat(path)
        ais.set_metadata(path, {"k": "v"})
        assert (ais.ukey(path), ais.checksum(path)) == first
        ais.pipe(path, b"abd")
        assert not set(first) & {ais.ukey(path), ais.checksum(path)}

    def test_a_cluster_that_cannot_be_reached_is_an_error(self):
        fs = AISFileSystem("http://127.0.0.1:9", timeout=(1, 1, 1), skip_instance_cache=True)
        for look in (fs.exists, fs.isfile, fs.isdir, fs.find, lambda path: list(fs.walk(path))):
            with pytest.raises(AISConnectionRefused):
                look("b/x")

    def test_an_older_cluster_knows_fewer_properties(self):
        def script(request):
            props = request.params.get("props", "")
            if "etag" in props:
                return Answer(status=400, headers={"Hdr-Error": 'invalid property "etag" in props list'})
            return Answer(headers={"Ais-Version": "3", "Content-Length": "0"})

        with scripted(script) as (server, _):
            fs = AISFileSystem(server.endpoint, skip_instance_cache=True)
            info = fs.info("b/x")
            assert (info["version"], info["mtime"], info["ETag"]) == ("3", None, "")
            fs.info("b/x")
            assert [("etag" in request.params["props"]) for request in server.requests] == [
                True,
                False,
                False,
            ]
            with pytest.raises(NotImplementedError, match="modified"):
                fs.modified("b/x")


class TestLevels:
    def test_ls(self, ais, tree):
        names = ais.ls(f"{tree}/d", detail=False)
        assert names == [f"{tree}/d/e", f"{tree}/d/x"]
        assert [info["type"] for info in ais.ls(f"{tree}/d")] == ["directory", "file"]
        top = {info["name"]: info for info in ais.ls(tree)}
        assert top[f"{tree}/d"]["type"] == "directory"
        assert top[f"{tree}/d.txt"] == {"name": f"{tree}/d.txt", "size": 5, "type": "file"}
        assert ais.ls(f"{tree}/d/x", detail=False) == [f"{tree}/d/x"]

    def test_buckets(self, ais, root):
        assert {"name": root, "size": 0, "type": "directory"} in ais.ls("")
        assert root in ais.ls("ais://", detail=False)
        assert ais.ls(root) == []
        with pytest.raises(ErrBckNotFound):
            ais.ls("no-such-bucket")

    def test_namespaces(self, ais, root, client):
        path = f"@#space/{root}"
        ais.mkdir(path)
        try:
            ais.pipe(f"ais://{path}/x", b"in the namespace")
            assert ais.find(path) == [f"{path}/x"]
            assert ais.ls("@#space", detail=False) == [path]
            assert ais.glob(f"{path}/*") == [f"{path}/x"]
            assert not ais.exists(f"{root}/x")
            ais.cp(f"{path}/x", f"{root}/copy")
            assert ais.cat(f"{root}/copy") == b"in the namespace"
            other = AISFileSystem(ais.endpoint, namespace="space")
            assert other.cat(f"{root}/x") == b"in the namespace"
        finally:
            ais.rm(path, recursive=True)
        assert ais.ls("@#space") == []

    def test_a_marker_of_a_directory_is_a_directory(self):
        """Buckets of clouds have objects whose names end with a slash."""
        entries = [{"n": "d/"}, {"n": "d/sub/", "f": 256}, {"n": "d/x", "s": 1}]
        page = {"UUID": "u", "ContinuationToken": "", "Entries": entries, "Flags": 0}

        def script(request):
            return Answer(msgspec.msgpack.encode(page), headers={"Content-Type": "application/msgpack"})

        with scripted(script) as (server, _):
            fs = AISFileSystem(server.endpoint, provider="aws", skip_instance_cache=True)
            assert fs.ls("b/d", detail=False) == ["b/d/sub", "b/d/x"]
            assert fs.find("b/d") == ["b/d/x"]


class TestBelow:
    def test_find(self, ais, tree):
        assert ais.find(f"{tree}/d") == [f"{tree}/d/e/f/y", f"{tree}/d/x"]
        assert ais.find(f"{tree}/d", maxdepth=1) == [f"{tree}/d/x"]
        assert ais.find(f"{tree}/d/x") == [f"{tree}/d/x"]
        found = ais.find(f"{tree}/d", withdirs=True, detail=True)
        assert {name: info["type"] for name, info in found.items()} == {
            f"{tree}/d": "directory",
            f"{tree}/d/e": "directory",
            f"{tree}/d/e/f": "directory",
            f"{tree}/d/e/f/y": "file",
            f"{tree}/d/x": "file",
        }
        levels = ais.find(f"{tree}/d", maxdepth=2, withdirs=True)
        assert levels == [f"{tree}/d", f"{tree}/d/e", f"{tree}/d/e/f", f"{tree}/d/x"]
        assert ais.find(tree, prefix="d") == [f"{tree}/{name}" for name in ("d-", "d.txt", "d/e/f/y", "d/x")]

    def test_not_all_of_a_cluster(self, ais, tree):
        with pytest.raises(InvalidArgument, match="name a bucket"):
            ais.find("")
        assert tree in ais.find("", maxdepth=1, withdirs=True)

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("d/*", ["d/e", "d/x"]),
            ("d*", ["d", "d-", "d.txt"]),
            ("*/x", ["d/x"]),
            ("d/**", ["d", "d/e", "d/e/f", "d/e/f/y", "d/x"]),
            ("**/y", ["d/e/f/y"]),
            ("d?txt", ["d.txt"]),
            ("[cd]*d", ["c:d"]),
            ("nope/*", []),
        ],
    )
    def test_glob(self, ais, tree, pattern, names):
        assert ais.glob(f"ais://{tree}/{pattern}") == [f"{tree}/{name}" for name in names]

    def test_glob_over_buckets(self, ais, tree):
        assert ais.glob(f"{tree[:-1]}*/d/x") == [f"{tree}/d/x"]

    def test_walk_and_du(self, ais, tree):
        assert list(ais.walk(f"{tree}/d")) == [
            (f"{tree}/d", ["e"], ["x"]),
            (f"{tree}/d/e", ["f"], []),
            (f"{tree}/d/e/f", [], ["y"]),
        ]
        assert ais.du(f"{tree}/d") == len("d/x") + len("d/e/f/y")
        assert ais.du(f"{tree}/d", total=False) == {f"{tree}/d/x": 3, f"{tree}/d/e/f/y": 7}

    def test_many_pages_and_deep_trees(self, client, root, ais):
        deep = "/".join(str(level) for level in range(60))
        ais.pipe({f"{root}/{deep}/x": b"1", **{f"{root}/n/{i % 7}/{i:03}": b"12" for i in range(300)}})
        assert len(ais.find(f"{root}/n")) == 300
        assert len(ais.glob(f"{root}/n/*/*7")) == 30
        assert ais.du(root) == 601
        assert sum(1 for _ in ais.walk(f"{root}/0")) == 60


class TestKeptListings:
    @pytest.fixture
    def kept(self, endpoint):
        return AISFileSystem(endpoint, use_listings_cache=True)

    def test_none_are_kept_by_default(self, ais, client, root):
        assert ais.ls(root) == []
        client.bucket(root).object("x").get_writer().put_content(b"1")
        assert ais.ls(root, detail=False) == [f"{root}/x"]

    def test_kept_until_it_is_refreshed_or_something_is_written(self, kept, client, root):
        kept.pipe(f"{root}/d/x", b"1")
        names = [f"{root}/d/x"]
        assert kept.ls(f"{root}/d", detail=False) == names
        client.bucket(root).object("d/y").get_writer().put_content(b"1")
        assert kept.ls(f"{root}/d", detail=False) == names
        assert kept.info(f"{root}/d/x") == {"name": f"{root}/d/x", "size": 1, "type": "file"}
        assert kept.ls(f"{root}/d", detail=False, refresh=True) == [*names, f"{root}/d/y"]
        kept.pipe(f"{root}/d/z", b"1")
        assert len(kept.ls(f"{root}/d")) == 3
        kept.mv(f"{root}/d/z", f"{root}/d/e/z")
        assert kept.ls(f"{root}/d", detail=False) == [f"{root}/d/e", *names, f"{root}/d/y"]
        kept.rm(f"{root}/d", recursive=True)
        assert not kept.exists(f"{root}/d/x")
        assert kept.ls(root) == []

    def test_a_listing_handed_out_may_be_changed(self, kept, root):
        kept.pipe(f"{root}/x", b"1")
        kept.ls(root)[0]["size"] = 99
        assert kept.ls(root)[0]["size"] == 1

    def test_expiry(self, endpoint, root, client):
        fs = AISFileSystem(endpoint, use_listings_cache=True, listings_expiry_time=0.001)
        assert fs.ls(root) == []
        client.bucket(root).object("x").get_writer().put_content(b"1")
        for _ in range(1000):
            if fs.ls(root):
                return
        pytest.fail("the listing did not expire")


def test_missing_is_one_of_our_errors(ais, root):
    with pytest.raises(ErrPathNotFound, match="nope") as caught:
        ais.cat(f"{root}/nope")
    assert caught.value.filename == f"{root}/nope"
