"""multi-storage-client's `ais` provider, unmodified: what its quickstart and its reference show."""

import io
import json
import os
import pickle
import socket
import subprocess
import sys
import uuid

import pytest

msc = pytest.importorskip("multistorageclient")
pytest.importorskip("boto3")

from botocore import utils  # noqa: E402

from aistore.local import LocalCluster  # noqa: E402
from aistore.sdk.authn import AuthNClient  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),  # its sync workers
    # It skips the verification of certificates unless told otherwise, as with 2.0.0, which warns, too.
    pytest.mark.filterwarnings("ignore:TLS certificates are not verified:UserWarning"),
]

MIB = 1 << 20


def make_settings(endpoint, bucket, **options):
    provider = {"type": "ais", "options": {"endpoint": endpoint, "base_path": bucket.name, **options}}
    return {"profiles": {f"p-{bucket.name}": {"storage_provider": provider}}}


@pytest.fixture
def profile(endpoint, bucket, tmp_path, monkeypatch):
    """Give the URL of a profile that stands for the bucket, in a configuration file."""
    path = tmp_path / "msc_config.json"
    path.write_text(json.dumps(make_settings(endpoint, bucket)))
    monkeypatch.setenv("MSC_CONFIG", str(path))
    monkeypatch.setattr("multistorageclient.shortcuts._STORAGE_CLIENT_CACHE", {}, raising=False)
    return f"msc://p-{bucket.name}"


@pytest.fixture
def storage(endpoint, bucket):
    """Give a `StorageClient` of the bucket."""
    settings = make_settings(endpoint, bucket)
    return msc.StorageClient(msc.StorageClientConfig.from_dict(settings, profile=f"p-{bucket.name}"))


# ------------------------------------------------------------ the module's functions


def test_open_writes_and_reads(profile, bucket):
    with msc.open(f"{profile}/dir/text.txt", "w") as file:
        file.write("first line\nzwei - два\n")
    with msc.open(f"{profile}/dir/text.txt", "r") as file:
        assert file.readlines() == ["first line\n", "zwei - два\n"]
    with msc.open(f"{profile}/dir/data.bin", "wb") as file:
        file.write(bytes(range(256)) * 4096)
    with msc.open(f"{profile}/dir/data.bin", "rb") as file:
        assert file.read(3) == b"\x00\x01\x02"
        file.seek(-2, io.SEEK_END)
        assert file.read() == b"\xfe\xff"
        file.seek(256)
        buffer = bytearray(4)
        assert file.readinto(buffer) == 4
        assert buffer == b"\x00\x01\x02\x03"
    assert bucket.object("dir/data.bin").get_reader().read_all() == bytes(range(256)) * 4096


def test_open_reads_by_ranges(profile, bucket):
    data = os.urandom(2 * MIB)
    bucket.object("big").get_writer().put_content(data)
    with msc.open(f"{profile}/big", "rb", memory_load_limit=MIB, disable_read_cache=True) as file:
        assert file.read(10) == data[:10]
        file.seek(MIB)
        assert file.read(100) == data[MIB : MIB + 100]
    with msc.open(f"{profile}/big", "rb", prefetch_file=False) as file:
        file.seek(5)
        assert file.read(7) == data[5:12]
        file.seek(-3, io.SEEK_END)
        assert file.read() == data[-3:]


def test_open_appends(profile):
    for text in ("one\n", "two\n"):
        with msc.open(f"{profile}/log.txt", "a") as file:
            file.write(text)
    with msc.open(f"{profile}/log.txt") as file:
        assert file.read() == b"one\ntwo\n"


def test_a_missing_object_is_a_missing_file(profile):
    with pytest.raises(FileNotFoundError), msc.open(f"{profile}/missing", "rb") as file:
        file.read()
    with pytest.raises(FileNotFoundError):
        msc.info(f"{profile}/missing")
    with pytest.raises(FileNotFoundError):
        msc.info(f"{profile}/missing/")
    assert not msc.is_file(f"{profile}/missing")
    assert msc.is_empty(profile)


