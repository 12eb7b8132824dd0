"""`aws-chunked` bodies at every split, with the published chain of signatures."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.s3 import signature
from aistore.local.s3.aws_chunked import MAX_LINE, BadChunkSignature, BadFraming, ChunkSigner, Decoder

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = "20130524/us-east-1/s3/aws4_request"
DATE = "20130524T000000Z"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
CHUNKS = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
TRAILER_CHUNKS = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILER_SIGNATURE = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
UNSIGNED = b"5\r\nhello\r\n3\r\n\r\n!\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\n\r\n"


def _signer(seed: str) -> ChunkSigner:
    claim = signature.Claim("key", SCOPE, ("host",), seed, DATE)
    return ChunkSigner(signature.signing_key(SECRET, SCOPE), claim)


def _signed(chunks: tuple[str, ...], trailer: str = "") -> bytes:
    body = b""
    for data, digest in zip((b"a" * 65536, b"a" * 1024, b""), chunks, strict=True):
        body += f"{len(data):x};chunk-signature={digest}\r\n".encode() + data + (b"\r\n" if data else b"")
    return body + trailer.encode() + b"\r\n"


def _decode(decoder: Decoder, pieces: list[bytes]) -> bytes:
    out = b"".join(b"".join(decoder.feed(piece)) for piece in pieces)
    decoder.finish()
    return out


def test_published_chain_of_chunks() -> None:
    assert _decode(Decoder(_signer(SEED)), [_signed(CHUNKS)]) == b"a" * 66560


def test_published_chain_with_trailer() -> None:
    trailer = f"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n"
    decoder = Decoder(_signer(TRAILER_SEED), signed_trailer=True)
    assert len(_decode(decoder, [_signed(TRAILER_CHUNKS, trailer)])) == 66560
    assert decoder.trailers["x-amz-checksum-crc32c"] == "sOO8/Q=="


@pytest.mark.parametrize(
    "old", [b"aaaa", CHUNKS[1].encode(), CHUNKS[2].encode(), b";chunk-signature=" + CHUNKS[0].encode()]
)
def test_changed_chunks_are_refused(old: bytes) -> None:
    body = _signed(CHUNKS)
    new = old.translate(bytes.maketrans(b"a0", b"b1")) if b";" not in old else b""
    with pytest.raises(BadChunkSignature):
        _decode(Decoder(_signer(SEED)), [body.replace(old, new, 1)])


@pytest.mark.parametrize("trailer", ["x-amz-checksum-crc32c:AAAAAA==\r\n", ""])
def test_changed_trailers_are_refused(trailer: str) -> None:
    trailer += f"x-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n"
    with pytest.raises(BadChunkSignature, match="trailer"):
        _decode(Decoder(_signer(TRAILER_SEED), signed_trailer=True), [_signed(TRAILER_CHUNKS, trailer)])


def test_every_split() -> None:
    for cut in range(len(UNSIGNED) + 1):
        decoder = Decoder()
        assert _decode(decoder, [UNSIGNED[:cut], UNSIGNED[cut:]]) == b"hello\r\n!"
        assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}
        assert decoder.size == 8


def test_byte_by_byte() -> None:
    assert _decode(Decoder(), [UNSIGNED[i : i + 1] for i in range(len(UNSIGNED))]) == b"hello\r\n!"


@pytest.mark.parametrize("end", range(len(UNSIGNED)))
def test_truncated_bodies_are_refused(end: int) -> None:
    with pytest.raises(BadFraming):
        _decode(Decoder(), [UNSIGNED[:end]])


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"-1\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n" + b" " * MAX_LINE,
        b"4\r\nhello\r\n0\r\n\r\n",
        b"0" * (MAX_LINE + 10),
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n" + b"a:b\r\nc%d:d\r\n" * 20 + b"\r\n",
        b"0\r\n\r\nmore",
        b"",
    ],
)
def test_bad_framing(body: bytes) -> None:
    with pytest.raises(BadFraming):
        _decode(Decoder(), [body])


def test_nothing_may_follow_the_end() -> None:
    decoder = Decoder()
    decoder.feed(UNSIGNED)
    with pytest.raises(BadFraming, match="after"):
        decoder.feed(b"x")


@given(st.binary(max_size=200))
def test_any_input_decodes_or_raises_its_error(body: bytes) -> None:
    with contextlib.suppress(BadFraming, BadChunkSignature):
        _decode(Decoder(_signer(SEED)), [body])
