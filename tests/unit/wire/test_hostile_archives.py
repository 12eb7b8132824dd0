"""Archives that are damaged or made to do harm: parsers give values or one of our errors, in bounded work."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from contextlib import suppress
from itertools import islice

import lz4.frame
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stored_archives import NAMES, Bytes, stored

from aistore.errors import ErrArchiveFormat, ErrArchiveTruncated, InvalidArgument
from aistore.wire.archive import compression
from aistore.wire.archive import zip as zip_reader
from aistore.wire.archive.compression import GZIP, LZ4, ContentSource, DecompressingSource
from aistore.wire.archive.formats import Format, by_name, check_format, open_tar
from aistore.wire.archive.members import (
    Link,
    check_member_path,
    final_target,
    link_path,
    member_path,
    path_bytes,
)
from aistore.wire.archive.tar import TarReader, read_files
from aistore.wire.archive.tar_headers import parse_number, parse_pax, pax_map
from aistore.wire.archive.writer import ArchiveWriter
from aistore.wire.archive.zip import ZipArchive, ZipReader, member_pieces
from aistore.wire.http1.content_encoding import decode
from aistore.wire.http1.parse import MalformedMessageError

OURS = (ErrArchiveFormat, ErrArchiveTruncated)
SMALL = (
    "gnu.tar",
    "pax-1.0.tar",
    "pax-0.0.tar",
    "ustar.tar",
    "info.zip",
    "7z-lzma.zip",
    "7z-bzip2.zip",
    "zip64.zip",
)


def header(kind: bytes = b"0", size: bytes = b"00000000000\0", name: bytes = b"f", **fields: bytes) -> bytes:
    """Make a header whose checksum is right, whatever its fields are."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = size.ljust(12, b"\0")[:12]
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    for at, value in fields.items():
        start = int(at.removeprefix("at"))
        block[start : start + len(value)] = value
    return summed(block)


def summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    data = b""
    for key, value in records:
        body = f" {key}={value}\n".encode()
        size = len(body) + 1
        while len(str(size)) + len(body) != size:
            size = len(str(size)) + len(body)
        data += str(size).encode() + body
    return header(kind, b"%011o" % len(data)) + data + bytes(-len(data) % 512)


def read_tar(data: bytes, kind: Format = Format.TAR) -> list[bytes]:
    """Read a tar to its end; bounded: no member takes fewer bytes than its header."""
    content = Bytes(data)
    names = []
    reader = open_tar(content, kind, links=True)
    while (member := reader.next_member()) is not None:
        names.append(member[0])
        for _ in islice(reader.pieces(), 20):
            pass
        assert kind is not Format.TAR or len(names) <= len(data) // 512
    assert content.reads <= len(data) // 512 + 10
    return names


def read_zip(data: bytes) -> list[bytes]:
    content = Bytes(data)
    names = []
    for member in ZipArchive(content).members():
        names.append(member.name)
        with suppress(ErrArchiveFormat):
            for _ in member_pieces(content, member):
                pass
        assert member.mtime >= 0
    return names


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "field",
    [
        b"-0000001000",
        b"+0000001000",
        b"0000_001000",
        b"0o000001000",
        b"00000001008",
        b"1 1",
        b"\xff" * 12,
        b"\xc0" + bytes(11),
        "٣".encode(),
        b"0x1",
        b"1.0",
        b"1e1",
    ],
)
def test_numbers_are_octal_digits_or_base_256(field):
    with pytest.raises(ErrArchiveFormat, match="number"):
        read_tar(header(size=field) + bytes(1024))


@pytest.mark.parametrize(
    ("field", "number"),
    [(b"   17 \0", 15), (b"\0" * 12, 0), (b"\x80" + bytes(9) + b"\1\2", 258), (b"17\0\0", 15)],
)
def test_numbers_that_are(field, number):
    assert parse_number(field) == number


