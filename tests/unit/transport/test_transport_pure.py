"""Redirects, URLs, names, request heads and retry decisions: pure functions."""

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk import errors
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, InvalidEndpoint
from aistore.sdk.transport.call import own_fields
from aistore.sdk.transport.members import map_origins
from aistore.sdk.transport.redirect import MAX_HOPS, SIGNED, TooManyHopsError, follow
from aistore.sdk.transport.retry import (
    Budget,
    Cause,
    cause_of_error,
    cause_of_status,
    is_idempotent,
    next_pause,
)
from aistore.sdk.transport.url import (
    encode_params,
    encode_path,
    parse_base,
    parse_origin,
    split_url,
)
from aistore.wire.http1.parse import MalformedMessageError
from aistore.wire.http1.write import encode_head, encode_lines, encode_token

# ---------------------------------------------------------------- redirects


def test_location_is_kept_byte_for_byte():
    location = "http://127.0.0.1:8081/v1/objects/b/a%2fb%20c//./x?provider=ais&pid=P&utm=dn0"
    step = follow(301, location, "http://h:1", 0)
    assert step is not None
    assert step.origin + step.target == location
    assert step.keep_body


@pytest.mark.parametrize(
    ("location", "origin", "target"),
    [
        ("/v1/x", "http://h:1", "/v1/x"),
        ("?a=b", "http://h:1", "/?a=b"),
        ("http://g:2", "http://g:2", "/"),
        ("https://g:2?x=y", "https://g:2", "/?x=y"),
        ("http://g:2/x#frag", "http://g:2", "/x"),
    ],
)
def test_forms_of_location(location, origin, target):
    step = follow(307, location, "http://h:1", 0)
    assert (step.origin, step.target) == (origin, target)


@pytest.mark.parametrize(
    "location",
    [None, "", "ftp://h/x", "http://u:p@h/x", "http://h/a b", "x/y", "//evil/x y", "http:/x", "javascript:1"],
)
def test_unusable_location_is_an_error(location):
    with pytest.raises(MalformedMessageError):
        follow(307, location, "http://h:1", 0)


def test_statuses_and_hop_cap():
    for status in (200, 206, 300, 304, 404, 500):
        assert follow(status, "/x", "http://h:1", 0) is None
    assert not follow(303, "/x", "http://h:1", 0).keep_body
    with pytest.raises(TooManyHopsError):
        follow(307, "/x", "http://h:1", MAX_HOPS)


def test_signature_parameters():
    assert SIGNED.search("http://h/x?provider=ais&vpams=3&x=1&u=2")
    assert not SIGNED.search("http://h/x?provider=ais&pid=P&utm=Z")


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://h", "h", 80),
        ("https://H:444", "h", 444),
        ("http://[::1]:8080", "::1", 8080),
        ("https://[::1]", "::1", 443),
        ("HTTP://10.0.0.1:1", "10.0.0.1", 1),
    ],
)
def test_origins(text, host, port):
    origin = parse_origin(text)
    assert (origin.host, origin.port) == (host, port)


def test_one_origin_has_one_key():
    assert parse_origin("http://H").key == parse_origin("http://h:80").key


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "localhost:8080", "127.0.0.1", "ftp://h:1", "http://", "http://h:0", "http://h:99999",
        "http://h:x", "http://u:p@h:1", "http://h:1?x", "http://h:1#x", "http://h h:1", "http:///v1",
        "http://h:1/a b", "//h:1",
        "http://[::1:80",
    ],
)  # fmt: skip
def test_malformed_endpoint_names_the_form(endpoint):  # defect 22
    with pytest.raises(InvalidEndpoint, match="http://host:port"):
        parse_base(endpoint)


def test_user_info_is_not_shown():
    with pytest.raises(InvalidEndpoint) as info:
        parse_base("http://user:sesame@h:1")
    assert "sesame" not in str(info.value)


def test_endpoint_of_another_type():
    with pytest.raises(InvalidArgumentType):
        parse_base(8080)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("http://h:1/gateway", "http://h:1/gateway/v1"),
        ("https://[::1]:2", "https://[::1]:2/v1"),
    ],
)
def test_api_version_is_added(endpoint, url):
    assert parse_base(endpoint).url == url


def test_split_url():
    assert split_url("http://h:1/v1/a?b=c#d") == ("http://h:1", "/v1/a?b=c")
    assert split_url("http://h:1") == ("http://h:1", "/")
    with pytest.raises(InvalidEndpoint):
        split_url("/v1/a")


def test_map_origins():
    node = {"public_net": {"direct_url": "http://10.0.0.1:8081"}, "intra_data_net": {"direct_url": ""}}
    smap = {"tmap": {"t": node}, "pmap": None}
    assert map_origins(smap) == {("http", "10.0.0.1", 8081)}


# ---------------------------------------------------------------- paths and parameters


def test_path_encoding_never_collapses():
    assert encode_path("objects/b/a//b/./../c") == "objects/b/a//b/./../c"
    assert encode_path("a b#c%zz%20\u00e9") == "a%20b%23c%25zz%20%C3%A9"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"])),
            st.lists(st.text("ab &=", max_size=4), max_size=3),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_params_as_requests_encodes_them(params):
    expected = requests.models.RequestEncodingMixin._encode_params(params)
    assert encode_params(params) == expected


# ---------------------------------------------------------------- request heads


