"""Archive readers: what others wrote is read, however it is cut; what is damaged is an error of ours."""

import io
import tarfile
from contextlib import suppress

import pytest
from archives import Pieces, archive_of, read_all, tar_of, zip_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aistore.sdk.batch.archives import open_archive
from aistore.sdk.errors import ErrArchiveFormat, ErrArchiveTruncated, InvalidArgument, SDKError
from aistore.wire.archive.compression import DecompressingSource, as_source
from aistore.wire.archive.formats import TAR_FORMATS
from aistore.wire.archive.tar import TarReader

FORMATS = (*TAR_FORMATS, ".zip")
MEMBERS = [
    ("bck/a", b"one"),
    ("bck/empty", b""),
    ("bck/" + "d/" * 60 + "long", b"x" * 511),
    ("bck/ünïcode 名前", b"y" * 512),
    ("bck/" + "n" * 300, b"z" * 1500),
    ("last", b"end"),
]
NAMES = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=300
).filter(lambda name: not name.endswith("/") and name.strip("/") == name)


def encoded(members):
    return [(name.encode(), data) for name, data in members]


@pytest.mark.parametrize("format", FORMATS)
def test_every_split_offset(format):
    data = archive_of(format, MEMBERS)
    step = max(1, len(data) // 400)
    for cut in range(1, len(data), step):
        assert read_all(open_archive(Pieces(data, [cut]), format)) == encoded(MEMBERS), cut


@pytest.mark.parametrize("format", FORMATS)
def test_one_byte_at_a_time(format):
    data = archive_of(format, MEMBERS)
    assert read_all(open_archive(Pieces(data, range(len(data))), format)) == encoded(MEMBERS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=3000)), max_size=6),
    st.lists(st.integers(0, 20000)),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.sampled_from([1, 700, 1024, 65536]),
)
def test_tar_round_trip(members, cuts, format, buffer_size):
    data = tar_of(members, format)
    assert read_all(TarReader(Pieces(data, cuts), buffer_size)) == encoded(members)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(FORMATS))
def test_noise_is_read_or_our_error(noise, format):
    with suppress(SDKError):
        read_all(open_archive(Pieces(noise, [512]), format))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(FORMATS))
@example(30634, 0, ".zip")  # a name that is empty
def test_flipped_byte_is_read_or_our_error(position, value, format):
    data = bytearray(archive_of(format, MEMBERS))
    data[position % len(data)] = value
    with suppress(SDKError):
        read_all(open_archive(Pieces(bytes(data), []), format))


@pytest.mark.parametrize("format", TAR_FORMATS)
def test_truncated_archive_is_an_error_that_streams_raise(format):
    data = archive_of(format, MEMBERS)
    whole = len(MEMBERS)
    for cut in range(1, len(data), 97):
        reader = open_archive(Pieces(data[:cut], []), format)
        found = 0
        try:
            while reader.next_member():
                reader.read_member()
                found += 1
        except ErrArchiveTruncated:
            assert found < whole or cut < len(data)
        reader.close()


def test_member_is_handed_out_before_its_padding_arrives():
    data = tar_of([("a", b"123"), ("b", b"4")])
    source = Pieces(data[: 512 + 3], [], error=AssertionError("asked for more than the member"))
    reader = TarReader(source)
    assert reader.next_member() == (b"a", 3)
    assert reader.read_member() == b"123"


def test_large_member_is_read_in_place():
    content = bytes(range(256)) * 4096
    data = tar_of([("big", content), ("next", b"n")])
    assert read_all(TarReader(Pieces(data, [1000, 70000]), 4096)) == [(b"big", content), (b"next", b"n")]


def test_members_that_are_not_read_are_skipped():
    reader = TarReader(Pieces(tar_of(MEMBERS), [100, 5000]), 1024)
    names = []
    while member := reader.next_member():
        names.append(member[0])
    assert names == [name.encode() for name, _ in MEMBERS]


def test_links_and_directories_are_left_out():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        link = tarfile.TarInfo("l" * 200)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        file = tarfile.TarInfo("f")
        file.size = 1
        tar.addfile(file, io.BytesIO(b"1"))
    assert read_all(TarReader(io.BytesIO(out.getvalue()))) == [(b"f", b"1")]


