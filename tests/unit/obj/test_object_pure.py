"""Names, ranges, checksums, identities and attributes: the parts without any I/O."""

import hashlib
import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from objects import named
from requests.structures import CaseInsensitiveDict

from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.obj import object_attributes
from aistore.sdk.obj.content_iterator.body import body_length, fill
from aistore.sdk.obj.content_iterator.range_reader import RangeReader
from aistore.sdk.obj.errors import ErrChecksumMismatch, ErrObjectChanged
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.obj.obj_file.errors import (
    ObjectFileReaderMaxResumeError,
    ObjectFileReaderStreamError,
    ObjectFileReaderUnexpectedEOF,
)
from aistore.sdk.obj.object_attributes import ChunksInfo, ECInfo, ObjectAttributes
from aistore.sdk.obj.object_props import ObjectProps
from aistore.sdk.obj.read_request import _blob_headers
from aistore.wire.checksums import ChecksumCheck, new_hasher
from aistore.wire.ranges import (
    format_byte_range,
    parse_byte_range,
    parse_content_range,
    rest_of,
    split_ranges,
)


def test_uname_of_a_leading_slash_keeps_the_bucket():  # defect 3
    assert named(None, "/lead").uname == "ais/@#/bck//lead"


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("bytes=0-0", (0, 0)), ("bytes=5-", (5, None)), ("bytes=-7", (None, 7)), ("bytes=5-10", (5, 10))],
)
def test_byte_ranges(text, bounds):
    assert parse_byte_range(text) == bounds
    assert format_byte_range(bounds) == text


@pytest.mark.parametrize(
    "text",
    ["", "bytes=", "bytes=-", "bytes=-0", "bytes=5-4", "bytes=a-b", "bytes=1-2,3-4", "items=1-2", "1-2"],
)
def test_byte_ranges_that_cannot_be(text):
    with pytest.raises(ValueError):
        parse_byte_range(text)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_offset_into_a_range_is_the_rest_of_it(start, length, offset):
    data = bytes(range(200))
    for bounds, chosen in (
        ((start, start + length), data[start : start + length + 1]),
        ((start, None), data[start:]),
        ((None, length + 1), data[-length - 1 :]),
        ((None, None), data),
    ):
        if offset >= len(chosen):
            continue
        first, last = rest_of(bounds, offset)
        if (first, last) != (None, None):
            assert parse_byte_range(format_byte_range((first, last))) == (first, last)
        if first is None:
            assert data[-(last or 0) :] == chosen[offset:]
        else:
            assert data[first : None if last is None else last + 1] == chosen[offset:]


@pytest.mark.parametrize("bounds", [(0, 3), (None, 4)])
def test_offset_past_a_range(bounds):
    with pytest.raises(ValueError):
        rest_of(bounds, 4)


@given(st.integers(0, 10_000), st.integers(1, 3000))
def test_split_ranges_cover_everything_once(size, chunk):
    ranges = split_ranges(size, chunk)
    assert b"".join(bytes(end - start) for start, end in ranges) == bytes(size)
    assert all(a[1] == b[0] for a, b in pairwise(ranges))


def test_content_range():
    assert parse_content_range("bytes 2-5/10") == (2, 5, 10)
    assert parse_content_range("bytes 2-5/*") == (2, 5, None)
    assert parse_content_range("bytes */10") is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("xxhash", "44bc2cf5ad770999"),
        ("xxhash2", "44bc2cf5ad770999"),
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("crc32c", "364b3fb7"),
        ("sha256", hashlib.sha256(b"abc").hexdigest()),
        ("sha512", hashlib.sha512(b"abc").hexdigest()),
    ],
)
def test_checksums_are_those_of_the_cluster(kind, value):
    hasher = new_hasher(kind)
    hasher.update(b"a")
    hasher.update(memoryview(b"bc"))
    assert hasher.hexdigest() == value
    check = ChecksumCheck("p", kind, value.upper())
    check.update(b"abc")
    check.finish()
    check.update(b"d")
    with pytest.raises(ErrChecksumMismatch, match=kind):
        check.finish()


def test_crc32c_of_a_multipart_object():
    hasher = new_hasher("crc32c")
    hasher.update(b"AAAABBBB")
    assert hasher.hexdigest() == "c70d2fce"


def test_no_checksum_to_compare_with():
    with pytest.raises(ErrChecksumMismatch, match="no checksum"):
        ChecksumCheck("p", "none", "")


def test_identities():
    one = ObjectIdentity.from_headers(
        {"ais-checksum-type": "md5", "ais-checksum-value": "1", "ais-version": "1", "Content-Length": "5"}
    )
    assert one == ObjectIdentity("md5:1", "1", "", 5)
    one.check(ObjectIdentity(), "p")
    one.check(ObjectIdentity("md5:2", "1"), "p", checksum=False)
    for later, what in ((ObjectIdentity("md5:2"), "checksum"), (ObjectIdentity(size=6), "size")):
        with pytest.raises(ErrObjectChanged, match=f"p changed while it was read: {what}"):
            one.check(later, "p")
    assert ObjectIdentity.from_headers({"Content-Range": "bytes 0-1/9", "Content-Length": "2"}, 206).size == 9
    assert ObjectIdentity.from_headers({"Content-Range": "x"}, 206).size is None


