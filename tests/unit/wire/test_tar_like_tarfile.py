"""The tar reader reads what the standard library's reads, also where headers repeat those before them."""

import io
import tarfile

import pytest
from archives import Pieces, read_all
from hypothesis import given, settings
from hypothesis import strategies as st

from aistore.errors import ErrArchiveFormat
from aistore.wire.archive.tar import TarReader

KINDS = (
    tarfile.REGTYPE,
    tarfile.REGTYPE,
    tarfile.AREGTYPE,
    tarfile.CONTTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
)
SHORT = st.text("ab/", min_size=1, max_size=6).map(lambda text: f"n{text}n".replace("//", "/"))
NAMES = st.one_of(SHORT, SHORT, SHORT.map(lambda name: "d" * 90 + "/" + "f" * 60 + name))


@st.composite
def entries(draw):
    info = tarfile.TarInfo(draw(NAMES))
    info.type = draw(st.sampled_from(KINDS))
    info.mtime = draw(st.sampled_from([0, 0, 1, 1_700_000_000]))
    info.uname = draw(st.sampled_from(["", "", "root"]))
    content = draw(st.sampled_from([b"", b"x" * 10, b"y" * 10, b"z" * 600]))
    if info.type == tarfile.SYMTYPE:
        info.linkname = draw(st.sampled_from(["t", "t" * 120]))
    if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
        info.size = len(content)
        return info, content
    return info, b""


def written(members, format):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(entries(), max_size=12),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.lists(st.integers(0, 10_000), max_size=4),
    st.sampled_from([1024, 65536]),
)
def test_regular_files_of_any_mix(members, format, cuts, buffer_size):
    if format == tarfile.USTAR_FORMAT:
        for info, _ in members:
            info.linkname = info.linkname[:100]
    data = written(members, format)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [(info.name.encode(), archive.extractfile(info).read()) for info in archive if info.isreg()]
    assert read_all(TarReader(Pieces(data, cuts), buffer_size)) == files


@pytest.mark.parametrize("first", range(0, 512, 128))
def test_a_flipped_bit_in_a_header_like_the_one_before_is_found(first):
    members = [(tarfile.TarInfo("same"), b"") for _ in range(3)]
    good = written(members, tarfile.USTAR_FORMAT)
    for bit in range(first * 8, first * 8 + 1024):
        data = bytearray(good)
        data[512 + bit // 8] ^= 1 << bit % 8
        reader = TarReader(io.BytesIO(data))
        assert reader.next_member() == (b"same", 0)
        try:
            second = reader.next_member()
        except ErrArchiveFormat:
            continue
        # The end of the checksum's field may be zeros or spaces.
        assert second == (b"same", 0)
        assert 148 <= bit // 8 < 156


def test_zeros_end_an_archive_of_headers_that_end_in_zeros():
    header = bytearray(512)
    header[:1] = b"f"
    header[124:136] = b"00000000000\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    reader = TarReader(io.BytesIO(bytes(header) * 2 + bytes(1024)))
    assert [reader.next_member() for _ in range(3)] == [(b"f", 0), (b"f", 0), None]


def test_an_absurd_size_is_refused_where_the_rest_is_as_before():
    header = bytearray(written([(tarfile.TarInfo("f"), b"")], tarfile.USTAR_FORMAT)[:512])
    data = bytes(header)
    header[124:136] = b"\x80" + (1 << 60).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    reader = TarReader(io.BytesIO(data + header))
    assert reader.next_member() == (b"f", 0)
    with pytest.raises(ErrArchiveFormat, match="1152921504606846976"):
        reader.next_member()
