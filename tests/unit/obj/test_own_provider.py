"""Programs' own sources of bytes and of entries need only have what the 2.0.0 package asks them for."""

from unittest.mock import Mock

import pytest

from aistore.sdk.batch.extractor.archive_stream_extractor import ArchiveStreamExtractor
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.obj.content_iterator import BaseContentIterProvider
from aistore.sdk.obj.obj_file.object_file import ObjectFileReader
from aistore.sdk.obj.object_client import ObjectClient


class Letters(BaseContentIterProvider):
    def create_iter(self, offset=0, bounds=None):
        yield from (b"abc", b"de")

    def read_all(self, bounds=None):
        return b"abcde"


@pytest.fixture
def letters():
    return Letters(Mock(spec=ObjectClient), 3)


def test_bytes_are_read_into_a_buffer(letters):
    buffer = bytearray(6)
    assert letters.readinto(memoryview(buffer)) == 5
    assert buffer == b"abcde\0"
    with pytest.raises(InvalidArgument, match="4 bytes, the object at least 5"):
        letters.readinto(memoryview(bytearray(4)))


def test_bytes_are_read_as_a_file(letters):
    with ObjectFileReader(letters, 1) as file:
        assert file.read(4) == b"abcd"
        assert file.read() == b"e"


def test_an_extractor_without_formats_has_none():
    class Extractor(ArchiveStreamExtractor):
        def extract(self, response, data_stream, moss_req, moss_resp=None):
            yield from ()

    assert Extractor().get_supported_formats() == ()