@pytest.mark.parametrize(
    "key", ["size", "GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.numblocks", "mtime"]
)
@pytest.mark.parametrize("value", ["9" * 5000, "-1", "\u00b2", "1_0", "0x10", " 1", "", "1" * 25])
def test_numbers_in_pax_records(key, value):
    records = [(key, value)]
    if key.startswith("GNU"):
        records += [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")] if key.endswith("realsize") else []
        records += [("GNU.sparse.map", "0,1")] if key.endswith("numblocks") else []
    data = pax(*records) + header() + bytes(1024)
    with suppress(*OURS):
        reader = TarReader(io.BytesIO(data))
        assert reader.next_member() == (b"f", 0)
        assert reader.mtime == 0
        assert key == "mtime" or not value


def test_a_record_of_5000_digits():
    with pytest.raises(ErrArchiveFormat, match="PAX"):
        parse_pax(b"9" * 5000 + b" path=x\n")


def test_a_checksum_with_signs_is_that_of_old_programs():
    block = bytearray(header(name=b"caf\xe9"))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % (sum(block) - 256)
    assert read_tar(bytes(block) + bytes(1024)) == [b"caf\xe9"]


# ---------------------------------------------------------------- the end of a tar


def test_an_empty_object_is_no_tar():
    with pytest.raises(ErrArchiveTruncated, match="is empty"):
        read_tar(b"")


def test_a_lone_block_of_zeros_is_damage():
    with pytest.raises(ErrArchiveFormat, match="after a block of zeros"):
        read_tar(header() + bytes(512) + header())


@pytest.mark.parametrize(
    "end", [b"", bytes(512), bytes(700), bytes(1024), bytes(10240), bytes(1024) + b"rest"]
)
def test_ends_of_tars(end):
    reader = TarReader(io.BytesIO(header() + end))
    assert reader.next_member() == (b"f", 0)
    for _ in range(2):
        assert reader.next_member() is None
    assert reader.end == 512


@pytest.mark.parametrize("before", [pax(("path", "x")), header(b"L", b"1") + bytes(512)])
def test_an_extended_header_without_its_member(before):
    with pytest.raises(ErrArchiveTruncated, match="extended header"):
        read_tar(before + bytes(1024))


@pytest.mark.parametrize("skips", [True, False])
def test_a_member_beyond_the_end(skips):
    data = header(size=b"7777777") + bytes(1024)
    reader = TarReader(ContentSource(Bytes(data)) if skips else io.BytesIO(data), 1024)
    assert reader.next_member() == (b"f", 0o7777777)
    with pytest.raises(ErrArchiveTruncated):
        reader.next_member()


def test_what_only_has_a_header_is_skipped_without_data():
    data = b"".join(header(kind, b"1000") for kind in (b"1", b"2", b"3", b"4", b"5", b"6")) + header(
        name=b"last"
    )
    assert read_tar(data + bytes(1024))[-1] == b"last"
    data = header(b"D", b"10") + bytes(512) + header(b"\0", b"1", b"v7/") + bytes(512) + header(name=b"last")
    assert read_tar(data + bytes(1024)) == [b"last"]


def test_star_has_times_where_posix_has_a_prefix():
    data = header(name=b"name", at345=b"prefix", at476=b"00000000000", at508=b"tar\0")
    assert read_tar(data + bytes(1024)) == [b"prefix/name"]
    assert read_tar(header(name=b"name", at257=b"ustar  \0", at345=b"15303337333") + bytes(1024)) == [b"name"]


def test_global_records_hold_until_they_are_replaced():
    data = pax(("path", "all"), ("comment", "c"), kind=b"g") + header() + pax(("path", "one")) + header()
    data += pax(("path", ""), kind=b"g") + header() + header()
    assert read_tar(data + bytes(1024)) == [b"all", b"one", b"f", b"f"]


def test_global_records_are_bounded():
    block = pax(("comment", "c" * 600_000), kind=b"g")
    with pytest.raises(ErrArchiveFormat, match="extended headers of"):
        read_tar(block * 2 + header() + bytes(1024))


# ---------------------------------------------------------------- sparse files


def sparse_10(text: bytes, realsize: str = "8192", size: int | None = None, **more: str) -> bytes:
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": realsize, **more}
    data = text + bytes(-len(text) % 512)
    return pax(*records.items()) + header(size=b"%011o" % (len(data) if size is None else size)) + data


@pytest.mark.parametrize(
    "data",
    [
        sparse_10(b"x\n"),
        sparse_10(b"1\n0\n"),
        sparse_10(b"1" * 600),
        sparse_10(b"1" * 600 + b"\n"),
        sparse_10(b"0\n", size=100),
        sparse_10(b"999999\n"),
        sparse_10(b"1\n0\n99999\n"),
        sparse_10(b"1\n0\n512\n"),
        sparse_10(b"2\n512\n0\n0\n0\n"),
        sparse_10(b"0\n", realsize=str(1 << 50)),
        sparse_10(b"0\n", **{"GNU.sparse.minor": "7"}),
        pax(("GNU.sparse.size", "9"), ("GNU.sparse.map", "1,2,3")) + header(),
        pax(("GNU.sparse.size", "9"), ("GNU.sparse.map", "0," + "9" * 15)) + header(),
        pax(("GNU.sparse.size", "9"), ("GNU.sparse.offset", "1")) + header(),
        pax(("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,0"), ("GNU.sparse.numblocks", "2")) + header(),
        header(b"S", at386=b"00000000000\x0000000001000\0", at483=b"00000000100\0"),
        header(b"S", at386=b"00000000000\x00-0000001000\0", at483=b"00000000100\0"),
        header(b"S", at482=b"\1", at483=b"00000000100\0"),
    ],
)
def test_maps_that_do_not_fit(data):
    with pytest.raises(OURS):
        read_tar(data + bytes(1024) if data[156:157] != b"S" else data)


def test_a_map_of_several_blocks():
    lines = b"300\n" + b"".join(b"%d\n0\n" % at for at in range(300))
    reader = TarReader(io.BytesIO(sparse_10(lines) + header(name=b"next") + bytes(1024)), 1024)
    assert reader.next_member() == (b"f", 8192)
    assert reader.read_member() == bytes(8192)
    assert reader.next_member() == (b"next", 0)


def test_a_time_that_is_none():
    reader = TarReader(io.BytesIO(header(at136=b"yesterday") + bytes(1024)))
    reader.next_member()
    assert reader.mtime == 0


def test_a_sparse_file_without_data():
    reader = TarReader(io.BytesIO(sparse_10(b"0\n") + header(name=b"next") + bytes(1024)))
    assert reader.next_member() == (b"f", 8192)
    assert reader.read_member() == bytes(8192)
    assert reader.next_member() == (b"next", 0)
    data = pax(("GNU.sparse.size", "0"), ("GNU.sparse.map", "")) + header() + bytes(1024)
    reader = TarReader(io.BytesIO(data))
    assert reader.next_member() == (b"f", 0)
    assert reader.read_member() == b""


def test_parts_of_a_sparse_file_are_bounded(monkeypatch):
    monkeypatch.setattr("aistore.wire.archive.tar_headers.MAX_SEGMENTS", 3)
    with pytest.raises(ErrArchiveFormat, match="more than 3 parts"):
        pax_map([b"0"] * 8, None)


def test_a_sparse_file_that_does_not_fit_into_memory(monkeypatch):
    reader = TarReader(io.BytesIO(sparse_10(b"0\n") + bytes(1024)))
    reader.next_member()

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("aistore.wire.archive.tar.io.BytesIO", no_memory)
    with pytest.raises(ErrArchiveFormat, match="memory"):
        reader.read_member()


def test_a_sparse_file_that_is_cut():
    data = stored("gnu.tar")
    reader = TarReader(io.BytesIO(data[: data.index(b"\5" * 4096) + 100]), 1024)
    while reader.next_member()[0] != b"./holes.bin":
        pass
    with pytest.raises(ErrArchiveTruncated):
        reader.read_member()


# ---------------------------------------------------------------- links


def test_links_that_lead_nowhere():
    def link(name: bytes, target: bytes, kind: bytes = b"2") -> bytes:
        return header(kind, name=name, at157=target)

    data = link(b"round", b"about") + link(b"about", b"round") + link(b"out", b"../f") + link(b"abs", b"/f")
    data += link(b"no", b"nothing", b"1") + link(b"d/up", b"../f") + link(b"again", b"d/up") + header()
    found = [name for name, _ in read_files(TarReader(io.BytesIO(data + bytes(1024)), links=True))]
    assert found == [b"f", b"d/up", b"again"]


def test_paths_of_links():
    assert link_path(b"a/b", Link(b"./c/../d", is_hard=False)) == b"a/d"
    assert link_path(b"a/b", Link(b"../../d", is_hard=False)) == b""
    assert link_path(b"a", Link(b"./d", is_hard=True)) == b"d"
    chain = {b"%d" % n: (b"%d" % n, Link(b"%d" % (n + 1), is_hard=True)) for n in range(20)}
    assert final_target(b"0", chain) == b""
    assert final_target(b"15", chain) == b"20"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"./a", b"a"),
        (b"/a", b"a"),
        (b"a//b", b"a/b"),
        (b"a/./b", b"a/b"),
        (b"../a", b"a"),
        (b"a/../b", b"b"),
        (b"a.", b"a."),
        (b"a/", b""),
        (b".", b""),
        (b"a/..", b""),
        (b"", b""),
        (b"a\x00b", b""),
        (b".a/..b", b".a/..b"),
    ],
)
def test_paths_of_members(name, path):
    assert member_path(name) == path
    assert member_path(path) == path


