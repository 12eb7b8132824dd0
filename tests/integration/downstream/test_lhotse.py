"""Lhotse's AIStore loaders, unmodified: manifests, single reads, and `AISBatchLoader` as it is documented."""

import gzip
import io
import logging
import pickle
import tarfile

import pytest

pytest.importorskip("lhotse")
soundfile = pytest.importorskip("soundfile")
np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

from lhotse import CutSet, MonoCut, NumpyFilesWriter, Recording, RecordingSet  # noqa: E402
from lhotse.ais import AISBatchLoader  # noqa: E402
from lhotse.ais.batch_loader import AISBatchLoaderError  # noqa: E402
from lhotse.array import Array, TemporalArray  # noqa: E402
from lhotse.audio import AudioSource  # noqa: E402
from lhotse.dataset.input_strategies import AudioSamples  # noqa: E402
from lhotse.dataset.sampling import SimpleCutSampler  # noqa: E402
from lhotse.features.base import Features  # noqa: E402
from lhotse.image import Image  # noqa: E402
from lhotse.serialization import (  # noqa: E402
    AIStoreIOBackend,
    get_aistore_client,
    io_backend,
    is_aistore_available,
    open_best,
)

RATE = 8000


@pytest.fixture(autouse=True)
def _endpoint(endpoint, monkeypatch):
    """Point Lhotse to the cluster; it keeps the client that it has made once."""
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    for cached in (is_aistore_available, get_aistore_client):
        cached.cache_clear()
    yield
    for cached in (is_aistore_available, get_aistore_client):
        cached.cache_clear()


def make_samples(seed, seconds=0.1):
    return (np.random.default_rng(seed).random(int(RATE * seconds)) - 0.5).astype(np.float32)


def make_wav(seed):
    out = io.BytesIO()
    soundfile.write(out, make_samples(seed), RATE, format="WAV", subtype="FLOAT")
    return out.getvalue()