HEADERS = {
    "Content-Length": "11",
    "Ais-Checksum-Type": "xxhash2",
    "Ais-Checksum-Value": "45ab",
    "Ais-Atime": "1795243547175247388",
    "Ais-Version": "3",
    "Ais-Location": "t[x]:mp[/p, sda]",
    "Ais-Custom-Md": "a=1, b=x=y, broken",
    "Ais-Present": "true",
    "Ais-Mirror-Paths": "[/p1 /p2]",
    "Ais-Mirror-Copies": "2",
    "Ais-Ec-Generation": "7",
    "Ais-Ec-Data": "2",
    "Ais-Ec-Parity": "1",
    "Ais-Ec-Replicated": "true",
    "Ais-Chunks-Count": "6",
    "Ais-Chunks-Max-Chunk-Size": "512",
    "Last-Modified": "Sat, 21 Nov 2026 09:17:52 GMT",
    "ETag": '"v1"',
    "Ais-Name": "obj",
    "Ais-Bucket-Name": "bck",
    "Ais-Bucket-Provider": "ais",
}


def test_attributes():
    props = ObjectProps(CaseInsensitiveDict(HEADERS))
    assert (props.size, props.checksum_type, props.checksum_value) == (11, "xxhash2", "45ab")
    assert (props.access_time, props.obj_version, props.present) == ("1795243547175247388", "3", True)
    assert (props.location, props.mirror_copies) == ("t[x]:mp[/p, sda]", 2)
    assert props.mirror_paths == ["/p1", "/p2"]
    assert props.custom_metadata == {"a": "1", "b": "x=y"}
    assert props.ec == ECInfo(7, 2, 1, True)
    assert props.chunks == ChunksInfo(6, 512)
    assert (props.last_modified, props.etag) == ("Sat, 21 Nov 2026 09:17:52 GMT", "v1")
    assert (props.name, props.bucket_name, props.bucket_provider) == ("obj", "bck", "ais")


def test_attributes_that_are_not_there():
    props = ObjectProps(CaseInsensitiveDict({"Content-Length": "many"}))
    assert (props.size, props.checksum_value, props.custom_metadata, props.present) == (0, "", {}, False)
    assert (props.mirror_paths, props.ec, props.chunks, props.etag, props.name) == ([], None, None, "", "")


def test_attributes_are_a_mapping_of_headers():
    props = ObjectProps(CaseInsensitiveDict(HEADERS))
    assert props["ais-checksum-value"] == props["AIS-CHECKSUM-VALUE"] == "45ab"
    assert props.get("nope") is None
    assert "ais-version" in props
    assert "nope" not in props
    assert dict(props) == HEADERS
    assert len(props) == len(HEADERS)
    assert CaseInsensitiveDict(HEADERS) == props
    assert ObjectAttributes(CaseInsensitiveDict())  # true, although it may be empty
    assert dict(pickle.loads(pickle.dumps(props))) == HEADERS
    assert hash(props) == hash(props)
    assert "45ab" in repr(props)


def test_old_name_of_attributes_warns():
    with pytest.warns(DeprecationWarning, match="ObjectAttributes"):
        assert object_attributes.ObjectAttributesV2 is ObjectAttributes
    with pytest.raises(AttributeError):
        _ = object_attributes.Nothing


def test_archive_config():
    assert ArchiveConfig(regex="x", mode="prefix").mode is ArchiveMode.PREFIX
    for options in ({"regex": "x"}, {"mode": ArchiveMode.PREFIX}, {"regex": "x", "mode": "no"}):
        with pytest.raises(ValueError):
            ArchiveConfig(**options)
    with pytest.raises(ValueError, match="archpath"):
        ArchiveConfig("a", "x", ArchiveMode.REGEXP)


@pytest.mark.parametrize(
    "error",
    [
        ErrObjectChanged("p", "version", 1, 2),
        ErrChecksumMismatch("p", "md5", "1", "2"),
        ObjectFileReaderMaxResumeError(OSError("x"), 3),
        ObjectFileReaderStreamError(OSError("x")),
        ObjectFileReaderUnexpectedEOF(1, 2),
    ],
)
def test_errors_pickle(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_numbers_that_headers_do_not_have():
    identity = ObjectIdentity.from_headers({"Content-Length": "many"})
    assert identity.size is None


def test_blob_download_headers():
    assert _blob_headers(BlobDownloadConfig()) == {"Ais-Blob-Download": "true"}
    assert _blob_headers(BlobDownloadConfig(chunk_size="1MiB", num_workers="4")) == {
        "Ais-Blob-Download": "true",
        "Ais-Blob-Chunk": "1MiB",
        "Ais-Blob-Workers": "4",
    }


class Short:
    """A body of three bytes."""

    def __init__(self):
        self.left = b"abc"

    def readinto(self, view):
        part, self.left = self.left[: len(view)], self.left[len(view) :]
        view[: len(part)] = part
        return len(part)


def test_filling_stops_at_the_end_of_the_body():
    assert fill(Short(), memoryview(bytearray(9))) == 3
    assert fill(Short(), memoryview(bytearray(9)), cancelled=lambda: True) == 0


@pytest.mark.parametrize("length", ["many", None, "-"])
def test_lengths_that_are_not_known(length):
    assert body_length({} if length is None else {"content-length": length}) is None


def test_a_changed_range_without_a_checksum_that_can_be_made():
    changed = ErrObjectChanged("b/o", "checksum", "a", "b")
    fetch = object.__new__(RangeReader)
    for kind, value in (("none", ""), ("md5", "0" * 32)):
        with pytest.raises(ErrObjectChanged):
            fetch._check_own_checksum(memoryview(b"x"), changed, kind, value)