def test_paths_that_can_be_requested():
    assert check_member_path("./a") == "./a"
    for path in ("", "a/", "../a", "a/../b", "a\0"):
        with pytest.raises(InvalidArgument, match="archpath"):
            check_member_path(path)
    with pytest.raises(TypeError, match="archpath"):
        check_member_path(b"a")
    assert path_bytes("\udce9\ud800") == b"??"


# ---------------------------------------------------------------- compressed tars


def read_source(source: DecompressingSource) -> bytes:
    out, buffer = io.BytesIO(), bytearray(65536)
    while count := source.readinto(buffer):
        out.write(memoryview(buffer)[:count])
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "empty"), [(GZIP, gzip.compress(b"")), (LZ4, lz4.frame.compress(b""))], ids=["gzip", "lz4"]
)
def test_empty_streams_in_a_row_are_bounded(kind, empty):
    content = Bytes(empty * 300_000)
    with pytest.raises(ErrArchiveFormat, match="without any data"):
        read_source(DecompressingSource(ContentSource(content), kind))
    assert content.reads == 1


def test_short_streams_in_a_row_are_not_copied_again_and_again(monkeypatch):
    fed = []
    pull = compression._Inflater.pull

    def counted(self, data, limit):
        fed.append(len(data))
        return pull(self, data, limit)

    monkeypatch.setattr(compression._Inflater, "pull", counted)
    data = gzip.compress(b"1") * 5000
    assert read_source(DecompressingSource(io.BytesIO(data), GZIP)) == b"1" * 5000
    assert sum(fed) <= 5000 * 520


