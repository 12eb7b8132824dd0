"""Archives that GNU tar, bsdtar, git, Info-ZIP and 7z made are read, and appended to without a loss."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest
from archives import Pieces
from stored_archives import NAMES, UNREADABLE, Bytes, files_in, stored

from aistore.errors import ErrArchiveFormat, ErrArchiveTruncated
from aistore.sdk.models.listing import BucketList
from aistore.wire.archive.formats import Format, by_content, by_name, open_tar
from aistore.wire.archive.members import member_path, path_text
from aistore.wire.archive.tar import TarReader, read_files
from aistore.wire.archive.unreadable import HEADER_UNREADABLE, parse_unreadable, unreadable_header
from aistore.wire.archive.writer import ArchiveWriter
from aistore.wire.archive.zip import ZipArchive, ZipReader, member_pieces

TARS = [name for name in NAMES if name.endswith(".tar")]
ZIPS = [name for name in NAMES if name.endswith(".zip")]
NEW = "new/caf\udce9.txt"
SPARSE = ["gnu.tar", "pax-0.0.tar", "pax-0.1.tar", "pax-1.0.tar", "bsdtar.tar"]


def files_of(reader: TarReader) -> dict[str, bytes]:
    return {path_text(member_path(name)): content for name, content in read_files(reader)}


@pytest.mark.parametrize("name", TARS)
@pytest.mark.parametrize("buffer_size", [1024, 65536])
def test_tars(name, buffer_size):
    reader = TarReader(io.BytesIO(stored(name)), buffer_size, links=True)
    assert files_of(reader) == files_in(name)


@pytest.mark.parametrize("name", TARS)
def test_tars_that_arrive_in_pieces(name):
    data = stored(name)
    assert files_of(TarReader(Pieces(data, range(0, len(data), 509)), 700, links=True)) == files_in(name)


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("read", ["read_member", "read_view", "pieces", "skip"])
def test_sparse_files_are_read_whole(name, read):
    reader = TarReader(io.BytesIO(stored(name)), 1024)
    found = {}
    while (member := reader.next_member()) is not None:
        path, size = member_path(member[0]).decode(), member[1]
        if read == "skip":
            assert size == len(files_in(name)[path])
            continue
        content = getattr(reader, read)()
        found[path] = b"".join(content) if read == "pieces" else bytes(content)
    if read != "skip":
        assert found == {path: data for path, data in files_in(name).items() if path in found}
        assert "holes.bin" in found


@pytest.mark.parametrize("name", SPARSE)
def test_what_follows_a_sparse_file_that_is_read_in_part(name):
    reader = TarReader(io.BytesIO(stored(name)), 1024)
    names = []
    while (member := reader.next_member()) is not None:
        names.append(member[0])
        next(reader.pieces(), b"")
    assert len(names) == len({*names}) >= 5


@pytest.mark.parametrize("name", ZIPS)
def test_zips(name):
    content = Bytes(stored(name))
    archive = ZipArchive(content)
    found = {
        member.name.decode(): b"".join(member_pieces(content, member))
        for member in archive.members()
        if not (member.fault or member.is_link or member.name.endswith(b"/"))
    }
    assert found == {path: data for path, data in files_in(name).items() if path != "soft"}
    assert archive.comment == (b"note" if name in ("info.zip", "prefixed.zip") else b"")
    faults = [member for member in archive.members() if member.fault]
    assert bool(faults) == (name in UNREADABLE)
    for member in faults:
        with pytest.raises(ErrArchiveFormat, match=r"is encrypted|compressed by method"):
            list(member_pieces(content, member))


def test_links_in_zips_are_told():
    links = {member.name for member in ZipArchive(Bytes(stored("info.zip"))).members() if member.is_link}
    assert links == {b"soft", b"out"}


def test_a_zip_reader_gives_files_in_turn():
    reader = ZipReader(Bytes(stored("bsdtar.zip")))
    assert reader.next_member() == (b"a.txt", 6)
    assert reader.has_more_at_hand()
    assert reader.read_member() == b"alpha\n"
    assert reader.next_member() == (b"sub/b.bin", 4)
    assert not reader.has_more_at_hand()
    assert reader.next_member() is None


# ---------------------------------------------------------------- append


def appended(kind: Format, data: bytes) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(kind, out.write)
    writer.keep(Bytes(data))
    writer.add(NEW, 3, [b"n", b"ew"], mtime=1_700_000_000)
    writer.close()
    return out.getvalue()


def compressed(kind: Format, tar: bytes) -> bytes:
    source = io.BytesIO()
    writer = ArchiveWriter(kind, source.write)._writer
    writer._write(tar)
    source.write(writer._compressor.flush() if writer._compressor else b"")
    return source.getvalue()


def decompressed(kind: Format, data: bytes) -> bytes:
    reader = open_tar(Bytes(data), kind)
    source, out = reader._source, io.BytesIO()
    buffer = bytearray(65536)
    while count := source.readinto(buffer):
        out.write(memoryview(buffer)[:count])
    return out.getvalue()


@pytest.mark.parametrize("name", TARS)
@pytest.mark.parametrize("kind", [Format.TAR, Format.TGZ, Format.LZ4])
def test_append_keeps_every_member_of_a_tar(name, kind):
    before = stored(name)
    after = decompressed(kind, appended(kind, compressed(kind, before)))
    assert before.rstrip(b"\0") == after[: len(before.rstrip(b"\0"))]
    assert files_of(TarReader(io.BytesIO(after), links=True)) == files_in(name) | {NEW: b"new"}
    with tarfile.open(fileobj=io.BytesIO(after), errors="surrogateescape") as archive:
        last = archive.getmembers()[-1]
        assert (last.name, last.mtime) == (NEW, 1_700_000_000)
        assert archive.extractfile(last).read() == b"new"


@pytest.mark.parametrize("name", ZIPS)
def test_append_keeps_every_member_of_a_zip(name):
    before = stored(name)
    after = appended(Format.ZIP, before)
    start = ZipArchive(Bytes(before)).directory_offset
    assert after[:start] == before[:start]
    with zipfile.ZipFile(io.BytesIO(before)) as one, zipfile.ZipFile(io.BytesIO(after)) as two:
        assert two.comment == one.comment
        for old, new in zip(one.infolist(), two.infolist(), strict=False):
            for field in (
                "filename",
                "date_time",
                "external_attr",
                "extra",
                "comment",
                "header_offset",
                "CRC",
            ):
                assert getattr(old, field) == getattr(new, field)
        assert len(two.infolist()) == len(one.infolist()) + 1
        assert two.read(two.infolist()[-1]) == b"new"
    assert list(ZipArchive(Bytes(after)).members())[-1].name == b"new/caf\xe9.txt"


def test_append_says_itself_what_global_records_say_of_all():
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"mtime": "5"}
    ) as archive:
        info = tarfile.TarInfo("a")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"1"))
    assert b"mtime=5" in out.getvalue()
    after = appended(Format.TAR, out.getvalue())
    with tarfile.open(fileobj=io.BytesIO(after), errors="surrogateescape") as archive:
        assert [(info.name, info.mtime, info.size) for info in archive] == [
            ("a", 5, 1),
            (NEW, 1_700_000_000, 3),
        ]


def test_append_twice_with_another_tool_between():
    data = stored("info.zip")
    for _ in range(2):
        data = appended(Format.ZIP, data)
    changed = io.BytesIO(data)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("python", b"3")
    data = appended(Format.ZIP, changed.getvalue())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist().count("python") == 1
        assert len(archive.namelist()) == 13


@pytest.mark.parametrize("kind", [Format.TAR, Format.TGZ, Format.ZIP, Format.LZ4])
def test_a_damaged_archive_is_not_appended_to(kind):
    for data in (b"junk" * 500, b""):
        with pytest.raises((ErrArchiveFormat, OSError)):
            appended(kind, data)


def test_an_archive_that_shrinks_while_it_is_kept():
    class Shrinking(Bytes):
        def read_at(self, offset, size):
            data = super().read_at(offset, size)
            if offset + len(data) == self.size:
                self.data = self.data[:600]
            return data

    writer = ArchiveWriter(Format.TAR, lambda _: None)
    with pytest.raises(ErrArchiveTruncated):
        writer.keep(Shrinking(stored("ustar.tar")))


@pytest.mark.parametrize("limit", [5, 200])
def test_large_zips(monkeypatch, limit):
    monkeypatch.setattr("aistore.wire.archive.writer._LARGE", limit)
    out = io.BytesIO()
    archive = ArchiveWriter(Format.ZIP, out.write)
    members = {f"{n}": bytes([n]) * n * 100 for n in range(5)}
    for name, content in members.items():
        archive.add(name, len(content), [content], mtime=1_700_000_000)
    archive.close()
    data = out.getvalue()
    content = Bytes(data)
    read = {member.name: b"".join(member_pieces(content, member)) for member in ZipArchive(content).members()}
    assert read == {name.encode(): content for name, content in members.items()}
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert {name: other.read(name) for name in other.namelist()} == members
        assert other.infolist()[0].date_time[:3] == (2023, 11, 14)
    again = appended(Format.ZIP, data)
    with zipfile.ZipFile(io.BytesIO(again)) as other:
        assert other.testzip() is None


def test_content_types():
    assert [kind.content_type for kind in Format] == [
        "application/x-tar",
        "application/gzip",
        "application/zip",
        "application/x-lz4",
    ]


def test_names_of_formats():
    assert [by_name(name) for name in ("a.tar.lz4", "a.tar.gz", "a.TAR")] == [Format.LZ4, Format.TGZ, None]
    assert by_content(b"junk") is None


# ---------------------------------------------------------------- the header that names archives


def test_names_of_unreadable_archives():
    names = [f"a, b/{number};\u00e9\udce9%.tar" for number in range(25)]
    for count in (1, 20):
        value = unreadable_header(names[:count])
        assert value.isascii()
        assert parse_unreadable(value) == (names[:count], count)
    assert unreadable_header(["x y.tar"]) == "x%20y.tar"
    assert parse_unreadable(unreadable_header(names)) == (names[:20], 25)
    assert parse_unreadable("a; count=" + "9" * 5000) == ([], 0)
    assert parse_unreadable("") == ([], 0)


def test_a_page_takes_them_from_its_header():
    page = BucketList(UUID="u", ContinuationToken="", Flags=0)
    page.take_headers({HEADER_UNREADABLE: unreadable_header(["a b.tar"])})
    assert (page.unreadable, page.unreadable_count) == (["a b.tar"], 1)
    page.take_headers({})
    assert BucketList(UUID="u", ContinuationToken="", Flags=0).unreadable == []
