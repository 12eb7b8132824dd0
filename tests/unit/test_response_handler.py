"""Which error an answer becomes."""

import pickle

import pytest
import requests

from aistore.sdk import errors
from aistore.sdk.errors import AISError, ErrBckNotFound
from aistore.sdk.response_handler import AISResponseHandler, _not_found


def make(status, text="", method="GET", headers=None):
    r = requests.Response()
    r.status_code = status
    r._content = text.encode()
    r.encoding = "utf-8"
    r.headers.update(headers or {})
    r.request = requests.Request(method, "http://h/v1/x").prepare()
    r.url = r.request.url
    return r


@pytest.mark.parametrize(
    ("status", "text", "method", "cls"),
    [
        (404, "etl job nosuch does not exist", "GET", errors.ErrETLNotFound),
        (404, "t[1]: ais://b/o does not exist", "GET", errors.ErrObjNotFound),
        (404, "aws://b/o does not exist", "GET", errors.ErrObjNotFound),
        (404, 'bucket "aws://b" does not exist', "GET", errors.ErrRemoteBckNotFound),
        (404, 'bucket "ais://@uuid#ns/b" does not exist', "GET", errors.ErrObjNotFound),
        (404, 'bucket "ais://@uuid" does not exist', "GET", errors.ErrRemoteBckNotFound),
        (404, 'bucket "ais://b" does not exist', "GET", errors.ErrBckNotFound),
        (404, '{"tcode":"ErrBckNotFound","message":"gone"}', "GET", errors.ErrBckNotFound),
        (404, '{"tcode":"ErrRemoteBckNotFound","message":"gone"}', "GET", errors.ErrRemoteBckNotFound),
        (404, "no such thing", "GET", errors.AISError),
        (409, "conflict", "get", errors.ErrGETConflict),
        (409, "etl job x already exists", "PUT", errors.ErrETLAlreadyExists),
        (409, 'bucket "ais://b" already exists', "POST", errors.ErrBckAlreadyExists),
        (409, '{"tcode":"ErrBucketAlreadyExists","message":"x"}', "POST", errors.ErrBckAlreadyExists),
        (409, "ais://b/o is busy", "PUT", errors.AISError),
        (400, "bad", "GET", errors.AISError),
        (401, "token required", "GET", errors.AISUnauthorized),
        (403, "no", "GET", errors.AISForbidden),
        (416, "no", "GET", errors.ErrRangeNotSatisfiable),
        (429, "slow down", "GET", errors.ErrTooManyRequests),
        (500, '{"tcode":"ErrBadCksum","message":"BAD DATA CHECKSUM"}', "PUT", errors.ErrBadChecksum),
        (500, "{not json", "PUT", errors.ErrServerFailure),
        (501, "no", "GET", errors.ErrNotSupported),
        (507, "full", "PUT", errors.ErrOutOfSpace),
    ],
)
def test_mapping(status, text, method, cls):
    with pytest.raises(errors.AISError) as info:
        AISResponseHandler().handle_response(make(status, text, method))
    err = info.value
    assert type(err) is cls
    assert (err.status_code, err.message, err.req_url) == (status, text, "http://h/v1/x")
    assert str(err) == f"STATUS:{status}, MESSAGE:{text}, REQ_URL:http://h/v1/x"
    assert isinstance(err.__cause__, requests.HTTPError)
    assert type(pickle.loads(pickle.dumps(err))) is cls


def test_good_answers_pass():
    for status in (200, 206, 301, 399):
        r = make(status)
        assert AISResponseHandler().handle_response(r) is r
    assert AISResponseHandler().exc_class is errors.AISError


def test_head_errors_keep_text_and_class():  # defect 19
    text = '{"tcode":"ErrNotFound","message":"t[x]: ais://b/o does not exist","node":"t[x]","status":404}'
    with pytest.raises(errors.ErrObjNotFound, match="does not exist") as info:
        AISResponseHandler().handle_response(make(404, "", "HEAD", {"Hdr-Error": text}))
    assert (info.value.tcode, info.value.node) == ("ErrNotFound", "t[x]")


def test_answer_without_request_or_readable_body():
    r = make(404, "ais://b/o")
    r.request = None
    assert AISResponseHandler().parse_error(r).req_url == ""

    class Broken(requests.Response):
        @property
        def text(self):
            raise errors.AISChunkedEncodingError("cut")

    r = Broken()
    r.status_code = 500
    r.request = None
    assert AISResponseHandler().parse_error(r).message == ""


def test_class_of_all_others():
    assert AISResponseHandler().exc_class is AISError


def test_providers_that_are_unknown_are_not_remote():
    assert _not_found("ftp", "b", False) is ErrBckNotFound


def test_statuses_beyond_http_are_passed_on():
    assert AISResponseHandler().handle_response(odd := make(700)) is odd