@pytest.mark.parametrize(("kind", "compress"), [(GZIP, gzip.compress), (LZ4, lz4.frame.compress)])
def test_ends_of_compressed_streams(kind, compress):
    data = compress(b"text" * 1000)
    assert read_source(DecompressingSource(io.BytesIO(data + bytes(100_000)), kind)) == b"text" * 1000
    for rest in (b"junk" * 10, bytes(70_000) + b"junk"):
        with pytest.raises(ErrArchiveFormat):
            read_source(DecompressingSource(io.BytesIO(data + rest), kind))
    for cut in (0, 1, 9, len(data) - 1):
        with pytest.raises(ErrArchiveTruncated):
            read_source(DecompressingSource(io.BytesIO(data[:cut]), kind))


@pytest.mark.parametrize("kind", [Format.TGZ, Format.LZ4])
def test_a_flipped_bit_that_only_a_checksum_shows(kind):
    tar = header(size=b"1000") + b"content!" * 64 + bytes(10240)
    packed = gzip.compress(tar, 0) if kind is Format.TGZ else lz4.frame.compress(tar, content_checksum=True)
    assert read_tar(packed, kind) == [b"f"]
    at = packed.index(b"content!") + 3
    with pytest.raises(ErrArchiveFormat):
        read_tar(packed[:at] + b"T" + packed[at + 1 :], kind)


