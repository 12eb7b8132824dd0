"""The rules of the servers as functions of values."""

import itertools

import pytest
import requests.exceptions as rex

from aistore.sdk.errors import ETLDirectPutTransientError, InvalidPipelineError
from aistore.sdk.etl.webserver.base_etl_server import hop_answer
from aistore.sdk.etl.webserver.exchange import (
    Gatherer,
    HopAnswer,
    ObjectTooLarge,
    direct_put_failed,
    interpret_hop,
    is_object_fqn,
    is_refused,
    message_of,
    parse_request,
    parse_ws_control,
    plain_path,
)
from aistore.sdk.etl.webserver.flow import TransformFailed, as_bytes, backoff
from aistore.sdk.etl.webserver.packages import split_requirements
from aistore.sdk.etl.webserver.utils import compose_etl_direct_put_url, parse_etl_pipeline

HOST = "http://target:51080/v1/etl/_object/etl/SECRET"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ("", "")),
        ("   ", ("", "")),
        ("http://a", ("http://a", "")),
        (" http://a , http://b,http://c ", ("http://a", "http://b,http://c")),
    ],
)
def test_pipeline_header(header, expected):
    assert parse_etl_pipeline(header) == expected


@pytest.mark.parametrize("header", [",", "a,,b", "a,", ",a", "a, ,b"])
def test_malformed_pipeline_header(header):
    with pytest.raises(InvalidPipelineError, match="empty entry") as error:
        parse_etl_pipeline(header)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("url", "args", "expected"),
    [
        (
            "http://t2:9/ais%2F@%23%2Fdst%2Fo.txt?uuid=x1&owt=3",
            "",
            "http://t2:9/v1/etl/_object/etl/SECRET/ais%2F@%23%2Fdst%2Fo.txt?uuid=x1&owt=3",
        ),
        (
            "http://t2:9/ais%2F@%23%2Fdst%2Fo.txt?uuid=x1",
            "A1",
            "http://t2:9/v1/etl/_object/etl/SECRET/ais%2F@%23%2Fdst%2Fo.txt?uuid=x1&etl_args=A1",
        ),
        ("http://pod:8000", "A 1", "http://pod:8000/bck/o%20%25@j.txt?etl_args=A+1"),
        ("http://pod:8000/", "", "http://pod:8000/bck/o%20%25@j.txt"),
        ("http://pod?etl_args=old&k=v", "new", "http://pod/bck/o%20%25@j.txt?k=v&etl_args=new"),
    ],
)
def test_direct_put_url(url, args, expected):
    assert compose_etl_direct_put_url(url, HOST, "bck/o %@j.txt", args) == expected


def test_direct_put_url_takes_the_scheme_of_the_target():
    url = compose_etl_direct_put_url("http://t2/x", "https://t1:1/v1", "b/o")
    assert url == "https://t2/v1/x"


def test_stages_of_a_cluster_with_tls_are_put_to_as_they_are_named():
    url = compose_etl_direct_put_url("http://pod:8000", "https://t1:1/v1", "b/o")
    assert url == "http://pod:8000/b/o"


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("ais/@#/bck/dir/o", "bck/dir/o"),
        ("aws/@#/bck/o", "bck/o"),
        ("ais/@uuid#ns/bck/o", "bck/o"),
        ("bck/o", "bck/o"),
        ("ais/@x/bck/o", "ais/@x/bck/o"),
        ("bck/ais/@#/x/y", "bck/ais/@#/x/y"),
        ("ais/@#/bck", "ais/@#/bck"),
        ("ais/@#/bck/new\nline", "bck/new\nline"),
        ("", ""),
    ],
)
def test_plain_path(path, plain):
    assert plain_path(path) == plain


def test_request():
    request = parse_request(
        "PUT", "/b//o", "etl_args=+a%26b+&etl_fqn=%252Fmp%252Fx&latest-ver=true", "http://p,http://t/x"
    )
    assert (request.path, request.uname) == ("b//o", "b//o")
    assert (request.etl_args, request.fqn) == ("a&b", "%2Fmp%2Fx")
    assert (request.next_url, request.rest) == ("http://p", "http://t/x")
    assert request.replayable
    assert not parse_request("PUT", "/b/o", "", "").replayable
    pull = parse_request("GET", "/ais/@#/b/o p+%.txt", "", "")
    assert pull.replayable
    assert pull.fetch_path == "ais%2F@%23%2Fb%2Fo%20p%2B%25.txt"
    assert pull.path == "b/o p+%.txt"


def test_websocket_control():
    """The bucket is taken from the file's name where there is one."""
    fqn = "%2Fmp%2F@ais%2Fbck%2F%25ob%2Fdir%2Fo%20b"
    request = parse_ws_control({"path": "dir/o b", "fqn": fqn, "etl_args": " x ", "pipeline": "http://p"})
    assert (request.path, request.etl_args, request.next_url) == ("bck/dir/o b", "x", "http://p")
    hashed = parse_ws_control({"path": "long-name", "fqn": "%2Fmp%2F@ais%2F%23ns%2Fbck%2F%25ob%2F.x123"})
    assert hashed.path == "bck/long-name"
    assert parse_ws_control({"path": "dir/o b"}).path == "dir/o b"
    assert parse_ws_control({"path": "o", "fqn": "%2Fmp%2Fo"}).path == "o"
    assert parse_ws_control({}).path == ""


