"""The query of a redirect, which may have a signature, is in no log, warning, error or pickle."""

import logging
import pickle
import traceback
import warnings

import pytest
from peer import answer, redirect
from scripted import Answer, scripted

from aistore.sdk import telemetry
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import ETLDirectPutTransientError
from aistore.sdk.transport import observer
from aistore.sdk.transport.call import Call, Hop
from aistore.sdk.transport.url import parse_base

MARK = "pid=p-canary&utm=u-canary&vpams=v-canary&x=x-canary&u=s-canary"
DATA = bytes(200_000)


def cut(line, request):
    start = int(request.header("range").partition("=")[2].partition("-")[0]) if request.header("range") else 0
    head = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n" % (206 if start else 200, len(DATA) - start)
    if start:
        head += b"Content-Range: bytes %d-%d/%d\r\n" % (start, len(DATA) - 1, len(DATA))
    line.send(head + b"\r\n" + DATA[start : start + 50_000])


FAILURES = {
    "404": answer(404, b'{"message":"no such thing","tcode":"ErrNotFound"}'),
    "500": answer(500, b"oops"),
    "304": answer(304),
    "malformed": b"nonsense\r\n\r\n",
    "gzip": answer(200, b"no gzip", "Content-Encoding: gzip"),
    "cut": cut,
    "closed": lambda *_: None,
    "redirect to nowhere": redirect("/x y?" + MARK),
    "redirect without end": lambda _, request: redirect(request.target),
    "no json": answer(200, b"{"),
}

CALLS = {
    "read_all": lambda b: b.object("o").get_reader().read_all(),
    "iterate": lambda b: list(b.object("o").get_reader()),
    "file": lambda b: b.object("o").get_reader().as_file(max_resume=1).read(),
    "raw": lambda b: b.object("o").get_reader().raw().read(),
    "put": lambda b: b.object("o").get_writer().put_content(b"x" * 10),
    "head": lambda b: b.object("o").head(),
    "delete": lambda b: b.object("o").delete(),
    "list": lambda b: b.list_objects(),
    "request": lambda b: b._client.request("get", "objects/b/o").raise_for_status(),
    "forgotten": lambda b: b._client.request("get", "objects/b/o", stream=True) and None,
}


@pytest.fixture(autouse=True)
def spans():
    """Give the spans of what is done meanwhile."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.instrument(provider)
    yield exporter
    observer.current = None


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", CALLS)
def test_nothing_shows_it(peers, rc, caplog, spans, call, failure):
    caplog.set_level(logging.DEBUG)
    target = peers(FAILURES[failure])
    joint = {True: "&", False: "?"}
    proxy = peers(lambda _, r: redirect(f"{target.url}{r.target}{joint['?' in r.target]}{MARK}"))
    client = rc(proxy)
    client._retry_manager.budget = client._retry_manager.budget._replace(total=0.2, refused=0.2, first=0.01)
    said = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            CALLS[call](Bucket("b", client))
        except Exception as err:
            said += traceback.format_exception(err)
            said += [str(err), repr(err), str(vars(err)), str(pickle.dumps(err))]
            request = getattr(err, "request", None) or getattr(err, "req", None)
            said.append(str(getattr(request, "url", "")))
    said += [str(one.message) for one in warned]
    said += [
        f"{span.name} {dict(span.attributes)} {span.status.description} {span.events}"
        for span in spans.get_finished_spans()
    ]
    said += [
        record.getMessage() + str(record.exc_text)
        for record in caplog.records
        if not record.name.startswith("urllib3")
    ]
    assert "canary" not in "\n".join(said)


def test_direct_routing_shows_no_mark():
    base = parse_base("http://proxy:1")
    call = Call("GET", base, "/v1/objects/b/o?provider=ais").to(
        parse_base("http://target:1"), f"/v1/objects/b/o?provider=ais&{MARK}"
    )
    assert Hop(call).url == "http://target:1/v1/objects/b/o?provider=ais"
    assert Hop(call).target.endswith(MARK)


def test_direct_puts_show_no_query():
    cause = ConnectionError(f"lost http://next/b/o?{MARK} meanwhile")
    err = ETLDirectPutTransientError(f"http://next/b/o?{MARK}", cause)
    assert "canary" not in f"{err} {err!r} {err.url}"
    assert str(ETLDirectPutTransientError("http://next/b/o", cause)).startswith(
        "direct_put to 'http://next/b/o'"
    )


def test_a_response_shows_the_programs_own_query():
    def script(request):
        if "pid" in request.params:
            return Answer(b"x")
        return Answer(b"", 307, {"Location": f"{request.target}&{MARK}"})

    with scripted(script) as (server, client):
        response = client.request("get", "objects/b/o", params={"provider": "ais"})
        own = f"{server.endpoint}/v1/objects/b/o?provider=ais"
    assert response.url == response.request.url == own
    assert [one.url for one in response.history] == [response.url]
    assert MARK in response.history[0].headers["Location"]