def test_what_follows_the_end_of_a_tar_is_decompressed_to_a_bound():
    packed = gzip.compress(header() + bytes(200 << 20), 1)
    content = Bytes(packed)
    reader = open_tar(content, Format.TGZ)
    assert reader.next_member() == (b"f", 0)
    assert reader.next_member() is None
    assert reader._received + compression._MAX_TAIL < 10 << 20


def test_coded_bodies_are_decoded_by_the_same_rules():
    with pytest.raises(MalformedMessageError, match="without any data"):
        list(decode([gzip.compress(b"") * 300_000], "gzip"))
    pieces = decode([b"", gzip.compress(bytes(50 << 20))], "x-gzip")
    assert len(next(pieces)) <= 65536
    pieces.close()
    several = gzip.compress(b"one") + gzip.compress(b"two")
    assert b"".join(decode([several[at : at + 1] for at in range(len(several))], "gzip")) == b"onetwo"
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for packed in (zlib.compress(b"text"), bare.compress(b"text") + bare.flush()):
        assert b"".join(decode([packed + b"rest"], "deflate")) == b"text"
        with pytest.raises(MalformedMessageError, match="cannot undo deflate"):
            list(decode([packed[:-1]], "deflate"))
    assert list(decode([b"", b""], "gzip")) == []


def test_formats_that_are_none():
    with pytest.raises(InvalidArgument, match="archive format"):
        check_format(".rar")
    check_format(Format.LZ4)


# ---------------------------------------------------------------- zips


def zip_with(method: int = zipfile.ZIP_DEFLATED, content: bytes = b"content" * 500) -> bytearray:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("f", content)
        archive.writestr("last", b"")
    return bytearray(out.getvalue())


def test_bad_names_in_a_zip_are_names():
    data = zip_with()
    for at in (data.index(b"f"), data.rindex(b"PK\1\2", 0, data.rindex(b"PK\1\2")) + 46):
        data[at : at + 1] = b"\xff"
    central = data.index(b"PK\1\2")
    data[central + 9] |= 8  # says that the name is UTF-8
    assert read_zip(bytes(data)) == [b"\xff", b"last"]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_each_method_and_each_flipped_byte(method):
    data = zip_with(method)
    content = Bytes(bytes(data))
    first = next(ZipArchive(content).members())
    assert b"".join(member_pieces(content, first)) == b"content" * 500
    for at in range(30, min(len(data), 400)):
        changed = Bytes(bytes(data[:at]) + bytes([data[at] ^ 0x55]) + bytes(data[at + 1 :]))
        with suppress(*OURS):
            reader = ZipReader(changed)
            while reader.next_member():
                reader.read_member()


@pytest.mark.parametrize("offset", range(46))
@pytest.mark.parametrize("value", [0, 0xFF])
def test_each_byte_of_an_entry(offset, value):
    data = zip_with()
    data[data.index(b"PK\1\2") + offset] = value
    with suppress(*OURS):
        read_zip(bytes(data))


@pytest.mark.parametrize("offset", range(22))
@pytest.mark.parametrize("value", [0, 0xFF])
def test_each_byte_of_the_end(offset, value):
    for name in ("zip64.zip", "bsdtar.zip"):
        data = bytearray(stored(name))
        data[data.rindex(b"PK\5\6") + offset] = value
        with suppress(*OURS):
            read_zip(bytes(data))


@pytest.mark.parametrize("offset", range(76))
def test_each_byte_of_the_end_of_a_large_zip(offset):
    data = bytearray(stored("zip64.zip"))
    data[data.rindex(b"PK\6\6") + offset] ^= 0xFF
    with suppress(*OURS):
        read_zip(bytes(data))


