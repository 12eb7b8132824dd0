"""Spans and metrics of requests, as OpenTelemetry's SDK receives them; off unless asked for."""

import os
import subprocess
import sys
import threading

import pytest
from scripted import Answer, scripted

from aistore import Client
from aistore.sdk.errors import AISError, AISReadTimeout
from aistore.sdk.transport import observer

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import baggage, context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from aistore.sdk.telemetry import instrument, is_instrumented, parse_route, uninstrument


class Telemetry:
    """What was exported."""

    def __init__(self):
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])

    @property
    def spans(self):
        return self._spans.get_finished_spans()

    def points(self, name):
        data = self._reader.get_metrics_data()
        found = [
            metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        return [point for metric in found for point in metric.data.data_points]


@pytest.fixture
def telemetry():
    telemetry = Telemetry()
    instrument(telemetry.tracers, telemetry.meters)
    yield telemetry
    uninstrument()
    telemetry.tracers.shutdown()
    telemetry.meters.shutdown()


def answer(request):
    if request.path == "/v1/daemon":
        node = {"public_net": {"direct_url": f"http://{request.headers['host']}"}}
        return Answer(b'{"pmap": {}, "tmap": {"t": %s}}' % str(node).replace("'", '"').encode())
    if "missing" in request.path:
        return Answer(b'{"status": 404, "message": "no such object"}', status=404)
    if "utm" not in request.params and "/objects/" in request.path:
        place = f"http://{request.headers['host']}{request.path}?provider=ais&pid=p&utm=1"
        return Answer(status=307, headers={"Location": place})
    return Answer(b"" if request.method == "PUT" else b"content", headers={"Ais-Version": "1"})


@pytest.fixture
def server():
    with scripted(answer) as (server, _):
        yield server


@pytest.fixture
def client(server):
    with Client(server.endpoint, timeout=10) as client:
        yield client


def test_a_span_of_a_request(client, server, telemetry):
    obj = client.bucket("bck", provider="aws").object("dir/näme")
    assert obj.get_reader().read_all() == b"content"
    (span,) = telemetry.spans
    host, port = server.endpoint.removeprefix("http://").split(":")
    assert span.name == "GET /v1/objects/{bucket}/{object}"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "server.address": host,
        "server.port": int(port),
        "url.scheme": "http",
        "url.template": "/v1/objects/{bucket}/{object}",
        "url.full": f"{server.endpoint}/v1/objects/bck/dir/n%C3%A4me",
        "aistore.bucket": "bck",
        "aistore.object": "dir/näme",
        "aistore.provider": "aws",
        "aistore.redirects": 1,
        "aistore.target": f"{host}:{port}",
        "http.response.status_code": 200,
        "http.response.body.size": 7,
    }
    assert span.instrumentation_scope.name == "aistore.sdk"
    assert span.end_time > span.start_time


def test_sizes_of_a_body_that_is_sent(client, telemetry):
    client.bucket("bck").object("a").get_writer().put_content(b"four")
    (span,) = telemetry.spans
    assert span.name == "PUT /v1/objects/{bucket}/{object}"
    assert span.attributes["http.request.body.size"] == 4


def test_metrics(client, telemetry):
    obj = client.bucket("bck").object("a")
    obj.get_writer().put_content(b"four")
    for _ in range(3):
        obj.get_reader().read_all()
    points = telemetry.points("http.client.request.duration")
    counts = {point.attributes["http.request.method"]: point.count for point in points}
    assert counts == {"PUT": 1, "GET": 3}
    assert all(point.sum < 10 for point in points)  # seconds
    assert all("aistore.object" not in point.attributes for point in points)
    (sent,) = telemetry.points("http.client.request.body.size")
    assert (sent.count, sent.sum) == (1, 4)
    received = {
        point.attributes["http.request.method"]: point.sum
        for point in telemetry.points("http.client.response.body.size")
    }
    assert received["GET"] == 21


def test_an_answer_that_is_an_error(client, telemetry):
    with pytest.raises(AISError):
        client.bucket("bck").object("missing").head()
    span = telemetry.spans[0]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["http.response.status_code"] == 404
    assert span.attributes["error.type"] == "404"


def test_no_answer(telemetry):
    def hang(request):
        release.wait(20)
        return Answer()

    release = threading.Event()
    with scripted(hang) as (server, _), Client(server.endpoint, timeout=(5, 0.05)) as client:
        with pytest.raises(AISReadTimeout):
            client._request_client.request("post", "cluster", json={})
        release.set()
    (span,) = telemetry.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "aistore.sdk.errors.AISReadTimeout"
    (point,) = telemetry.points("http.client.request.duration")
    assert point.attributes["error.type"] == "aistore.sdk.errors.AISReadTimeout"


def test_each_attempt_is_a_span(telemetry):
    calls = []

    def script(request):
        calls.append(request)
        return Answer(status=503, headers={"Retry-After": "0"}) if len(calls) < 3 else Answer(b"x")

    with scripted(script) as (server, _), Client(server.endpoint, timeout=10) as client:
        client._request_client.request("get", "daemon")
    assert [span.attributes.get("http.request.resend_count") for span in telemetry.spans] == [None, 1, 2]
    parents = [request.headers["traceparent"] for request in calls]
    assert len(set(parents)) == 3