def test_head_of_a_request():
    head = encode_head("GET", "/v1/x", "h:1", own_fields({"Range": "bytes=0-1"}), b"")
    assert head.startswith(b"GET /v1/x HTTP/1.1\r\nHost: h:1\r\n")
    assert b"\r\nRange: bytes=0-1\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert b"application/json" not in own_fields({})  # defect 35


def test_callers_fields_replace_defaults_but_not_framing():
    fields = own_fields(
        {
            "user-agent": "x/1",
            "Content-Length": "7",
            "Authorization": "Bearer t",
            "Accept": None,
            "A": ["1", "2"],
        }
    )
    assert fields.count(b"ser-") == 1
    assert b"user-agent: x/1" in fields
    assert b"Content-Length" not in fields
    assert b"Authorization" not in fields
    assert b"A: 1\r\nA: 2\r\n" in fields


@pytest.mark.parametrize("headers", [{"A": "x\r\nB: y"}, {"A\r\nB": "x"}, {"A": "x\0"}, {"": "x"}, {1: "x"}])
def test_header_injection_is_refused(headers):
    with pytest.raises(InvalidArgument):
        own_fields(headers)


def test_values_beyond_latin_1_travel_as_utf_8():
    assert "A: \u20ac".encode() in own_fields({"A": "\u20ac"})
    assert b"A: \xe9" in own_fields({"A": "\u00e9"})


def test_token_goes_before_the_callers_field():
    assert encode_token("t", {"authorization": "Bearer other"}) == b"Authorization: Bearer t\r\n"
    assert encode_token("", {"authorization": "Bearer other"}) == b"Authorization: Bearer other\r\n"
    assert encode_token("", None) == b""
    with pytest.raises(InvalidArgument) as info:
        encode_token("sesame\r\nX: y", None)
    assert "sesame" not in str(info.value)


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("get", "objects/b/o", True),
        ("GET", "ml/moss/b", True),
        ("head", "x", True),
        ("delete", "objects/b/o", True),
        ("put", "objects/b/o?provider=ais", True),
        ("put", "/v1/objects/b/o", True),
        ("put", "objects/b/o?append_type=append&append_handle=", False),
        ("put", "objects/b/o?provider=ais&archpath=x", False),
        ("put", "objects/b/o?partNumber=1&uploadId=x", False),
        ("put", "etl", False),
        ("put", "cluster", False),
        ("post", "buckets/b", False),
        ("patch", "objects/b/o", False),
    ],
)
def test_what_may_be_sent_twice(method, target, expected):  # defect 4
    assert is_idempotent(method, target) is expected


def test_causes():
    refused = errors.AISConnectionRefused("x")
    refused.may_have_run = False
    assert cause_of_error(refused) is Cause.NO_ENDPOINT
    refused.redirected = True
    assert cause_of_error(refused) is Cause.NOT_SENT
    slow = errors.AISConnectTimeout("x")
    slow.may_have_run = False
    assert cause_of_error(slow) is Cause.NOT_SENT
    assert cause_of_error(errors.AISReadTimeout("x")) is Cause.UNCERTAIN
    assert cause_of_error(errors.AISChunkedEncodingError("x")) is Cause.UNCERTAIN
    for final in (errors.AISSSLError("x"), errors.AISProtocolError("x"), errors.InvalidArgument("x")):
        assert cause_of_error(final) is None
    assert cause_of_error(requests.ConnectTimeout()) is Cause.NOT_SENT
    assert cause_of_error(requests.ReadTimeout()) is Cause.UNCERTAIN
    assert cause_of_status(500, "get") is None
    assert cause_of_status(503, "post") is Cause.REFUSED_BUSY
    assert cause_of_status(504, "get") is Cause.GATEWAY
    assert cause_of_status(409, "get") is Cause.CONFLICT
    assert cause_of_status(409, "put") is None


def pause(cause, attempt=1, elapsed=0.0, idempotent=True, retry_after=None, random=0.0):
    return next_pause(
        cause,
        attempt,
        elapsed,
        idempotent=idempotent,
        retry_after=retry_after,
        budget=Budget(),
        random=lambda: random,
    )


def test_pauses_grow_to_a_limit_with_jitter():
    assert [pause(Cause.NOT_SENT, n) for n in range(1, 9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0]
    assert pause(Cause.NOT_SENT, 2, random=1.0) == 0.1


def test_budgets():  # defect 18
    assert pause(Cause.NO_ENDPOINT, 1, 4.95) is None
    assert pause(Cause.NO_ENDPOINT, 1, 4.8) is not None
    assert pause(Cause.NOT_SENT, 1, 29.8) is not None
    assert pause(Cause.NOT_SENT, 1, 29.95) is None


def test_retry_after_is_honoured_when_it_fits():
    assert pause(Cause.REFUSED_BUSY, retry_after=7.0) == 7.0
    assert pause(Cause.REFUSED_BUSY, retry_after=31.0) is None


def test_what_may_have_run_is_not_sent_again():  # defect 4
    for cause in (Cause.UNCERTAIN, Cause.GATEWAY):
        assert pause(cause, idempotent=False) is None
    for cause in (Cause.NO_ENDPOINT, Cause.NOT_SENT, Cause.REFUSED_BUSY):
        assert pause(cause, idempotent=False) is not None
    assert pause(Cause.CONFLICT, 3) is None


@pytest.mark.parametrize("fields", [{"bad name": "x"}, {"x": "a\r\nInjected: 1"}])
def test_added_fields_cannot_break_out_of_their_lines(fields):
    assert encode_lines({"traceparent": "00-1"}) == b"traceparent: 00-1\r\n"
    with pytest.raises(InvalidArgument):
        encode_lines(fields)