def test_members_that_overlap_are_refused():
    data = zip_with(zipfile.ZIP_STORED)
    second = data.rindex(b"PK\1\2")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    with pytest.raises(ErrArchiveFormat, match="overlap"):
        ZipArchive(Bytes(bytes(data)))


def test_a_large_directory_is_not_read(monkeypatch):
    monkeypatch.setattr(zip_reader, "MAX_DIRECTORY", 60)
    content = Bytes(bytes(zip_with()))
    with pytest.raises(ErrArchiveFormat, match="a zip directory of 97 bytes: at most 60"):
        ZipArchive(content)
    assert content.reads <= 3


def test_a_bomb_is_decompressed_only_as_far_as_its_size():
    data = zip_with(content=bytes(100 << 20))
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (1000).to_bytes(4, "little")
    content = Bytes(bytes(data))
    member = next(ZipArchive(content).members())
    pieces = member_pieces(content, member)
    with pytest.raises(ErrArchiveFormat, match="another size"):
        assert sum(map(len, pieces)) <= 1001


def test_a_dictionary_of_gigabytes_is_refused():
    data = zip_with(zipfile.ZIP_LZMA)
    at = data.index(b"\x5d\0\0")
    data[at + 1 : at + 5] = b"\xff" * 4
    content = Bytes(bytes(data))
    with pytest.raises(ErrArchiveFormat, match="memory"):
        list(member_pieces(content, next(ZipArchive(content).members())))


def test_parts_of_zips():
    data = zip_with()
    end = data.rindex(b"PK\5\6")
    for at, value in ((4, 1), (8, 1), (10, 7), (12, 200), (16, 0)):
        changed = bytearray(data)
        changed[end + at] = value
        with suppress(*OURS):
            ZipArchive(Bytes(bytes(changed)))
    for cut in (1, 21, 22, 60):
        with pytest.raises(ErrArchiveFormat):
            ZipArchive(Bytes(bytes(data[:-cut])))
    assert read_zip(bytes(data) + b"PK\5\6") == [b"f", b"last"]


