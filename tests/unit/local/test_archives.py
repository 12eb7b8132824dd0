"""Archives are written as a stream and read member by member, in every format."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistore.local.archives import by_mime, open_archive
from aistore.local.errors import InvalidRequest, NotFound
from aistore.wire.archive import zip as zip_reader
from aistore.wire.archive.formats import HEAD_SIZE, Format, by_content, by_name
from aistore.wire.archive.writer import ArchiveWriter

MEMBERS = {
    "a.txt": b"alpha",
    "dir/empty": b"",
    "dir/" + "n" * 150: b"x" * 70_000,
    "uni/\u00e4\u00f6.bin": bytes(range(256)),
}


def pack(kind, members=MEMBERS):
    out = io.BytesIO()
    writer = ArchiveWriter(kind, out.write)
    for name, data in members.items():
        half = len(data) // 2
        writer.add(name, len(data), [data[:half], data[half:]], mtime=1_700_000_000)
    writer.close()
    return out.getvalue()


@pytest.fixture(params=Format)
def kind(request):
    return request.param


def test_members_come_back_in_order(kind, store, bucket):
    store.put(bucket, f"x{kind.value}", pack(kind))
    with store.open(bucket, f"x{kind.value}") as reader:
        archive = open_archive(reader)
        assert archive.kind is kind
        assert {member.name: b"".join(pieces) for member, pieces in archive.files()} == MEMBERS


def test_a_member_is_found_by_its_path(kind, store, bucket):
    store.put(bucket, f"x{kind.value}", pack(kind))
    for path in ("dir/" + "n" * 150, "/a.txt", f"x{kind.value}/uni/\u00e4\u00f6.bin"):
        with store.open(bucket, f"x{kind.value}") as reader:
            member, pieces = open_archive(reader).find(path)
            data = b"".join(pieces)
        assert data == MEMBERS[member.name]
        assert member.size == len(data)
    with store.open(bucket, f"x{kind.value}") as reader, pytest.raises(NotFound):
        open_archive(reader).find("nope")


def test_the_format_is_known_by_content(kind, store, bucket):
    data = pack(kind)
    store.put(bucket, "noextension", data)
    assert by_content(data[:HEAD_SIZE]) is kind
    with store.open(bucket, "noextension") as reader:
        assert open_archive(reader).find("a.txt")[0].size == 5


@pytest.mark.parametrize("cut", [10, 600, -5000])
def test_a_damaged_archive_is_an_error_of_ours(kind, cut, store, bucket):
    store.put(bucket, f"x{kind.value}", pack(kind)[:cut])

    def read_all():
        with store.open(bucket, f"x{kind.value}") as reader:
            for path in MEMBERS:
                _, pieces = open_archive(reader).find(path)
                assert sum(map(len, pieces)) == len(MEMBERS[path])

    with pytest.raises((InvalidRequest, NotFound)):
        read_all()


def test_tar_and_zip_are_read_by_the_standard_library():
    with tarfile.open(fileobj=io.BytesIO(pack(Format.TAR))) as archive:
        assert archive.getnames() == list(MEMBERS)
    with zipfile.ZipFile(io.BytesIO(pack(Format.ZIP))) as archive:
        assert archive.namelist() == list(MEMBERS)
        assert archive.testzip() is None


def test_a_tar_ends_after_two_blocks_without_padding():
    assert len(pack(Format.TAR, {"a": b"x"})) == 512 + 512 + 1024


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (".tar", Format.TAR),
        ("application/x-tar", Format.TAR),
        (".tar.gz", Format.TGZ),
        ("tgz", Format.TGZ),
        ("application/gzip", Format.ZIP),
        (".tar.lz4", Format.LZ4),
    ],
)
def test_mime_texts_are_matched_as_on_the_cluster(text, kind):
    assert by_mime(text) is kind


@pytest.mark.parametrize("text", ["lz4", ".TAR", "foo", ".bogus"])
def test_unknown_mime_texts_are_refused(text):
    with pytest.raises(InvalidRequest, match="unknown mime type") as caught:
        by_mime(text)
    assert caught.value.tcode == "errUnknownMime"


@pytest.mark.parametrize(("name", "kind"), [("a.tar", Format.TAR), ("a.tar.gz", Format.TGZ), ("a.gz", None)])
def test_names_tell_the_format(name, kind):
    assert by_name(name) is kind


def test_pieces_of_another_size_than_announced_are_an_error():
    writer = ArchiveWriter(Format.TAR, lambda _: None)
    with pytest.raises(ValueError, match="3 bytes instead of 4"):
        writer.add("a", 4, [b"xyz"])


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,120}(/[a-z]{1,120}){0,3}", fullmatch=True),
        st.binary(max_size=3000),
        max_size=5,
    )
)
def test_any_members_make_a_tar_that_the_standard_library_reads(members):
    with tarfile.open(fileobj=io.BytesIO(pack(Format.TAR, members))) as archive:
        assert {info.name: archive.extractfile(info).read() for info in archive} == members


def _header(kind, size):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("extended", [b"x", b"g", b"L", b"K", b"X"])
@pytest.mark.parametrize("compressed", [False, True])
def test_headers_that_announce_gigabytes_are_not_read(store, bucket, extended, compressed):
    data = _header(extended, (1 << 33) - 1) + b"\0" * 5_000_000
    name = "x.tgz" if compressed else "x.tar"
    store.put(bucket, name, gzip.compress(data, 1) if compressed else data)
    with store.open(bucket, name) as reader, pytest.raises(InvalidRequest, match="extended headers of"):
        open_archive(reader).sound_index()


def test_global_headers_do_not_add_up(store, bucket):
    record = b"1000000 comment=" + b"y" * (1_000_000 - 17) + b"\n"
    block = _header(b"g", len(record)) + record + b"\0" * (-len(record) % 512)
    store.put(bucket, "x.tar", block * 3 + pack(Format.TAR))
    with store.open(bucket, "x.tar") as reader, pytest.raises(InvalidRequest, match="extended headers of"):
        open_archive(reader).sound_index()


def test_a_large_directory_of_a_zip_is_not_read(store, bucket, monkeypatch):
    data = pack(Format.ZIP)
    (size,) = struct.unpack("<L", data[-10:-6])
    store.put(bucket, "x.zip", data)
    for limit, names in ((size, list(MEMBERS)), (size - 1, None)):
        monkeypatch.setattr(zip_reader, "MAX_DIRECTORY", limit)
        with store.open(bucket, "x.zip") as source:
            archive = open_archive(source)
            if names:
                assert [member.name for member, _ in archive.files()] == names
                continue
            with pytest.raises(InvalidRequest, match=f"a zip directory of {size} bytes: at most {limit}"):
                list(archive.files())


def test_damage_that_shows_while_a_member_is_read(store, bucket):
    packed = bytearray(pack(Format.ZIP, {"a": b"a" * 1000}))
    central = packed.rfind(b"PK\x01\x02")
    packed[central + 24 : central + 28] = (5).to_bytes(4, "little")
    store.put(bucket, "x.zip", bytes(packed))
    with store.open(bucket, "x.zip") as reader, pytest.raises(InvalidRequest, match=r"is not a sound \.zip"):
        [list(pieces) for _, pieces in open_archive(reader).files()]
