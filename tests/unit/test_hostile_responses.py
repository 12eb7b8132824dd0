"""Any bytes of a peer end in a response or in an error of the SDK."""

import contextlib
import gzip
import json

import msgspec
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import Answer, scripted

from aistore.sdk import types
from aistore.sdk.bucket import Bucket
from aistore.sdk.const import MSGPACK_CONTENT_TYPE
from aistore.sdk.decoding import decode_answer
from aistore.sdk.errors import AISError, AISProtocolError, ErrInvalidResponse, SDKError
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.transport.response import Response, Sent
from aistore.wire.http1.parse import ResponseHead
from aistore.wire.serialization import parse_json
from aistore.wire.times import LONGEST_WAIT, parse_http_date, parse_retry_after

DEEP = b"[" * 200_000
MODELS = sorted(
    {
        value
        for value in vars(types).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__.startswith("aistore")
    },
    key=lambda model: model.__name__,
)
FIELDS = sorted({name for model in MODELS for name in model.__struct_encode_fields__})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "1s", "9" * 30 + "h", "2026-11-30T25:00:00Z", "1-1-1", "ais", "\udcff"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


def response(content, **headers):
    fields = {"content-length": str(len(content)), **{k.replace("_", "-"): v for k, v in headers.items()}}
    head = ResponseHead(200, "OK", 11, list(fields.items()), fields)
    return Response(head, "http://h/x", Sent("GET", "http://h/x"), None, content, 0.0)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(MODELS), JSON | st.binary(max_size=50))
def test_any_body_is_a_model_or_the_one_error(model, value):
    bodies = [value, value] if isinstance(value, bytes) else [encoded(value), packed(value)]
    for body, content_type in zip(bodies, ("application/json", MSGPACK_CONTENT_TYPE), strict=True):
        with contextlib.suppress(ErrInvalidResponse):
            decode_answer(model, response(body, content_type=content_type))


def encoded(value):
    return json.dumps(value).encode("utf-8", "surrogatepass")


def packed(value):
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError, msgspec.EncodeError):
        return b"\xc1"


@pytest.mark.parametrize("content_type", ["application/json", MSGPACK_CONTENT_TYPE])
@pytest.mark.parametrize("body", [DEEP, b"\x91" * 200_000, b'{"a":' * 100_000, b"\xff", b"1" * 5000])
def test_bodies_that_break_decoders(body, content_type):
    for model in (types.Smap, types.BucketList):
        with pytest.raises(ErrInvalidResponse):
            decode_answer(model, response(body, content_type=content_type))
    with pytest.raises(ValueError, match=r"."):
        parse_json(b"[" + body)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response(b"[" + body).json()


@pytest.mark.parametrize(
    "body", [DEEP, b'{"message":' + DEEP, b'{"tcode":"\xff"}', b'{"status":' + b"1" * 5000]
)
@pytest.mark.parametrize(
    "charset", ["utf-8", "idna", "punycode", "undefined", "unicode_escape", "no\0ne", "base64", ""]
)
def test_error_bodies(body, charset):
    headers = {"Content-Type": f"text/plain; charset={charset}".replace("\0", "")}
    with scripted(lambda _: Answer(body, 418, headers)) as (_, client):
        with pytest.raises(AISError):
            client.request("get", "daemon")


@pytest.mark.parametrize(
    "content_type", ["text/x; charset=idna", "text/x; charset", "text/x; charset=\0", "text/x;;=", ";"]
)
def test_text_in_no_character_set(content_type):
    got = response(b"\xffabc", content_type=content_type)
    assert got.encoding in (None, "ISO-8859-1")
    assert isinstance(got.text, str)
    assert "".join(map(str, got.iter_lines()))
    got = response("h\u00e9".encode("latin-1"), content_type="text/x; charset=latin-1")
    assert got.text == "h\u00e9"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("body", [b"", b"x", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 20])
def test_broken_codings(body, coding):
    for read in (
        lambda r: r.content,
        lambda r: r.text,
        lambda r: list(r.iter_content(3)),
        lambda r: r.json(),
    ):
        with contextlib.suppress(AISProtocolError, requests.exceptions.JSONDecodeError):
            read(response(body, content_encoding=coding))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("\u00b2", None),
        ("\u0667", None),
        ("-1", None),
        ("1.5", None),
        ("1_0", None),
        ("", None),
        (None, None),
        ("9" * 5000, LONGEST_WAIT),
        ("Mon, 30 Nov 2026 00:00:07 GMT", 7.0),
        ("Mon, 30 Nov 2026 00:00:00 -0001", 60.0),
        ("Mon, 30 Nov 2020 00:00:00 GMT", 0.0),
        ("Mon, 30 Nov 2026 00:00:00 +99999999999999999999", 0.0),
        ("Mon, 30 Nov 99999 00:00:00 GMT", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after(value, seconds):
    now = parse_http_date("Mon, 30 Nov 2026 00:00:00 GMT")
    assert parse_retry_after(value, now) == seconds


DATE = st.from_regex(
    r"\A[A-Z][a-z]{2}, [0-9]{1,4} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,9} [+-]?[0-9A-Z]{0,25}\Z"
)


@given(st.text(max_size=40) | DATE)
def test_any_retry_after_is_a_wait_or_none(value):
    wait = parse_retry_after(value, 1.8e9)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
    date = parse_http_date(value)
    assert date is None or isinstance(date, float)


@pytest.mark.parametrize("value", ["\u00b2", "Mon, 30 Nov 2026 00:00:00 +99999999999999999999", "soon", "-1"])
@pytest.mark.parametrize("own", [False, True])
def test_odd_waits_end_in_the_servers_error(value, own):
    import urllib3

    retry = urllib3.Retry(total=1, backoff_factor=0, status_forcelist=[503], respect_retry_after_header=True)
    config = RetryConfig(
        http_retry=retry, network_retry=None, cold_get_conf=RetryConfig.default().cold_get_conf
    )
    with scripted(lambda _: Answer(b"busy", 503, {"Retry-After": value})) as (server, client):
        if own:
            client._retry_manager._retry_config = config
        client._retry_manager.budget = client._retry_manager.budget._replace(total=0.05, first=0.01)
        with pytest.raises(SDKError, match="busy"):
            client.request("get", "daemon")
        assert len(server.requests) >= 1


def test_headers_of_any_text():
    odd = {
        "Ais-Version": "\u00ff",
        "Ais-Mirror-Copies": "\u00b2",
        "Content-Length": "0",
        "Last-Modified": "never",
    }
    with scripted(lambda _: Answer(b"", 200, odd)) as (_, client):
        props = Bucket("b", client).object("o").head("version,copies")
        assert (props.mirror_copies, props.size, props.obj_version) == (0, 0, "\u00ff")


@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "call",
    [lambda b: b.object("o").get_reader().read_all(), lambda b: b.list_objects()],
    ids=["streamed", "at once"],
)
def test_the_text_of_an_error_is_bounded(call, chunked, coding):
    text = b"x" * (8 << 20)
    body = gzip.compress(text) if coding else text
    headers = {"Content-Encoding": coding} if coding else {}
    with scripted(lambda _: Answer(body, 400, headers, chunked=chunked)) as (_, client):
        with pytest.raises(AISError) as caught:
            call(Bucket("b", client))
    assert 1 << 20 <= len(caught.value.message) < 1 << 21
    assert set(caught.value.message) == {"x"}
