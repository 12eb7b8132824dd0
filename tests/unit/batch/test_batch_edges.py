"""Get-Batch: damage and surprises that the other tests do not come by."""

import tarfile

import lz4.frame
import pytest
from archives import Pieces, archive_of, read_all, tar_of
from recording_client import RecordingClient, answer

from aistore.sdk.batch.archives import SpooledZip
from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.errors import ErrBatchMismatch
from aistore.sdk.batch.multipart.multipart_decoder import MultipartDecoder
from aistore.sdk.batch.pairing import pair_members
from aistore.sdk.batch.results import BatchResults
from aistore.sdk.batch.types import MossIn, MossOut, MossReq, MossResp
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import ErrArchiveFormat, InvalidArgument
from aistore.wire.archive.compression import DecompressingSource
from aistore.wire.archive.tar import TarReader
from aistore.wire.archive.tar_headers import parse_pax


def test_frames_of_lz4_follow_each_other():
    tar = tar_of([("a", b"1" * 5000)])
    data = lz4.frame.compress(tar[:3000]) + lz4.frame.compress(tar[3000:])
    source = DecompressingSource(Pieces(data, range(0, len(data), 7)), "lz4")
    assert read_all(TarReader(source)) == [(b"a", b"1" * 5000)]


def test_an_extended_header_that_is_none():
    header = bytearray(tar_of([("a", b"")])[:512])
    header[156:157] = b"x"
    header[124:136] = b"00017777777\0"  # 4 MiB - 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(ErrArchiveFormat, match="extended headers of"):
        TarReader(Pieces(bytes(header), [])).next_member()


def test_records_of_extended_headers():
    assert parse_pax(b"11 path=ab\n\0\0") == {b"path": b"ab"}
    with pytest.raises(ErrArchiveFormat, match="PAX"):
        parse_pax(b"11 path=ab\nnoise")


def test_a_zip_reader_that_read_nothing_closes():
    SpooledZip(Pieces(archive_of(".zip", []), [])).close()


def test_names_in_buckets_of_their_own():
    batch = Batch(RecordingClient()).add("o", bck="b", provider="ais")
    assert batch.requests_list == [MossIn(obj_name="o", bck="b", provider="ais")]


def test_results_answer_like_requests():
    result = MossOut.model_validate({"objname": "o", "bucket": "b", "provider": "ais", "opaque": "eA=="})
    assert (result.bck, result.opaque) == ("b", b"x")
    assert MossOut.model_validate(result) is result
    own = {"obj_name": "o", "bucket": "b", "provider": "ais", "opaque": b"x"}
    assert MossOut.model_validate(own).opaque == b"x"


def test_an_empty_boundary():
    with pytest.raises(InvalidArgument, match="boundary"):
        list(MultipartDecoder().decode(answer("", headers={"Content-Type": 'multipart/mixed; boundary=""'})))


def test_a_list_with_more_than_was_asked_for():
    entry = MossOut(obj_name="o", bucket="b", provider="ais")
    with pytest.raises(ErrBatchMismatch, match="lists 2 entries, 1 were asked for"):
        list(pair_members(None, MossReq(moss_in=[MossIn(obj_name="o")]), MossResp(out=[entry, entry])))


def test_long_names_in_the_form_of_gnu():
    name = "n" * 300
    assert read_all(TarReader(Pieces(tar_of([(name, b"1")], tarfile.GNU_FORMAT), []))) == [
        (name.encode(), b"1")
    ]


def test_texts_that_are_more_than_text_are_names_too():
    class Name(str):
        __slots__ = ()

    batch = Batch(RecordingClient(), bucket=Bucket("b", None)).add(Name("o"))
    assert [(entry.obj_name, entry.bck) for entry in batch.requests_list] == [("o", "b")]


def test_results_that_were_never_made_are_dropped_quietly():
    BatchResults.__new__(BatchResults).__del__()


@pytest.mark.parametrize("raw", [b"caf\xe9", b"caf\xef\xbf\xbd"])
def test_a_missing_member_whose_name_is_not_utf8(raw):
    name = raw.decode(errors="surrogateescape")

    def reader():
        return TarReader(Pieces(tar_of([(f"__404__/b/s.tar/{name}", b"")], tarfile.GNU_FORMAT), []))

    entry = MossIn(obj_name="s.tar", bck="b", archpath="caf\udce9")
    listed = MossOut(obj_name="s.tar", bucket="b", provider="ais", archpath=name, err_msg="does not exist")
    for listing in (None, MossResp(out=[listed])):
        ((result, content),) = pair_members(reader(), MossReq(moss_in=[entry], cont_on_err=True), listing)
        assert content == b""
        assert "does not exist" in result.err_msg
