"""OpenTelemetry spans and metrics (extra `otel`): `Gateway(accounts, observers=[OpenTelemetry()])`.

By the semantic conventions for HTTP clients (https://opentelemetry.io/docs/specs/semconv/http/), with one departure:
`url.full` is made of the path template, because a path or query may name a person.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from . import CircuitChanged, Decided, OperationEnded, OperationStarted, RequestEnded, RequestStarted, observes

_SCOPE = "idv_core"
# The bucket boundaries that the conventions advise for http.client.request.duration.
_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
# People take minutes, and come back the next day.
_WAITS = (30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400, 259_200)

Attributes = dict[str, str | int]


class OpenTelemetry:
    """A span for each operation, one below it for each call, and five instruments.

    `http.client.request.duration`, `idv.operation.duration` and `idv.decision.duration` (histograms, seconds),
    `idv.circuit.changes` and `idv.decisions` (counters). Their attributes have no more values than there are accounts, routes
    and decisions.
    Providers default to the global ones.
    """

    def __init__(
        self, tracer_provider: trace.TracerProvider | None = None, meter_provider: metrics.MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._requests = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._operations = meter.create_histogram(
            "idv.operation.duration", unit="s", description="Duration of whole operations, with retries and pauses."
        )
        self._circuits = meter.create_counter("idv.circuit.changes", description="Openings and closings of circuits.")
        self._decisions = meter.create_counter("idv.decisions", description="Decisions of the policies.")
        self._times = meter.create_histogram(
            "idv.decision.duration",
            unit="s",
            description="From opened to decided.",
            explicit_bucket_boundaries_advisory=_WAITS,
        )
        self._spans: WeakKeyDictionary[object, Span] = WeakKeyDictionary()

    @observes
    def operation_started(self, event: OperationStarted) -> None:
        name = f"idv {event.operation}"
        self._spans[event] = self._tracer.start_span(name, kind=SpanKind.INTERNAL, attributes=_of_operation(event))

    @observes
    def operation_ended(self, event: OperationEnded) -> None:
        attributes = _of_operation(event.started) | _of_error(event.error)
        self._operations.record(event.seconds, attributes)
        self._end(event.started, event.error, {})

    @observes
    def request_started(self, event: RequestStarted) -> None:
        attributes = _of_request(event)
        attributes["url.full"] = f"{event.scheme}://{event.server}:{event.port}{event.template}"
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        above = self._spans.get(event.operation)
        within = trace.set_span_in_context(above, Context()) if above is not None else None
        self._spans[event] = self._tracer.start_span(
            f"{event.method} {event.template}", context=within, kind=SpanKind.CLIENT, attributes=attributes
        )

    @observes
    def request_ended(self, event: RequestEnded) -> None:
        failed = event.fault or (str(event.status) if event.status is not None and event.status >= 400 else None)
        answered: Attributes = {} if event.status is None else {"http.response.status_code": event.status}
        self._requests.record(event.seconds, _of_request(event.started) | answered | _of_error(failed))
        if event.response_bytes is not None:
            answered["http.response.body.size"] = event.response_bytes
        self._end(event.started, failed, answered)

    @observes
    def circuit_changed(self, event: CircuitChanged) -> None:
        self._circuits.add(1, {"idv.account": event.account, "idv.circuit.state": event.state})

    @observes
    def decided(self, event: Decided) -> None:
        attributes: Attributes = {"idv.account": event.account, "idv.decision": event.decision}
        if event.route is not None:
            attributes["idv.route"] = event.route
        self._decisions.add(1, attributes)
        if event.seconds is not None:
            self._times.record(event.seconds, attributes)

    def _end(self, started: object, failed: str | None, attributes: Attributes) -> None:
        span = self._spans.pop(started, None)
        if span is None:
            return
        span.set_attributes(attributes | _of_error(failed))
        if failed is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _of_operation(event: OperationStarted) -> Attributes:
    return {"idv.account": event.account, "idv.plugin": event.plugin, "idv.operation": event.operation}


def _of_request(event: RequestStarted) -> Attributes:
    return {
        "http.request.method": event.method,
        "server.address": event.server,
        "server.port": event.port,
        "url.template": event.template,
        "url.scheme": event.scheme,
        "idv.account": event.operation.account,
    }


def _of_error(name: str | None) -> Attributes:
    return {} if name is None else {"error.type": name}
