"""What holds for any name, any range and any page size, through the SDK and over the wire to a cluster."""

import contextlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aistore.sdk.batch.batch import Batch
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.wire.names import check_object_name

over_the_wire = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DATA = bytes(n * 7 % 256 for n in range(10_000))


def is_name(text):
    try:
        check_object_name(text)
        text.encode()
    except (InvalidArgument, UnicodeEncodeError):
        return False
    return True


# Most of what has a meaning of its own in URLs, queries and file systems.
AWKWARD = "a/%+ ?#&=;:@!'\"\\.~-_\u00e9\u4e16\U0001f600\n{}"
NAMES = st.one_of(
    st.text(st.sampled_from(AWKWARD), min_size=1, max_size=40),
    st.text(min_size=1, max_size=60),
    st.builds(lambda char, size: char * size, st.sampled_from("x%+ \u00e9"), st.integers(1, 2048)),
).filter(is_name)


@over_the_wire
@given(NAMES)
@example("x" * 4096)
@example("\u4e16" * 1365 + "a")
@example("%2e%2e/%2F+%20")
@example("a//b///c")
@example("...")
def test_any_name_addresses_one_object(bucket, name):
    obj, beside = bucket.object(name), bucket.object(name + "+")
    obj.get_writer().put_content(b"one")
    try:
        assert obj.get_reader().read_all() == b"one"
        assert obj.get_reader(direct=True).read_all() == b"one"
        assert int(obj.head()["Content-Length"]) == 3
        assert [entry.name for entry in bucket.list_all_objects()] == [name]
        assert [entry.name for entry in bucket.list_objects(prefix=name[:3]).entries] == [name]
        assert next(iter(bucket.objects(obj_names=[name]).list_all_objects_iter())).name == name
        obj.copy(beside)
        assert beside.get_reader().read_all() == b"one"
        answers = [(info.obj_name, content) for info, content in Batch(bucket.client, [obj, beside]).get()]
        assert answers == [(obj.name, b"one"), (beside.name, b"one")]
    finally:
        obj.delete()
        with contextlib.suppress(FileNotFoundError):
            beside.delete()
    assert bucket.list_all_objects() == []


@pytest.fixture
def stored(bucket):
    obj = bucket.object("data")
    obj.get_writer().put_content(DATA)
    return obj


@over_the_wire
@given(st.integers(1, 12_000), st.integers(2, 5))
@example(10_000, 2)
@example(9_999, 2)
@example(10_001, 2)
def test_any_split_among_workers_is_the_object(stored, chunk, workers):
    reader = stored.get_reader(chunk_size=max(chunk, 500), num_workers=workers)
    with reader.read_all() as content:
        assert content.buf == DATA
    assert b"".join(reader) == DATA
    buffer = bytearray(len(DATA))
    assert reader.readinto(buffer) == len(DATA)
    assert buffer == DATA


@over_the_wire
@given(st.integers(0, 9_999), st.integers(0, 11_000), st.integers(1, 4000))
def test_any_range_is_that_slice(stored, start, length, chunk):
    end = start + length
    reader = stored.get_reader(byte_range=f"bytes={start}-{end}", chunk_size=chunk)
    wanted = DATA[start : end + 1]
    assert reader.read_all() == wanted
    assert b"".join(reader) == wanted
    with reader.as_file() as file:
        assert file.read(chunk) + file.read() == wanted
    if length:
        assert stored.get_reader(byte_range=f"bytes=-{length}").read_all() == DATA[-length:]


@pytest.fixture
def listed(bucket):
    names = [f"{a}/{b}{c:02d}" for a in ("a", "b+%", "c d") for b in ("", "x", "\u00e9") for c in range(5)]
    for name in names:
        bucket.object(name).get_writer().put_content(b"x")
    return bucket, sorted(names, key=str.encode)


@over_the_wire
@given(
    page_size=st.integers(0, 60),
    prefix=st.sampled_from(["", "a", "a/", "a/x0", "b+%", "b+%/\u00e9", "c d/", "none"]),
    flags=st.lists(
        st.sampled_from([ListObjectFlag.NAME_ONLY, ListObjectFlag.NAME_SIZE, ListObjectFlag.CACHED]),
        unique=True,
    ),
    after=st.integers(-1, 44),
)
def test_pages_of_any_size_reassemble_the_bucket(listed, page_size, prefix, flags, after):
    bucket, names = listed
    start_after = names[after] if after >= 0 else ""
    wanted = [name for name in names if name.startswith(prefix) and name > start_after]
    wanted = [name for name in wanted if not start_after or name.encode() > start_after.encode()]
    options = {"prefix": prefix, "page_size": page_size, "flags": flags, "start_after": start_after}
    assert [entry.name for entry in bucket.list_all_objects(**options)] == wanted
    assert [entry.name for entry in bucket.list_objects_iter(**options)] == wanted


@over_the_wire
@given(st.lists(st.tuples(st.integers(0, 9_999), st.integers(1, 3000)), min_size=1, max_size=8), st.data())
def test_any_batch_of_ranges_comes_in_its_order(stored, ranges, data):
    batch = Batch(
        stored._client,
        output_format=data.draw(st.sampled_from([".tar", ".tgz", ".zip", ".tar.lz4"])),
        streaming_get=data.draw(st.booleans()),
    )
    ranges = [(start, min(length, len(DATA) - start)) for start, length in ranges]
    for start, length in ranges:
        batch.add(stored, start=start, length=length)
    wanted = [DATA[start : start + length] for start, length in ranges]
    assert [content for _, content in batch.get()] == wanted


@over_the_wire
@given(st.lists(st.binary(max_size=400), max_size=12), st.sampled_from(["w", "a"]))
def test_any_pieces_written_are_the_object(bucket, pieces, mode):
    obj = bucket.object("written")
    with obj.get_writer().as_file(mode) as file:
        for piece in pieces:
            file.write(piece)
        if not pieces:
            file.write(b"")
    try:
        assert obj.get_reader().read_all() == b"".join(pieces)
    except FileNotFoundError:
        assert mode == "a"
        assert not b"".join(pieces)
    else:
        obj.delete()
