"""Small helpers."""

import itertools
import logging
import random
import shutil
import subprocess

import msgspec
import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk import utils
from aistore.sdk.errors import ErrInvalidResponse, InvalidArgument
from aistore.sdk.provider import Provider
from aistore.sdk.types import Smap
from aistore.sdk.xact_const import is_valid_kind


@pytest.mark.parametrize("text", ["1", "t", "TRUE", " yes ", "y", "On"])
def test_true(text):
    assert utils.parse_bool(text)


@pytest.mark.parametrize("text", ["", None, "0", "false", "2", "enable", "off"])
def test_false(text):
    assert not utils.parse_bool(text)


def test_probing_frequency():
    given = (0, 1, 5, 8, 100, 1000)
    assert [utils.probing_frequency(d) for d in given] == [0.1, 0.125, 0.625, 1, 1.5625, 15.625]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (5, 5), (0, 0), ("5s", 5), (" 5s ", 5), ("2m", 120), ("1h", 3600), ("3d", 259200), ("10", 10),
        ("1m30s", 90), ("100ms", 1), ("1.5h", 5400), ("1500ms", 2), ("1h0m1s", 3601), ("3000us", 1),
        ("0s", 0), ("2000000000ns", 2),
    ],
)  # fmt: skip
def test_durations(given, seconds):  # defect 38
    assert utils.convert_to_seconds(given) == seconds


@pytest.mark.parametrize(
    "given", ["", " ", None, 3.7, True, -5, "-1s", "5S", "5w", "s", "1h 3m", "5s3", "1..5s"]
)
def test_bad_durations(given):
    with pytest.raises(InvalidArgument, match="duration"):
        utils.convert_to_seconds(given)


# What the 2.0.0 package gives for these.
BRACES = {
    "plain": ["plain"],
    "": [""],
    "a{1..3}b": ["a1b", "a2b", "a3b"],
    "{01..10..3}": ["01", "04", "07", "10"],
    "{a..e}": ["a", "b", "c", "d", "e"],
    "{a,b{1,2}}": ["a", "b1", "b2"],
    "x{}": ["x{}"],
    "{x}": ["{x}"],
    "a{1..}": ["a{1..}"],
    "{3..1}": ["3", "2", "1"],
    "pre-{0..2}-{a,b}": ["pre-0-a", "pre-0-b", "pre-1-a", "pre-1-b", "pre-2-a", "pre-2-b"],
    "{-2..2}": ["-2", "-1", "0", "1", "2"],
    "{a..c..2}": ["a", "c"],
    "\\{a,b\\}": ["{a,b}"],
    "{,x}": ["", "x"],
    "{05..8}": ["05", "06", "07", "08"],
    "{Y..b}": ["Y", "Z", "a", "b"],
    "{1..a}": ["{1..a}"],
    "{1..3..0}": ["1", "2", "3"],
    "{1..10..-3}": ["1", "4", "7", "10"],
    "{10..1..2}": ["10", "8", "6", "4", "2"],
    "{{a,b}}": ["{a}", "{b}"],
    "{{1..2},c}": ["1", "2", "c"],
    "a\\,b{c,d\\,e}": ["a,bc", "a,bd,e"],
    "{-05..5..5}": ["-05", "000", "005"],
    "{1...3}": ["{1...3}"],
    "{{}}": ["{{}}"],
    "{\\1..3}": ["{1..3}"],
    "a\\\\{b,c}": ["a\\b", "a\\c"],
    "end\\": ["end\\"],
}


@pytest.mark.parametrize("template", BRACES)
def test_braces(template):
    assert list(utils.expand_braces(template)) == BRACES[template]


@pytest.mark.parametrize("template", ["a{b", "{1..3", "}", "{a,b}}", "{{a,b}", "a}b{c,d}"])
def test_unbalanced_braces(template):
    with pytest.raises(InvalidArgument, match="Unbalanced"):
        utils.expand_braces(template)


def test_braces_are_lazy():
    names = utils.expand_braces("shard-{000000000..999999999}.tar")
    assert list(itertools.islice(names, 2)) == ["shard-000000000.tar", "shard-000000001.tar"]


@given(st.text("a{},.1\\", max_size=12))
def test_any_template_expands_or_is_refused(template):
    try:
        names = utils.expand_braces(template)
    except InvalidArgument:
        return
    assert list(itertools.islice(names, 100))


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_braces_as_in_bash():
    rng = random.Random(7)
    pieces = ["{a,b}", "{1..3}", "{3..1}", "x", "{c,{1,2}}", "{a..c}", "-", "{01..3}", "{,y}"]
    templates = ["s" + "".join(rng.choices(pieces, k=3)) for _ in range(40)]
    script = "\n".join(f"echo {t}" for t in templates)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    for template, line in zip(templates, done.stdout.splitlines(), strict=True):
        assert " ".join(utils.expand_braces(template)) == line