def with_extra(extra: bytes, *fields: int) -> bytes:
    """Make a zip of one member whose entry has an extra field, and sizes or offset of 32 ones."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("f")
        info.extra = b"\x99\x99\x02\0xy" + extra
        archive.writestr(info, b"content")
    data = bytearray(out.getvalue())
    for at in fields:
        start = data.index(b"PK\1\2") + at
        data[start : start + 4] = b"\xff" * 4
    return bytes(data)


def test_large_numbers_are_in_the_extra_field():
    size, stored, offset = 24, 20, 42
    data = with_extra(b"\1\0\x18\0" + (7).to_bytes(8, "little") * 2 + bytes(8), size, stored, offset)
    content = Bytes(data)
    member = next(ZipArchive(content).members())
    assert b"".join(member_pieces(content, member)) == b"content"
    for extra in (b"", b"\1\0\4\0abcd", b"\1\0\xff"):
        with pytest.raises(ErrArchiveFormat, match="size is missing"):
            ZipArchive(Bytes(with_extra(extra, size)))
    with pytest.raises(ErrArchiveFormat, match="zip member of"):
        ZipArchive(Bytes(with_extra(b"\1\0\x08\0" + b"\xff" * 8, size)))


def test_an_empty_zip():
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    assert list(ZipArchive(Bytes(out.getvalue())).members()) == []


def test_an_entry_that_is_cut():
    data = zip_with()
    data[data.index(b"PK\1\2") + 32] = 20  # its comment takes half of the next
    with pytest.raises(ErrArchiveFormat, match="ends early"):
        ZipArchive(Bytes(bytes(data)))


def test_an_lzma_member_of_a_few_bytes():
    data = zip_with(zipfile.ZIP_STORED, b"few")
    for start in (data.index(b"PK\3\4") + 8, data.index(b"PK\1\2") + 10):
        data[start] = zipfile.ZIP_LZMA
    content = Bytes(bytes(data))
    with pytest.raises(ErrArchiveFormat, match="another size"):
        list(member_pieces(content, next(ZipArchive(content).members())))


def test_a_member_without_a_name():
    out = io.BytesIO()
    writer = ArchiveWriter(Format.ZIP, out.write)
    writer.add("", 1, [b"1"])
    writer.close()
    with pytest.raises(ErrArchiveFormat, match="without a name"):
        ZipReader(Bytes(out.getvalue())).next_member()


# ---------------------------------------------------------------- anything at all


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(SMALL))
    data = bytearray(stored(name))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["set", "cut", "drop", "insert", "repeat"]))
        if how == "set":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=12))
        elif how == "cut":
            del data[max(at, 1) :]
        elif how == "drop":
            del data[at : at + draw(st.integers(1, 600))]
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=600))
        else:
            data[at:at] = data[at : at + 1024]
    return name, bytes(data)


@settings(max_examples=250, deadline=None)
@given(damaged())
def test_damage_of_any_kind(found):
    name, data = found
    with suppress(*OURS):
        read_zip(data) if by_name(name) is Format.ZIP else read_tar(data)


@settings(max_examples=150, deadline=None)
@given(damaged(), st.sampled_from([Format.TGZ, Format.LZ4]), st.integers(0, 10**6), st.integers(0, 255))
def test_damage_of_compressed_tars(found, kind, at, value):
    _, tar = found
    packed = bytearray(zlib.compress(tar, 1, 31) if kind is Format.TGZ else lz4.frame.compress(tar))
    packed[at % len(packed)] = value
    with suppress(*OURS):
        read_tar(bytes(packed), kind)


FIELDS = st.one_of(
    st.binary(max_size=12),
    st.from_regex(rb"[ 0-7]{0,11}[\0 ]?", fullmatch=True),
    st.integers(0, 1 << 44).map(lambda number: b"\x80" + number.to_bytes(11, "big")),
)
RECORDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "path",
                "linkpath",
                "size",
                "mtime",
                "GNU.sparse.major",
                "GNU.sparse.minor",
                "GNU.sparse.name",
                "GNU.sparse.size",
                "GNU.sparse.realsize",
                "GNU.sparse.map",
                "GNU.sparse.offset",
                "GNU.sparse.numbytes",
                "GNU.sparse.numblocks",
            ]
        ),
        st.one_of(st.text(max_size=8), st.integers(-1, 1 << 42).map(str), st.just("0,0"), st.just("1")),
    ),
    max_size=6,
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(
                header,
                st.sampled_from([bytes([kind]) for kind in b"0\x0012345679ADEgKLMNSVXx"]),
                FIELDS,
                st.binary(max_size=100),
                at157=st.binary(max_size=100),
                at386=st.binary(max_size=126),
            ),
            st.builds(lambda records: pax(*records), RECORDS),
            st.builds(lambda records: pax(*records, kind=b"g"), RECORDS),
            st.binary(min_size=512, max_size=512),
            st.just(b"1\n0\n512\n".ljust(512, b"\0")),
        ),
        max_size=8,
    )
)
@example([pax(("GNU.sparse.name", "n")), header()])
def test_headers_of_any_kind(blocks):
    with suppress(*OURS):
        read_tar(b"".join(blocks) + bytes(1024))
    with suppress(*OURS):
        list(islice(read_files(TarReader(io.BytesIO(b"".join(blocks)), links=True)), 10))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([zlib.compress, bz2.compress, lzma.compress, bytes]),
    st.integers(0, 99),
)
def test_members_of_zips_that_are_anything(content, pack, method):
    data = zip_with(zipfile.ZIP_STORED, pack(content))
    for start in (data.index(b"PK\3\4") + 8, data.index(b"PK\1\2") + 10):
        data[start] = method
    with suppress(*OURS):
        read_zip(bytes(data))


def test_all_stored_archives_are_read():
    for name in NAMES:
        read_zip(stored(name)) if by_name(name) is Format.ZIP else read_tar(stored(name))


def test_python_reads_what_is_read_here():
    with tarfile.open(fileobj=io.BytesIO(stored("pax-1.0.tar"))) as archive:
        assert archive.getmember("./holes.bin").size == 700_000