def test_the_programs_span_is_the_parent(client, server, telemetry):
    tracer = telemetry.tracers.get_tracer("program")
    with tracer.start_as_current_span("work") as work:
        client.bucket("bck").object("a").get_reader().read_all()
    request, parent = telemetry.spans
    assert parent.name == "work"
    assert request.parent.span_id == work.get_span_context().span_id
    wanted = f"00-{request.context.trace_id:032x}-{request.context.span_id:016x}-"
    proxy, target = server.requests
    assert proxy.headers["traceparent"].startswith(wanted)
    assert target.headers["traceparent"] == proxy.headers["traceparent"]


def test_what_else_the_context_carries(client, server, telemetry):
    attached = context.attach(baggage.set_baggage("job", "a b"))
    try:
        client._request_client.request("get", "daemon")
    finally:
        context.detach(attached)
    assert server.requests[-1].headers["baggage"] == "job=a+b"


def test_a_header_of_the_caller_stays(client, server, telemetry):
    client._request_client.request("get", "daemon", headers={"Traceparent": "00-mine"})
    assert server.requests[-1].headers["traceparent"] == "00-mine"
    assert len(telemetry.spans) == 1


def test_the_context_goes_to_the_cluster_only(telemetry):
    with scripted(lambda request: Answer(b"content")) as (foreign, _):

        def script(request):
            if request.path == "/v1/daemon":
                return Answer(b'{"pmap": {}, "tmap": {}}')
            return Answer(status=307, headers={"Location": f"{foreign.endpoint}/elsewhere"})

        with scripted(script) as (server, _), Client(server.endpoint, timeout=10) as client:
            assert client.bucket("bck").object("a").get_reader().read_all() == b"content"
            assert "traceparent" in server.requests[0].headers
        assert [request.path for request in foreign.requests] == ["/elsewhere"]
        assert "traceparent" not in foreign.requests[0].headers


def test_queries_are_in_no_attribute(client, telemetry):
    params = {"provider": "ais", "signature": "canary-secret"}
    client._request_client.request("get", "daemon", params=params)
    (span,) = telemetry.spans
    assert "canary-secret" not in str(dict(span.attributes)) + span.name


def test_tokens_are_in_no_attribute(server, telemetry):
    with Client(server.endpoint, token="canary-token", timeout=10) as client:
        client.bucket("bck").object("a").get_reader().read_all()
        with pytest.raises(AISError):
            client.bucket("bck").object("missing").get_reader().read_all()
    assert server.requests[0].headers["authorization"] == "Bearer canary-token"
    assert "canary-token" not in "".join(span.to_json() for span in telemetry.spans)


def test_suppressed(client, telemetry):
    attached = context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        client._request_client.request("get", "daemon")
    finally:
        context.detach(attached)
    assert telemetry.spans == ()


def test_off_and_on(client, server, telemetry):
    assert is_instrumented()
    uninstrument()
    assert not is_instrumented()
    client._request_client.request("get", "daemon")
    assert telemetry.spans == ()
    assert "traceparent" not in server.requests[-1].headers


def test_off_by_default(server):
    with Client(server.endpoint):
        assert observer.current is None


def test_on_by_the_environment(server, monkeypatch):
    monkeypatch.setenv("AIS_OTEL", "true")
    monkeypatch.setattr(observer, "current", None)
    with Client(server.endpoint):
        assert is_instrumented()
    first = observer.current
    with Client(server.endpoint):
        assert observer.current is first


@pytest.mark.parametrize(
    ("target", "template", "names"),
    [
        ("/v1/objects/b/a/b%20c?provider=aws", "/v1/objects/{bucket}/{object}",
         {"aistore.bucket": "b", "aistore.object": "a/b c", "aistore.provider": "aws"}),
        ("/v1/objects/b", "/v1/objects/{bucket}", {"aistore.bucket": "b"}),
        ("/v1/buckets/b?provider=ais", "/v1/buckets/{bucket}",
         {"aistore.bucket": "b", "aistore.provider": "ais"}),
        ("/v1/buckets", "/v1/buckets", {}),
        ("/v1/buckets/", "/v1/buckets", {}),
        ("/v1/ml/moss/b", "/v1/ml/moss/{bucket}", {"aistore.bucket": "b"}),
        ("/v1/ml/moss", "/v1/ml/moss", {}),
        ("/v1/etl/e/stop", "/v1/etl/{etl}/stop", {"aistore.etl": "e"}),
        ("/v1/etl", "/v1/etl", {}),
        ("/v1/daemon?what=smap", "/v1/daemon", {}),
        ("/v1/users/somebody", "/v1/users/{name}", {}),
        ("/elsewhere", "/{path}", {}),
    ],
)  # fmt: skip
def test_routes(target, template, names):
    assert parse_route(target, "/v1") == (template, names)


def test_the_missing_extra_is_named():
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "try:\n    import aistore.sdk.telemetry\n"
        "except ImportError as err:\n    print(err)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "pip install 'aistore[otel]'" in done.stdout


def test_a_client_names_the_missing_extra():
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import aistore\n"
        "try:\n    aistore.Client('http://localhost:1')\n"
        "except ImportError as err:\n    print(err)\n"
    )
    env = {**os.environ, "AIS_OTEL": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60
    )
    assert "pip install 'aistore[otel]'" in done.stdout


def test_clients_do_not_import_it():
    program = (
        "import sys, aistore; aistore.Client('http://localhost:1'); print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False"