def test_files(tmp_path):
    file = tmp_path / "f"
    for size, text in [
        (0, "unknown"),
        (1, "1 Byte"),
        (999, "999 Bytes"),
        (1000, "1.0 kB"),
        (1234567, "1.2 MB"),
    ]:
        with file.open("wb") as f:
            f.truncate(size)
        assert utils.get_file_size(file) == text
    with file.open("wb") as f:
        f.truncate(999_960)
    assert utils.get_file_size(file) == "1.0 MB"
    file.write_bytes(b"x")
    assert utils.read_file_bytes(str(file)) == b"x"
    utils.validate_file(file)
    utils.validate_directory(str(tmp_path))
    for call, path in [
        (utils.validate_file, tmp_path),
        (utils.validate_directory, file),
        (utils.validate_file, tmp_path / "no"),
        (utils.validate_directory, tmp_path / "no"),
    ]:
        with pytest.raises(InvalidArgument, match="Path:"):
            call(path)


def test_names_in_messages():
    find = utils.extract_and_parse_url
    assert find('bucket "ais://@uuid#ns/bck/obj" does') == ("ais", "@uuid#ns", True)
    assert find("foo gs://b.k_x/") == ("gs", "b.k_x", True)
    assert find("aws://b x") == ("aws", "b", False)
    for text in ("", "foo", '"ais://"', "s3://" + "a" * 133):
        assert find(text) is None


def test_parse_url():
    assert utils.parse_url("ais://b/o/x?y#z") == ("ais", "b", "o/x?y#z")  # 2.0.0 cuts it: "o/x"
    assert utils.parse_url("s3://b") == ("s3", "b", "")
    assert utils.parse_url("b/o") == ("", "", "b/o")
    assert utils.parse_url("ais://@u#n/b/o") == ("ais", "@u#n/b", "o")


def response(body, kind="application/json"):
    r = requests.Response()
    r.status_code = 200
    r._content = body
    r.headers["Content-Type"] = kind
    r.url = "http://h/v1/x"
    r.request = requests.Request("GET", r.url).prepare()
    return r


def test_decoding():
    assert utils.decode_response(list[int], response(b"[1,2]")) == [1, 2]
    packed = response(msgspec.msgpack.encode({"a": 1}), "application/msgpack")
    assert utils.decode_response(dict[str, int], packed) == {"a": 1}
    assert utils.decode_response(str, response(b'"text"')) == "text"

    class Foreign:
        @classmethod
        def model_validate_json(cls, text):
            return [text]

    assert utils.decode_response(Foreign, response(b"{}")) == ["{}"]


@pytest.mark.parametrize(
    ("model", "body", "kind"),
    [
        (Smap, b"{}", "application/json"),
        (Smap, b"<html>", "text/html"),
        (list[int], b"\x93\x01", "application/msgpack"),
        (list[int], b"[" * 100_000, "application/json"),
    ],
)
def test_malformed_answers_name_the_call(model, body, kind):  # defect 21
    with pytest.raises(ErrInvalidResponse, match=r"GET http://h/v1/x: the answer is not a valid"):
        utils.decode_response(model, response(body, kind))


def test_loggers_have_no_handlers():  # defect 34
    logger = utils.get_logger("aistore.sdk.some")
    assert isinstance(logger, logging.Logger)
    assert not logger.handlers
    assert logger.propagate


def test_read_timeouts():
    reason = urllib3.exceptions.ReadTimeoutError(None, "/", "x")
    assert utils.is_read_timeout(
        requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", reason))
    )
    assert utils.is_read_timeout(requests.ReadTimeout())
    assert not utils.is_read_timeout(requests.ConnectionError())
    assert not utils.is_read_timeout(requests.ConnectionError("x"))


def prepared(url):
    return requests.Request("GET", url).prepare()


def test_requests_taken_apart():
    req = prepared("http://h:1/v1/objects/b/o%20x/y?provider=s3&namespace=%40%23n&x=1")
    assert utils.get_provider_from_request(req) is Provider.AMAZON
    path, params = utils.get_object_url_components(req, ["provider", "namespace", "none"])
    assert (path, params) == ("objects/b/o%20x/y", {"provider": "s3", "namespace": "@#n"})
    assert utils.parse_request_url(req).netloc == "h:1"
    with pytest.raises(InvalidArgument):
        utils.get_provider_from_request(prepared("http://h/v1/objects/b/o"))
    with pytest.raises(InvalidArgument):
        utils.get_object_url_components(prepared("http://h/v1/buckets/b"), [])
    with pytest.raises(InvalidArgument):
        utils.parse_request_url(requests.Request("GET", 5))


def test_http_error_model():
    assert utils.HttpError(status_code=3).message == ""


def test_kinds_of_jobs():
    assert is_valid_kind("rebalance")
    assert not is_valid_kind("no-such-kind")