def test_global_pax_header_and_missing_end_are_accepted():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x"}) as tar:
        file = tarfile.TarInfo("f")
        file.size = 1
        tar.addfile(file, io.BytesIO(b"1"))
    assert read_all(TarReader(io.BytesIO(out.getvalue()[: 3 * 512 + 512]))) == [(b"f", b"1")]


def test_sizes_in_base_256_and_absurd_sizes():
    header = bytearray(tar_of([("f", b"abc")])[:512])
    header[124:136] = b"\x80" + (3).to_bytes(11, "big")
    assert read_all(TarReader(io.BytesIO(_summed(header) + b"abc".ljust(512, b"\0") + bytes(1024)))) == [
        (b"f", b"abc")
    ]
    header[124:136] = b"\x80" + (1 << 60).to_bytes(11, "big")
    with pytest.raises(ErrArchiveFormat, match="1152921504606846976"):
        TarReader(io.BytesIO(_summed(header))).next_member()


def _summed(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_has_more_at_hand():
    reader = TarReader(io.BytesIO(tar_of([("a", b"1"), ("b", b"2")])))
    assert reader.next_member()
    assert reader.has_more_at_hand()
    assert reader.next_member()
    reader.read_member()
    assert not reader.has_more_at_hand()
    zipped = open_archive(io.BytesIO(zip_of([("a", b"1"), ("b", b"2")])), ".zip")
    assert zipped.next_member()
    assert zipped.has_more_at_hand()
    zipped.next_member()
    assert not zipped.has_more_at_hand()
    zipped.close()


def test_several_gzip_streams_in_a_row_are_one():
    import gzip

    data = gzip.compress(b"abc") + gzip.compress(b"def")
    source = DecompressingSource(Pieces(data, range(len(data))), "gzip")
    found = bytearray()
    buffer = bytearray(2)
    while count := source.readinto(buffer):
        found += buffer[:count]
    assert found == b"abcdef"
    assert source.readinto(b"") == 0


def test_bomb_is_decompressed_only_as_far_as_asked():
    import gzip

    source = DecompressingSource(io.BytesIO(gzip.compress(bytes(50 << 20))), "gzip")
    assert source.readinto(bytearray(10)) == 10
    assert len(source._decompressor._object.unconsumed_tail) < 64 * 1024


def test_large_zip_goes_to_a_file(monkeypatch):
    monkeypatch.setattr("aistore.sdk.batch.archives._IN_MEMORY", 10)
    reader = open_archive(io.BytesIO(zip_of(MEMBERS)), ".zip")
    assert reader.next_member() == (b"bck/a", 3)
    assert not isinstance(reader._file, io.BytesIO)
    reader.close()


def test_zip_directories_are_left_out_and_damage_is_ours():
    data = zip_of([("d/", b""), ("d/f", b"content" * 20)])
    assert read_all(open_archive(io.BytesIO(data), ".zip")) == [(b"d/f", b"content" * 20)]
    spot = data.index(b"d/f") + 5
    damaged = data[:spot] + bytes([data[spot] ^ 0xFF]) + data[spot + 1 :]
    reader = open_archive(io.BytesIO(damaged), ".zip")
    reader.next_member()
    with pytest.raises(ErrArchiveFormat):
        reader.read_member()
    reader.close()
    with pytest.raises(ErrArchiveFormat):
        open_archive(io.BytesIO(b"nope"), ".zip").next_member()


def test_stream_that_can_only_read():
    class OnlyRead:
        def __init__(self):
            self.file = io.BytesIO(tar_of([("a", b"1")]))

        def read(self, size):
            return self.file.read(size)

    assert read_all(TarReader(as_source(OnlyRead()))) == [(b"a", b"1")]


def test_lz4_without_its_package_names_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lz4.frame", None)
    from aistore.sdk.batch.extractor.extractor_registry import get_extractor

    with pytest.raises(InvalidArgument, match="pip install"):
        get_extractor(".tar.lz4")


def _entry(name: str, data: bytes, kind: bytes = b"0") -> bytes:
    header = bytearray(512)
    header[: len(name)] = name.encode()
    header[124:136] = b"%011o\0" % len(data)
    header[156:157] = kind
    header[257:265] = b"ustar\x0000"
    return _summed(header) + data + bytes(-len(data) % 512)


def test_ustar_prefix_is_part_of_the_name():
    header = bytearray(_entry("name", b"")[:512])
    header[345:351] = b"prefix"
    assert TarReader(io.BytesIO(_summed(header))).next_member() == (b"prefix/name", 0)


def test_pax_size_goes_before_the_header_s():
    data = _entry("pax", b"10 size=3\n", b"x") + _entry("f", b"")[:512] + b"abc" + bytes(509) + bytes(1024)
    assert read_all(TarReader(io.BytesIO(data))) == [(b"f", b"abc")]


@pytest.mark.parametrize("records", [b"nonsense", b"99 path=x\n", b"7 path=\n", b"10 path=abc", b"0 a=b\n"])
def test_pax_records_that_make_no_sense(records):
    with pytest.raises(ErrArchiveFormat, match="PAX"):
        TarReader(io.BytesIO(_entry("pax", records, b"x"))).next_member()


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_endless_extended_header_is_refused(kind):
    header = bytearray(_entry("x", b"", kind)[:512])
    header[124:136] = b"%011o\0" % (1 << 24)
    with pytest.raises(ErrArchiveFormat, match="extended headers of 16777216"):
        TarReader(io.BytesIO(_summed(header))).next_member()


def test_header_with_a_number_that_is_none():
    header = bytearray(_entry("f", b"")[:512])
    header[124:136] = b"rubbish rubb"
    with pytest.raises(ErrArchiveFormat, match="number"):
        TarReader(io.BytesIO(_summed(header))).next_member()


def test_large_member_that_is_cut_or_does_not_fit(monkeypatch):
    data = _entry("f", bytes(5000))
    reader = TarReader(io.BytesIO(data[:3000]), 1024)
    assert reader.next_member() == (b"f", 5000)
    with pytest.raises(ErrArchiveTruncated, match="early"):
        reader.read_member()
    header = bytearray(data[:512])
    header[124:136] = b"\x80" + (1 << 40).to_bytes(11, "big")

    def no_memory(*_):
        raise MemoryError

    reader = TarReader(io.BytesIO(_summed(header)))
    reader.next_member()
    monkeypatch.setattr("aistore.wire.archive.tar.io.BytesIO", no_memory)
    with pytest.raises(ErrArchiveFormat, match="memory"):
        reader.read_member()


def test_zip_whose_directory_lies_about_a_size():
    data = bytearray(zip_of([("f", b"abc")]))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24] = 200
    reader = open_archive(io.BytesIO(bytes(data)), ".zip")
    assert reader.next_member() == (b"f", 200)
    with pytest.raises(ErrArchiveFormat):
        reader.read_member()
    reader.close()