def test_info(profile, bucket):
    msc.write(f"{profile}/a/b.txt", b"content")
    info = msc.info(f"{profile}/a/b.txt")
    assert (info.key.removeprefix(f"{profile}/"), info.content_length, info.type) == ("a/b.txt", 7, "file")
    assert info.etag == bucket.object("a/b.txt").head(props="checksum").checksum_value
    assert info.last_modified.year > 2020
    assert info.last_modified.tzinfo is not None
    assert msc.info(f"{profile}/a").type == "directory"
    assert msc.info(f"{profile}/a/").type == "directory"
    assert msc.is_file(f"{profile}/a/b.txt")
    assert not msc.is_file(f"{profile}/a")


def test_glob(profile):
    for name in ("a/1.txt", "a/2.txt", "a/3.bin", "a/b/4.txt", "top.txt"):
        msc.write(f"{profile}/{name}", b"x")
    assert msc.glob(f"{profile}/a/*.txt") == [f"{profile}/a/1.txt", f"{profile}/a/2.txt"]
    found = msc.glob(f"{profile}/**/*.txt")
    assert found == [f"{profile}/{name}" for name in ("a/1.txt", "a/2.txt", "a/b/4.txt", "top.txt")]


def test_uploads_and_downloads(profile, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "deep" / "copy"
    source.write_bytes(os.urandom(MIB))
    msc.upload_file(f"{profile}/file", str(source), attributes={"kind": "random"})
    msc.download_file(f"{profile}/file", str(copy))
    assert copy.read_bytes() == source.read_bytes()
    assert msc.info(f"{profile}/file").metadata == {"kind": "random"}
    msc.upload_file(f"{profile}/text", io.StringIO("naïve"))
    text, data = io.StringIO(), io.BytesIO()
    msc.download_file(f"{profile}/text", text)
    msc.download_file(f"{profile}/text", data)
    assert text.getvalue() == "naïve"
    assert data.getvalue() == "naïve".encode()


def test_lists(profile):
    for number in range(5):
        msc.write(f"{profile}/dir/{number}", bytes(number))
    msc.write(f"{profile}/dir/sub/x", b"x")
    msc.write(f"{profile}/else", b"x")

    def listed(**options):
        found = msc.list(f"{profile}/dir/", **options)
        return [entry.key.removeprefix(f"{profile}/dir/") for entry in found]

    assert listed() == ["0", "1", "2", "3", "4", "sub/x"]
    assert listed(start_after="dir/1", end_at="dir/3") == ["2", "3"]
    # Its provider has no directories in listings of AIStore.
    assert listed(include_directories=True) == listed()
    assert [entry.content_length for entry in msc.list(f"{profile}/dir/")] == [0, 1, 2, 3, 4, 1]
    assert all(entry.etag for entry in msc.list(f"{profile}/dir/"))
    found = msc.list_recursive(f"{profile}/")
    assert len(list(found)) == 7


def test_deletes(profile):
    for name in ("a/1", "a/b/2", "c"):
        msc.write(f"{profile}/{name}", b"x")
    msc.delete(f"{profile}/c")
    assert not msc.is_file(f"{profile}/c")
    msc.delete(f"{profile}/a", recursive=True)
    assert msc.is_empty(profile)
    with pytest.raises(FileNotFoundError):
        msc.delete(f"{profile}/c")


def test_syncs_both_ways(profile, bucket, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    contents = {"a.txt": b"a", "sub/b.bin": os.urandom(100_000), "sub/deep/c": b""}
    for name, data in contents.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    result = msc.sync(str(source), f"{profile}/data")
    assert result.total_files_added == 3
    assert sorted(entry.name for entry in bucket.list_all_objects()) == [
        f"data/{name}" for name in sorted(contents)
    ]
    msc.sync(f"{profile}/data", str(back))
    assert {str(p.relative_to(back)): p.read_bytes() for p in back.rglob("*") if p.is_file()} == contents
    (source / "a.txt").unlink()
    result = msc.sync(str(source), f"{profile}/data", delete_unmatched_files=True)
    assert result.total_files_deleted == 1
    assert sorted(entry.name for entry in bucket.list_all_objects()) == ["data/sub/b.bin", "data/sub/deep/c"]


def test_paths(profile):
    path = msc.Path(f"{profile}/models/net.bin")
    path.write_bytes(b"weights")
    assert path.read_bytes() == b"weights"
    assert path.exists()
    assert path.stat().st_size == 7
    assert [child.name for child in path.parent.iterdir()] == ["net.bin"]
    copy = path.parent / "text.txt"
    copy.write_text("Text")
    assert copy.read_text() == "Text"
    copy.unlink()
    assert not copy.exists()


def test_what_needs_no_configuration_file(endpoint, bucket, monkeypatch):
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    bucket.object("a").get_writer().put_content(b"implicit")
    # The provider reads AIS_ENDPOINT when it is imported; the profile stands for the whole cluster's bucket.
    from multistorageclient.providers.ais import AIStoreStorageProvider

    provider = AIStoreStorageProvider(endpoint=endpoint, base_path=bucket.name)
    assert provider.get_object("a") == b"implicit"


# ------------------------------------------------------------ StorageClient


def test_reads_and_writes(storage):
    storage.write("a", b"0123456789")
    assert storage.read("a") == b"0123456789"
    assert storage.read("a", byte_range=msc.types.Range(offset=2, size=3)) == b"234"
    assert storage.read("a", byte_range=msc.types.Range(offset=8, size=100)) == b"89"
    storage.write("a", b"again")
    assert storage.read("a") == b"again"
    storage.write("empty", b"")
    assert storage.read("empty") == b""


def test_copies_with_attributes(storage):
    storage.write("a", b"content", attributes={"owner": "me", "stage": "raw"})
    storage.copy("a", "dir/b")
    assert storage.read("dir/b") == b"content"
    assert storage.info("dir/b").metadata == {"owner": "me", "stage": "raw"}
    storage.write("a", b"content", attributes={"owner": "you"})
    assert storage.info("a").metadata == {"owner": "you"}
    with pytest.raises(FileNotFoundError):
        storage.copy("missing", "b")


def test_many_files(storage, tmp_path):
    sources = [tmp_path / f"in-{number}" for number in range(6)]
    targets = [tmp_path / f"out-{number}" for number in range(6)]
    for number, path in enumerate(sources):
        path.write_bytes(bytes([number]) * 1000)
    remote = [f"many/{number}" for number in range(6)]
    storage.upload_files(remote, [str(path) for path in sources], max_workers=2)
    storage.download_files(remote, [str(path) for path in targets], max_workers=2)
    assert [path.read_bytes() for path in targets] == [path.read_bytes() for path in sources]
    storage.delete_many(remote[:3])
    assert [entry.key for entry in storage.list(path="many/")] == remote[3:]


def test_symbolic_links(storage):
    storage.write("real", b"content")
    storage.make_symlink("link", "real")
    assert storage.info("link").symlink_target == "real"
    assert storage.read("real") == b"content"


def test_filters_by_attributes(storage):
    storage.write("v/1", b"x", attributes={"version": "1"})
    storage.write("v/2", b"x", attributes={"version": "2"})
    found = storage.list(path="v/", attribute_filter_expression='version = "2"', show_attributes=True)
    assert [(entry.key, entry.metadata) for entry in found] == [("v/2", {"version": "2"})]


def test_pickles(storage):
    storage.write("a", b"content")
    assert pickle.loads(pickle.dumps(storage)).read("a") == b"content"


def test_options_of_the_provider(endpoint, bucket):
    settings = make_settings(endpoint, bucket, timeout=5.0, retry={"total": 2, "backoff_factor": 0.01})
    storage = msc.StorageClient(msc.StorageClientConfig.from_dict(settings, profile=f"p-{bucket.name}"))
    storage.write("a", b"content")
    assert storage.read("a") == b"content"


def test_errors_that_are_not_a_missing_object(endpoint, bucket):
    settings = make_settings(endpoint, bucket)
    profile = settings["profiles"][f"p-{bucket.name}"]
    profile["storage_provider"]["options"]["base_path"] = f"no-{uuid.uuid4().hex[:8]}"
    storage = msc.StorageClient(msc.StorageClientConfig.from_dict(settings, profile=f"p-{bucket.name}"))
    with pytest.raises(FileNotFoundError):
        storage.read("a")
    with pytest.raises((FileNotFoundError, RuntimeError)):
        storage.write("a", b"content")


def test_an_unreachable_cluster_is_a_runtime_error(bucket):
    with socket.socket() as held:  # bound, but not listening
        held.bind(("127.0.0.1", 0))
        settings = make_settings(f"http://127.0.0.1:{held.getsockname()[1]}", bucket, retry={"total": 0})
        storage = msc.StorageClient(msc.StorageClientConfig.from_dict(settings, profile=f"p-{bucket.name}"))
        with pytest.raises(RuntimeError, match="GET"):
            storage.read("a")


# ------------------------------------------------------------ credentials, S3


@pytest.fixture(scope="module")
def guarded():
    """Give a cluster that demands tokens, with a bucket of one object."""
    with LocalCluster(auth=True) as cluster, cluster.client() as client:
        bucket = client.bucket("guarded").create()
        bucket.object("a").get_writer().put_content(b"content")
        yield cluster


@pytest.mark.parametrize("by", ["password", "token"])
@pytest.mark.parametrize("kind", ["ais", "ais_s3"])
def test_credentials(guarded, by, kind, monkeypatch):
    name, password = guarded.admin
    options = {"username": name, "password": password, "authn_endpoint": guarded.auth_endpoint}
    if by == "token":
        options = {"token": AuthNClient(guarded.auth_endpoint).login(name, password)}
    place = {"endpoint": guarded.endpoint}
    if kind == "ais_s3":
        for cls in (utils.S3RegionRedirector, utils.S3RegionRedirectorv2):  # what the provider patches
            monkeypatch.setattr(cls, "redirect_from_error", cls.redirect_from_error)
        place = {"endpoint_url": f"{guarded.endpoint}/s3"}
    provider = {"type": kind, "options": {"base_path": "guarded", **place}}
    profile = {
        "storage_provider": provider,
        "credentials_provider": {"type": "AISCredentials", "options": options},
    }
    storage = msc.StorageClient(msc.StorageClientConfig.from_dict({"profiles": {"p": profile}}, profile="p"))
    assert storage.read("a") == b"content"
    storage.write(f"{kind}-{by}", b"more")
    assert storage.info(f"{kind}-{by}").content_length == 4
    assert f"{kind}-{by}" in [entry.key for entry in storage.list(path="")]
    with pytest.raises(FileNotFoundError):
        storage.read("missing")
    storage.delete(f"{kind}-{by}")


def test_without_credentials(guarded):
    provider = {"type": "ais", "options": {"base_path": "guarded", "endpoint": guarded.endpoint}}
    settings = {"profiles": {"p": {"storage_provider": provider}}}
    storage = msc.StorageClient(msc.StorageClientConfig.from_dict(settings, profile="p"))
    with pytest.raises(RuntimeError, match="401"):
        storage.read("a")


# ------------------------------------------------------------ what stands on it


def test_numpy_pickle_and_torch(profile):
    np, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    values = np.arange(1000, dtype=np.float32).reshape(10, 100)
    msc.numpy.save(f"{profile}/values.npy", values)
    np.testing.assert_array_equal(msc.numpy.load(f"{profile}/values.npy"), values)
    np.testing.assert_array_equal(msc.numpy.load(f"{profile}/values.npy", mmap_mode="r"), values)
    with msc.open(f"{profile}/state.pickle", "wb") as file:
        pickle.dump({"epoch": 3}, file)
    assert msc.pickle.load(f"{profile}/state.pickle") == {"epoch": 3}
    msc.torch.save({"weight": torch.ones(3)}, f"{profile}/model.pt")
    assert msc.torch.load(f"{profile}/model.pt")["weight"].tolist() == [1, 1, 1]


def test_its_fsspec_filesystem(profile):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open(f"{profile}/dir/a", "wb") as file:
        file.write(b"content")
    fs = fsspec.filesystem("msc")
    assert fs.cat_file(f"{profile}/dir/a") == b"content"
    assert fs.info(f"{profile}/dir/a")["size"] == 7
    assert fs.exists(f"{profile}/dir/a")
    assert [path.rpartition("/")[2] for path in fs.ls(f"{profile}/dir/", detail=False)] == ["a"]


def test_its_command(profile, bucket):
    bucket.object("dir/a").get_writer().put_content(b"content")
    bucket.object("dir/b").get_writer().put_content(b"content")

    def run(*args):
        command = [sys.executable, "-m", "multistorageclient.commands.cli.main", *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    rows = [
        line.split("|")[1:-1] for line in run("ls", f"{profile}/dir/").splitlines() if line.startswith("|")
    ]
    assert [(size.strip(), name.strip()) for _, size, name in rows[1:]] == [("7", "a"), ("7", "b")]
    run("rm", "-y", f"{profile}/dir/a")
    assert [entry.name for entry in bucket.list_all_objects()] == ["dir/b"]
