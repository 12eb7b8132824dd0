"""WebDataset reads and writes `ais://` shards."""

import subprocess
import sys
import textwrap

import pytest
from objects import Stored, cut
from scripted import ScriptedServer
from shards import make_shard

pytest.importorskip("torch")
wds = pytest.importorskip("webdataset")

from torch.utils.data import DataLoader  # noqa: E402

from aistore.pytorch.web_dataset import open_url, register  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),  # the test's own threads
    pytest.mark.filterwarnings("ignore::DeprecationWarning:webdataset"),
    pytest.mark.filterwarnings("ignore:Length of IterableDataset"),
]

SHARDS, SAMPLES = 10, 4


@pytest.fixture(autouse=True)
def _in_environment(endpoint, monkeypatch):
    register()
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)


@pytest.fixture
def url(bucket):
    for shard in range(SHARDS):
        members = [
            (f"{shard}-{number}.{extension}", f"{extension} {shard} {number}".encode())
            for number in range(SAMPLES)
            for extension in ("txt", "bin")
        ]
        bucket.object(f"shard-{shard:03}.tar").get_writer().put_content(make_shard(".tar", members))
    return f"ais://{bucket.name}/shard-{{000..{SHARDS - 1:03}}}.tar"


KEYS = [f"{shard}-{number}" for shard in range(SHARDS) for number in range(SAMPLES)]


def test_shards_are_read_in_order(url):
    samples = list(wds.WebDataset(url, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == KEYS
    assert samples[5]["txt"] == b"txt 1 1"
    assert samples[5]["bin"] == b"bin 1 1"


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_share_the_shards(url, context):
    dataset = (
        wds.WebDataset(url, shardshuffle=False, workersplitter=wds.split_by_worker)
        .decode()
        .to_tuple("__key__", "txt")
    )
    if context == "spawn":  # as a program does at its top, which its spawned workers run too
        dataset = dataset.compose(importing)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=context, timeout=60)
    assert sorted(key for key, _ in loader) == sorted(KEYS)


def importing(samples):
    return samples


def test_shards_are_written(bucket):
    with wds.ShardWriter(f"ais://{bucket.name}/new-%03d.tar", maxcount=3, verbose=0) as writer:
        for number in range(7):
            writer.write({"__key__": f"{number}", "txt": f"text {number}"})
    assert [entry.name for entry in bucket.list_all_objects()] == [
        f"new-{number:03}.tar" for number in range(3)
    ]
    samples = wds.WebDataset(f"ais://{bucket.name}/new-{{000..002}}.tar", shardshuffle=False).decode()
    assert [sample["txt"] for sample in samples] == [f"text {number}" for number in range(7)]


def test_a_missing_shard_is_named_or_handled(url):
    missing = url.replace("{000..009}", "{008..010}")
    with pytest.raises(FileNotFoundError, match=r"shard-010\.tar"):
        list(wds.WebDataset(missing, shardshuffle=False))
    kept = wds.WebDataset(missing, shardshuffle=False, handler=wds.ignore_and_continue)
    assert [sample["__key__"] for sample in kept] == KEYS[8 * SAMPLES :]


def test_a_broken_connection_is_resumed(monkeypatch):
    data = make_shard(".tar", [(f"{number}.bin", bytes([number]) * 5000) for number in range(5)])
    stored = Stored(data, answers=[cut(7000, reset=True), cut(3000)])
    server = ScriptedServer(stored.script)
    try:
        monkeypatch.setenv("AIS_ENDPOINT", server.endpoint)
        samples = list(wds.WebDataset("ais://bck/shard.tar", shardshuffle=False))
        assert [sample["bin"] for sample in samples] == [bytes([number]) * 5000 for number in range(5)]
        assert len([request for request in server.requests if request.method == "GET"]) == 3
    finally:
        server.close()


def test_what_cannot_be_opened_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="mode"):
        open_url("ais://bucket/name", "a")
    with pytest.raises(ValueError, match="bucket"):
        open_url("ais://bucket", "rb")
    monkeypatch.delenv("AIS_ENDPOINT")
    with pytest.raises(ValueError, match="AIS_ENDPOINT"):
        open_url("ais://bucket/name")


@pytest.mark.parametrize(
    "code",
    [
        "import aistore.pytorch, sys; assert 'webdataset' not in sys.modules; import webdataset",
        "import webdataset, aistore.pytorch",
        pytest.param("import webdataset.gopen, aistore.pytorch", marks=pytest.mark.full),
        pytest.param(
            "import aistore.pytorch, aistore.pytorch.web_dataset as w; w.register(); import webdataset.gopen",
            marks=pytest.mark.full,
        ),
    ],
)
def test_the_opener_is_there_in_any_order_of_imports(code):
    code += textwrap.dedent("""
        import sys
        from webdataset.gopen import gopen_schemes
        assert gopen_schemes["ais"].__module__ == "aistore.pytorch.web_dataset"
        assert not any("aistore" in type(finder).__module__ for finder in sys.meta_path)
    """)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