# ---------------------------------------------------------------- views


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000])
def test_views_end_with_the_next_member(size):
    members = [(f"{n}", bytes([n]) * size) for n in range(20)]
    reader = TarReader(io.BytesIO(tar_of(members)))
    before = None
    for name, content in members:
        assert reader.next_member() == (name.encode(), size)
        view = reader.read_view()
        assert view == content
        if before is not None and size and size < 65536:
            with pytest.raises(ValueError, match="released"):
                bytes(before)
        before = view
    assert reader.next_member() is None
    reader.close()


def test_a_view_that_is_still_used_keeps_its_bytes():
    members = [(f"{n}", bytes([n]) * 10_000) for n in range(20)]
    reader = TarReader(io.BytesIO(tar_of(members)))
    kept = []
    while reader.next_member() is not None:
        kept.append(memoryview(reader.read_view()).cast("H"))
    reader.close()
    assert [bytes(view) for view in kept] == [content for _, content in members]


def test_a_view_of_a_member_that_is_cut():
    reader = TarReader(io.BytesIO(tar_of([("a", b"1" * 1000)])[:700]))
    reader.next_member()
    with pytest.raises(ErrArchiveTruncated):
        reader.read_view()


def test_a_view_ends_with_its_archive():
    reader = TarReader(io.BytesIO(tar_of([("a", b"1" * 1000)])))
    reader.next_member()
    view = reader.read_view()
    reader.close()
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_an_archive_may_end_after_what_is_no_file():
    assert read_all(TarReader(io.BytesIO(_entry("folder/", b"", b"5")))) == []
