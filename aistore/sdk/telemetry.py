"""OpenTelemetry spans and metrics of requests (extra `otel`), off unless asked for.

Asked for by `instrument()`, or by the environment variable `AIS_OTEL` when a client is made. Names follow the
semantic conventions for HTTP clients, version 1.23 and later; what AIStore adds begins with `aistore.`.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

try:
    from opentelemetry import context, metrics, propagate, trace
except ImportError as err:
    raise ImportError(
        "telemetry needs OpenTelemetry: pip install 'aistore[otel]'", name=err.name or "opentelemetry"
    ) from err

from aistore.sdk.transport import observer
from aistore.version import __version__
from aistore.wire.http1.write import encode_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from aistore.sdk.transport.call import Call
    from aistore.sdk.transport.response import Response

SCOPE = "aistore.sdk"
"""Name of the instrumentation scope."""

_SCHEMA = "https://opentelemetry.io/schemas/1.23.0"
_SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
_PROVIDER = re.compile(r"[?&]provider=([a-z]+)")
# What follows a noun in a path. Other nouns are followed by names that are in no attribute.
_PARTS = {
    "objects": ("aistore.bucket", "aistore.object"),
    "buckets": ("aistore.bucket",),
    "etl": ("aistore.etl",),
}


def instrument(
    tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> None:
    """Make spans and metrics of all requests of this process, of every client, from now on.

    A request is a span of kind client for each time that it is sent, redirects included; it ends with the
    head of a streamed answer, else with the answer. The trace context (`traceparent` and what else the
    program's propagators add) goes to the cluster's own nodes only.

    Args:
        tracer_provider: Makes the tracer. Default: OpenTelemetry's global one.
        meter_provider: Makes the meter. Default: OpenTelemetry's global one.

    Raises:
        ImportError: (on import of this module) the extra `otel` is missing.
    """
    observer.current = _Instrumentation(tracer_provider, meter_provider)


def uninstrument() -> None:
    """Make no more spans and metrics."""
    observer.current = None


def is_instrumented() -> bool:
    """Tell whether `instrument` is in force."""
    return isinstance(observer.current, _Instrumentation)


class Route(NamedTuple):
    """What a path is about.

    Attributes:
        template: The path without names: few values, whatever the program does.
        names: The names, as attributes of a span.
    """

    template: str
    names: dict[str, str]


def parse_route(target: str, prefix: str) -> Route:
    """Tell what a request is about.

    Args:
        target: Path and query.
        prefix: What all paths begin with: `/v1`.
    """
    path, _, query = target.partition("?")
    if not path.startswith(f"{prefix}/"):
        return Route("/{path}", {})
    noun, *rest = path[len(prefix) + 1 :].split("/")
    template, names = f"{prefix}/{noun}", {}
    if noun == "ml" and rest:  # Get-Batch
        template += f"/{rest.pop(0)}"
        noun = "buckets"
    keys = _PARTS.get(noun, ())
    for index, key in enumerate(keys):
        if not any(rest):
            break
        last = index == len(keys) - 1 and noun == "objects"
        value = "/".join(rest) if last else rest[0]
        rest = [] if last else rest[1:]
        template += f"/{{{key.removeprefix('aistore.')}}}"
        names[key] = unquote(value)
    if any(rest):
        template += "/{name}" if noun not in _PARTS else f"/{rest[0]}"
    provider = _PROVIDER.search(f"?{query}")
    if provider is not None:
        names["aistore.provider"] = provider[1]
    return Route(template, names)


class _Instrumentation:
    """Makes a span and measurements of each request."""

    def __init__(self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__, tracer_provider, _SCHEMA)
        meter = metrics.get_meter(SCOPE, __version__, meter_provider, _SCHEMA)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._sent = meter.create_histogram(
            "http.client.request.body.size", unit="By", description="Size of HTTP client request bodies."
        )
        self._received = meter.create_histogram(
            "http.client.response.body.size", unit="By", description="Size of HTTP client response bodies."
        )

    def observe(self, call: Call, send: Callable[[Call], Response]) -> Response:
        """Send a request inside a span."""
        if _is_suppressed():
            return send(call)
        route = parse_route(call.target, call.base.prefix)
        common: dict[str, Any] = {
            "http.request.method": call.method,
            "server.address": call.base.origin.host,
            "server.port": call.base.origin.port,
            "url.scheme": call.base.origin.scheme,
            "url.template": route.template,
        }
        with self._tracer.start_as_current_span(
            f"{call.method} {route.template}",
            kind=trace.SpanKind.CLIENT,
            # Without the query, which may carry a signature.
            attributes={
                **common,
                **route.names,
                "url.full": call.base.origin_text + call.target.partition("?")[0],
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if call.attempt > 1:
                span.set_attribute("http.request.resend_count", call.attempt - 1)
            call.members_only = _context_lines(call)
            started = time.perf_counter()
            try:
                answer = send(call)
            except Exception as err:
                common["error.type"] = f"{type(err).__module__}.{type(err).__qualname__}"
                span.set_attribute("error.type", common["error.type"])
                span.set_status(trace.StatusCode.ERROR)
                raise
            else:
                self._note_answer(span, common, call, answer)
                return answer
            finally:
                self._duration.record(time.perf_counter() - started, common)

    def _note_answer(self, span: Span, common: dict[str, Any], call: Call, answer: Response) -> None:
        common["http.response.status_code"] = answer.status_code
        span.set_attribute("http.response.status_code", answer.status_code)
        if answer.status_code >= 400:
            common["error.type"] = str(answer.status_code)
            span.set_attribute("error.type", common["error.type"])
            span.set_status(trace.StatusCode.ERROR)
        redirects = len(answer.history)
        if redirects:
            span.set_attribute("aistore.redirects", redirects)
            span.set_attribute("aistore.target", answer.url.split("/", 3)[2])
        if call.body is not None and call.body.size is not None:
            span.set_attribute("http.request.body.size", call.body.size)
            self._sent.record(call.body.size, common)
        length = answer.headers.get("Content-Length", "")
        if call.method != "HEAD" and length.isdecimal():
            span.set_attribute("http.response.body.size", int(length))
            self._received.record(int(length), common)


def _is_suppressed() -> bool:
    """Tell whether an exporter, or the program, asks for no telemetry here."""
    return any(
        context.get_value(getattr(context, name, ""))
        for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
    )


def _context_lines(call: Call) -> bytes:
    fields: dict[str, str] = {}
    propagate.inject(fields)
    own = {name.lower() for name in call.headers or ()}
    return encode_lines({name: value for name, value in fields.items() if name.lower() not in own})
