"""Uploading directories: names, order, parallelism, failures, progress."""

import pickle
import threading

import pytest
from scripted import Answer, scripted

from aistore.sdk.bck.upload import FileToPut, put_parallel
from aistore.sdk.bucket import Bucket, PutFilesError
from aistore.sdk.errors import AISError, ErrBckNotFound, InvalidArgument


@pytest.fixture
def tree(tmp_path):
    for name in ("a.txt", "b.txt", "c.bin", "dir/d.txt", "dir/deep/e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


class Store:
    """Takes objects; `fail` names those that it refuses, with their answers."""

    def __init__(self, fail=None):
        self.objects = {}
        self.fail = fail or {}

    def __call__(self, request):
        name = request.path.removeprefix("/v1/objects/bck/")
        if name in self.fail:
            return self.fail[name]
        if request.method == "PUT":
            self.objects[name] = request.body
        return Answer()


def put(store, tree, **kwargs):
    with scripted(store) as (_, client):
        return Bucket("bck", client).put_files(tree, **kwargs)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"a.txt", "b.txt", "c.bin"}),
        ({"recursive": True}, {"a.txt", "b.txt", "c.bin", "dir/d.txt", "dir/deep/e.txt"}),
        ({"recursive": True, "basename": True}, {"a.txt", "b.txt", "c.bin", "d.txt", "e.txt"}),
        ({"pattern": "*.txt"}, {"a.txt", "b.txt"}),
        ({"prefix_filter": "a"}, {"a.txt"}),
        ({"recursive": True, "exclude": "dir/*"}, {"a.txt", "b.txt", "c.bin"}),
        ({"prepend": "x/"}, {"x/a.txt", "x/b.txt", "x/c.bin"}),
        ({"num_workers": 1, "verbose": False}, {"a.txt", "b.txt", "c.bin"}),
        ({"pattern": "nothing"}, set()),
    ],
)
def test_names(tree, options, names):
    store = Store()
    assert set(put(store, str(tree), **options)) == names
    assert set(store.objects) == names
    for name, content in store.objects.items():
        assert content.decode().endswith(name.split("/")[-1])


def test_dry_run_sends_nothing(tree):
    client = None
    assert set(Bucket("bck", client).put_files(tree, dry_run=True)) == {"a.txt", "b.txt", "c.bin"}


def test_names_are_in_the_order_of_the_files(tmp_path):
    for index in range(50):
        (tmp_path / f"f{index}").write_text("x")
    found = [path.name for path in tmp_path.glob("*")]
    assert put(Store(), tmp_path, num_workers=8) == found


def test_links_to_files_are_followed_and_loops_are_not_entered(tree):
    (tree / "link.txt").symlink_to(tree / "a.txt")
    (tree / "dir" / "loop").symlink_to(tree)
    store = Store()
    names = put(store, tree, recursive=True)
    assert "link.txt" in names
    assert store.objects["link.txt"] == b"a.txt"
    assert len(names) == 6


def test_several_at_a_time(tree):
    together = threading.Barrier(3)

    def script(request):
        together.wait(10)
        return Answer()

    assert len(put(script, tree, num_workers=3)) == 3


def test_progress(tree):
    updates = []
    threads = set()

    def progress(update):
        updates.append(update)
        threads.add(threading.current_thread())

    names = put(Store(), tree, progress=progress)
    assert sorted(update.name for update in updates) == sorted(names)
    assert [update.objects for update in updates] == [1, 2, 3]
    assert {update.total_objects for update in updates} == {3}
    assert updates[-1].bytes == updates[-1].total_bytes == 15
    assert threads == {threading.current_thread()}


class TestFailures:
    missing = Answer(
        b'{"message": "bucket \\"ais://bck\\" does not exist", "tcode": "ErrBckNotFound"}', status=404
    )

    def test_names_the_file_and_what_was_uploaded(self, tree):
        store = Store({"b.txt": self.missing})
        with pytest.raises(PutFilesError, match=r"b\.txt") as caught:
            put(store, tree, num_workers=1)
        error = caught.value
        assert error.file == str(tree / "b.txt")
        assert set(error.uploaded) == set(store.objects)
        assert isinstance(error.__cause__, AISError)

    def test_is_of_the_class_of_its_cause(self, tree):
        with pytest.raises(ErrBckNotFound) as caught:
            put(Store({"a.txt": self.missing}), tree, pattern="a*")
        assert caught.value.status_code == 404
        assert isinstance(caught.value, FileNotFoundError)

    def test_stops_at_the_first_one(self, tmp_path):
        for index in range(100):
            (tmp_path / f"f{index:03}").write_text("x")
        first = next(tmp_path.glob("*")).name
        store = Store({first: self.missing})
        with pytest.raises(PutFilesError) as caught:
            put(store, tmp_path, num_workers=2)
        assert len(store.objects) < 20
        assert set(caught.value.uploaded) == set(store.objects)

    def test_file_that_goes_away(self, tree):
        def script(request):
            for path in tree.glob("*.txt"):
                path.unlink()
            return Answer()

        with pytest.raises(PutFilesError) as caught:
            put(script, tree, pattern="*.txt", num_workers=1)
        assert isinstance(caught.value, ValueError)
        assert len(caught.value.uploaded) == 1

    def test_pickles(self, tree):
        with pytest.raises(PutFilesError) as caught:
            put(Store({"a.txt": self.missing}), tree, pattern="a*")
        restored = pickle.loads(pickle.dumps(caught.value))
        assert (str(restored), restored.file, restored.uploaded) == (str(caught.value), caught.value.file, [])
        assert isinstance(restored, ErrBckNotFound)

    def test_what_progress_raises_ends_the_upload(self, tree):
        def progress(update):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            put(Store(), tree, progress=progress, num_workers=1)


class TestRefusedBeforeAnyRequest:
    @pytest.mark.parametrize("workers", [0, -1, 1.5, True])
    def test_workers(self, tree, workers):
        with pytest.raises(InvalidArgument, match="num_workers"):
            Bucket("bck", None).put_files(tree, num_workers=workers)

    def test_no_directory(self, tree):
        with pytest.raises(ValueError, match="directory"):
            Bucket("bck", None).put_files(tree / "a.txt")
        with pytest.raises(ValueError, match="exist"):
            Bucket("bck", None).put_files(tree / "nothing")

    def test_two_files_for_one_object(self, tree):
        (tree / "dir" / "a.txt").write_text("another")
        with pytest.raises(InvalidArgument, match=r"both become the object 'a\.txt'"):
            Bucket("bck", None).put_files(tree, recursive=True, basename=True)

    def test_names_that_cannot_be_objects(self, tree):
        with pytest.raises(InvalidArgument, match="object name"):
            Bucket("bck", None).put_files(tree, prepend="../")


def test_only_files_whose_names_begin_so(tree):
    store = Store()
    put(store, tree, prefix_filter="a", recursive=True)
    assert list(store.objects) == ["a.txt"]


def test_an_interruption_is_not_a_failure_of_a_file(tree):
    def interrupted(request):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_parallel([FileToPut(tree / "a.txt", "a.txt", 1)], interrupted, num_workers=1, done=list)