@pytest.mark.parametrize(
    ("path", "is_object"),
    [
        ("/mp/1/@ais/bck/%ob/dir/o", True),
        ("/mp/@aws/@uuid/#ns/bck/%ob/o", True),
        ("/mp/@ais/bck/%ob/", False),
        ("/etc/passwd", False),
        ("/mp/@ais/bck/o", False),
        ("/mp/@ais/#ns/bck/%ob/o", True),
        ("/mp/@ais/@remote-uuid/bck/%ob/o", True),
        ("/deep/mount/path/@gcp/bck/%ob/.x2f4a9c0de", True),  # a long object name is stored by its digest
        ("/mp/@ais/bck/%wk/o.part", False),
        ("/@ais/bck/%ob/o", True),
    ],
)
def test_object_fqn(path, is_object):
    assert is_object_fqn(path) is is_object


@pytest.mark.parametrize(
    ("answer", "stage", "expected"),
    [
        (HopAnswer(200, b""), False, HopAnswer(204, b"", 7)),
        (HopAnswer(200, b""), True, HopAnswer(200)),
        (HopAnswer(200, b"x", 0, "text/x"), True, HopAnswer(200, b"x", 0, "text/x")),
        (HopAnswer(204, b"", 42), True, HopAnswer(204, b"", 42)),
        (HopAnswer(204, b"", 0), False, HopAnswer(204)),
        (HopAnswer(500, b"oops", 9), False, HopAnswer(500, b"oops")),
    ],
)
def test_next_hops_answer(answer, stage, expected):
    assert interpret_hop(answer, 7, stage=stage) == expected


def test_an_answer_that_asks_for_a_repetition():
    """Only with its header: it is passed on, for a caller that can do so."""
    headers = {"Ais-Etl-Retry-Reason": "direct-put-transient"}
    assert interpret_hop(hop_answer(503, b"x", headers), 1, stage=True).retry
    assert not interpret_hop(hop_answer(503, b"x", {}), 1, stage=True).retry
    assert not hop_answer(500, b"x", headers).retry


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"detail":"Processing error: x"}', "Processing error: x"),
        (b'{"error":"x"}', "x"),
        (b"<html><p>Error code: 500</p><p>Message: a &lt;b&gt; c.</p></html>", "a <b> c"),
        (b"plain", "plain"),
        (b"[1]", "[1]"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_the_message_in_another_stages_error(body, message):
    assert message_of(body) == message


def test_an_object_in_memory_has_a_limit():
    gatherer = Gatherer(5, "5")
    for chunk in (b"ab", b"", b"cde"):
        gatherer.add(chunk)
    assert gatherer.joined() == b"abcde"
    with pytest.raises(ObjectTooLarge, match="transform_stream") as error:
        gatherer.add(b"f")
    assert error.value.status == 413
    for announced in ("6", 6, "99999999999999999999"):
        with pytest.raises(ObjectTooLarge):
            Gatherer(5, announced)
    for announced in (None, "", "-1", "six", 0):
        assert Gatherer(5, announced).joined() == b""


def test_failed_direct_put():
    """Only a request with a body is repeated by the cluster, so only for it is there a retry reason."""
    cause = rex.ConnectionError("reset")
    bail = direct_put_failed(ETLDirectPutTransientError("http://x", cause, bail_without_local_retry=True))
    assert (bail.status, bail.headers) == (503, {"Ais-Etl-Retry-Reason": "direct-put-transient"})
    final = direct_put_failed(ETLDirectPutTransientError("http://x", cause))
    assert (final.status, final.headers) == (502, {})


def test_a_refused_connection_is_found_however_deep():
    def chained(*errors):
        for inner, outer in itertools.pairwise(errors):
            outer.__cause__ = inner
        return errors[-1]

    refused = ConnectionRefusedError(111, "refused")
    assert is_refused(refused)
    assert is_refused(chained(refused, OSError("x"), RuntimeError("y")))
    assert is_refused(rex.ConnectionError(chained(refused, OSError("x"))))
    group = OSError("all attempts failed")
    group.exceptions = (OSError("v6"), refused)
    assert is_refused(chained(group, rex.ConnectionError("z")))
    assert not is_refused(rex.ConnectionError(ConnectionResetError()))
    loop = OSError("a")
    loop.__context__ = OSError("b")
    loop.__context__.__context__ = loop
    assert not is_refused(loop)


def test_results():
    for result in (b"a", bytearray(b"a"), memoryview(b"a"), "a"):
        assert as_bytes(result) == b"a"
    for wrong in (None, 3, [b"a"]):
        with pytest.raises(TransformFailed, match="expected bytes"):
            as_bytes(wrong)


def test_backoff():
    assert [backoff(n) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("", []),
        ("a", ["a"]),
        ("a==1,b", ["a==1", "b"]),
        ("a>=1,<2,b!=3,!=4,c", ["a>=1,<2", "b!=3,!=4", "c"]),
        ("a[x,y]>=1,b", ["a[x,y]>=1", "b"]),
        ("a, b ,,c", ["a", "b", "c"]),
        ("a @ https://h/a-1.whl,b", ["a @ https://h/a-1.whl", "b"]),
    ],
)
def test_requirements(text, packages):
    assert split_requirements(text) == packages