def make_tar(members, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def put(bucket, name, data):
    bucket.object(name).get_writer().put_content(data)
    return f"ais://{bucket.name}/{name}"


def make_recording(name, url):
    return Recording(
        id=name,
        sources=[AudioSource(type="url", channels=[0], source=url)],
        sampling_rate=RATE,
        num_samples=RATE // 10,
        duration=0.1,
    )


def make_cut(name, url=None, **custom):
    recording = make_recording(name, url) if url else None
    return MonoCut(id=name, start=0.0, duration=0.1, channel=0, recording=recording, custom=custom or None)


def store_array(bucket, name, value):
    """Store an array in the form in which Lhotse reads arrays from memory."""
    put(bucket, f"arrays/{name}", pickle.dumps(value))
    place = f"ais://{bucket.name}/arrays"
    return Array(storage_type="numpy_files", storage_path=place, storage_key=name, shape=list(value.shape))


def assert_audio(cut, seed):
    np.testing.assert_allclose(cut.load_audio()[0], make_samples(seed))


# ------------------------------------------------------------ files


def test_manifests_are_written_and_read(bucket):
    recordings = [make_recording(f"r{n}", put(bucket, f"{n}.wav", make_wav(n))) for n in range(3)]
    url = f"ais://{bucket.name}/manifests/recordings.jsonl"
    RecordingSet.from_recordings(recordings).to_file(url)
    loaded = RecordingSet.from_file(url)
    assert [recording.id for recording in loaded] == ["r0", "r1", "r2"]
    for number, recording in enumerate(loaded):
        np.testing.assert_allclose(recording.load_audio()[0], make_samples(number))


def test_files_opened_by_the_backend(bucket):
    url = f"ais://{bucket.name}/file.bin"
    with io_backend("AIStoreIOBackend"):
        with open_best(url, "wb") as file:
            file.write(b"first ")
            file.write(b"second")
        with open_best(url, "rb") as file:
            assert file.read(3) == b"fir"
            assert file.read() == b"st second"
    url = put(bucket, "text.gz", gzip.compress(b"line 1\nline 2\n"))
    with AIStoreIOBackend().open(url, "r") as file:
        assert list(file) == [b"line 1\n", b"line 2\n"]


def test_arrays_of_single_files(bucket):
    value = make_samples(1).reshape(100, 8)
    with NumpyFilesWriter(f"ais://{bucket.name}/features") as writer:
        array = writer.store_array("x", value)
    # `array.load()` wants a file that seeks, which object files are not, here as in 2.0.0.
    with open_best(f"{array.storage_path}/{array.storage_key}", "rb") as file:
        np.testing.assert_array_equal(np.load(io.BytesIO(file.read())), value)


def test_a_missing_object(bucket):
    with pytest.raises(FileNotFoundError), open_best(f"ais://{bucket.name}/missing", "rb") as file:
        file.read()


# ------------------------------------------------------------ batches


def test_a_batch_of_recordings(bucket):
    cuts = CutSet.from_cuts(make_cut(f"c{n}", put(bucket, f"{n}.wav", make_wav(n))) for n in range(20))
    loaded = AISBatchLoader()(cuts.to_eager())
    for number, cut in enumerate(loaded):
        assert cut.recording.sources[0].type == "memory"
        assert_audio(cut, number)


@pytest.mark.parametrize(("extension", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz")])
def test_a_batch_out_of_archives(bucket, extension, mode):
    members = {f"dir/{n}.wav": make_wav(n) for n in range(4)}
    url = put(bucket, f"shards/shard-0{extension}", make_tar(members, mode))
    whole = put(bucket, "whole.wav", make_wav(99))
    cuts = [make_cut(f"c{n}", f"{url}/dir/{n}.wav") for n in (3, 0, 2, 1)] + [make_cut("whole", whole)]
    loaded = list(AISBatchLoader()(CutSet.from_cuts(cuts).to_eager()))
    for cut, seed in zip(loaded, (3, 0, 2, 1, 99), strict=True):
        assert_audio(cut, seed)


def test_a_batch_of_everything(bucket):
    value = make_samples(5).reshape(10, 80)
    array = store_array(bucket, "a", value)
    frames = TemporalArray(store_array(bucket, "t", value), temporal_dim=0, frame_shift=0.01, start=0)
    put(bucket, "arrays/f", pickle.dumps(value))
    features = Features(
        type="fbank", num_frames=10, num_features=80, frame_shift=0.01, sampling_rate=RATE, start=0,
        duration=0.1, channels=0,
        storage_type="numpy_files", storage_path=f"ais://{bucket.name}/arrays", storage_key="f",
    )  # fmt: skip
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    from PIL import Image as Pillow

    png = io.BytesIO()
    Pillow.fromarray(pixels).save(png, "PNG")
    put(bucket, "images/i.png", png.getvalue())
    place = f"ais://{bucket.name}/images"
    image = Image(storage_type="pillow_files", storage_path=place, storage_key="i.png", width=4, height=4)
    cut = make_cut("c", put(bucket, "c.wav", make_wav(7)), array=array, frames=frames, image=image)
    cut.features = features
    plain = make_cut("nothing to load", None)
    loaded, _ = list(AISBatchLoader()(CutSet.from_cuts([cut, plain]).to_eager()))
    assert_audio(loaded, 7)
    np.testing.assert_array_equal(loaded.array.load(), value)
    np.testing.assert_array_equal(loaded.load_frames(), value)
    np.testing.assert_array_equal(loaded.load_features(), value)
    # Not `load()`: Lhotse has no reader by the name that its batch loader gives to images in memory.
    np.testing.assert_array_equal(np.asarray(Pillow.open(io.BytesIO(loaded.image.storage_key))), pixels)


def test_audio_samples_of_a_batch(bucket):
    cuts = CutSet.from_cuts(make_cut(f"c{n}", put(bucket, f"{n}.wav", make_wav(n))) for n in range(3))
    audio, lengths = AudioSamples(use_batch_loader=True)(cuts.to_eager())
    assert audio.shape == (3, RATE // 10)
    assert lengths.tolist() == [RATE // 10] * 3
    np.testing.assert_allclose(audio[2].numpy(), make_samples(2))


class Batches(torch.utils.data.Dataset):
    """What recipes of Lhotse do: the sampler gives cuts, the dataset loads them in one batch."""

    def __init__(self):
        self.load = AudioSamples(use_batch_loader=True)

    def __getitem__(self, cuts):
        audio, _ = self.load(cuts.to_eager())
        return [cut.id for cut in cuts], audio


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # the test's own threads
@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_of_batches(bucket, workers):
    cuts = CutSet.from_cuts(make_cut(str(n), put(bucket, f"{n}.wav", make_wav(n))) for n in range(8))
    sampler = SimpleCutSampler(cuts, max_cuts=3, shuffle=False)
    context = "fork" if workers else None
    loader = torch.utils.data.DataLoader(
        Batches(), sampler=sampler, batch_size=None, num_workers=workers, multiprocessing_context=context
    )
    seen = {}
    for ids, audio in loader:
        seen |= dict(zip(ids, audio.numpy(), strict=True))
    assert sorted(seen) == [str(number) for number in range(8)]
    for name, samples in seen.items():
        np.testing.assert_allclose(samples, make_samples(int(name)))


def test_cuts_without_urls_stay_as_they_are():
    cuts = CutSet.from_cuts([make_cut("c")]).to_eager()
    assert AISBatchLoader()(cuts) == cuts


def test_lazy_cuts_are_refused(bucket):
    url = f"ais://{bucket.name}/cuts.jsonl"
    CutSet.from_cuts([make_cut("c")]).to_file(url)
    with pytest.raises(ValueError, match="Lazy"):
        AISBatchLoader()(CutSet.from_jsonl_lazy(url))


def test_a_missing_entry_does_not_shift_the_others(bucket, caplog):
    names = ["0", "1", "missing", "3"]
    cuts = []
    for number, name in enumerate(names):
        url = f"ais://{bucket.name}/{name}.wav"
        if name != "missing":
            put(bucket, f"{name}.wav", make_wav(number))
        cuts.append(make_cut(f"c{number}", url))
    with caplog.at_level(logging.WARNING), pytest.raises(AISBatchLoaderError, match="missing"):
        AISBatchLoader()(CutSet.from_cuts(cuts).to_eager())
    # Entries before it were loaded; the one that failed is the one that is missing.
    assert_audio(cuts[0], 0)
    assert_audio(cuts[1], 1)
    assert "missing.wav" in caplog.text


def test_a_missing_member_of_an_archive(bucket):
    url = put(bucket, "shard.tar", make_tar({"0.wav": make_wav(0)}))
    cuts = [make_cut("there", f"{url}/0.wav"), make_cut("gone", f"{url}/1.wav")]
    with pytest.raises(AISBatchLoaderError, match=r"shard\.tar"):
        AISBatchLoader()(CutSet.from_cuts(cuts).to_eager())
    assert_audio(cuts[0], 0)


def test_an_empty_object_is_asked_for_again(bucket, caplog):
    put(bucket, "empty.wav", b"")
    cut = make_cut("c", f"ais://{bucket.name}/empty.wav")
    with caplog.at_level(logging.WARNING):
        AISBatchLoader()(CutSet.from_cuts([cut]).to_eager())
    assert cut.recording.sources[0].source == b""
    assert "returned empty content" in caplog.text


def test_a_batch_that_the_cluster_refuses_falls_back(bucket, caplog):
    put(bucket, "0.wav", make_wav(0))
    gone = "ais://there-is-no-such-bucket/1.wav"
    cuts = [make_cut("c0", f"ais://{bucket.name}/0.wav"), make_cut("c1", gone)]
    with caplog.at_level(logging.WARNING), pytest.raises(AISBatchLoaderError):
        AISBatchLoader()(CutSet.from_cuts(cuts).to_eager())


def test_unsupported_storage_is_refused(bucket):
    array = Array(storage_type="lilcom_chunky", storage_path="x", storage_key="y", shape=[1])
    with pytest.raises(AISBatchLoaderError, match="Unsupported storage type"):
        AISBatchLoader()(CutSet.from_cuts([make_cut("c", None, array=array)]).to_eager())
