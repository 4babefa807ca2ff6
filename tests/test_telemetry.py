"""What can be seen of the work: observers, OpenTelemetry, structured logs."""

from __future__ import annotations

import logging

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from idv_core import Decision, OutcomeUnknown
from idv_core.engine.breaker import Circuit
from idv_core.errors import FlowNotFound, VendorUnavailable
from idv_core.telemetry import CircuitChanged, Decided, OperationEnded, RequestEnded, RequestStarted, observes
from idv_core.telemetry.otel import OpenTelemetry
from idv_core.testing import FakeClock


class Notebook:
    """Writes everything down."""

    def __init__(self) -> None:
        self.events: list[object] = []

    @observes
    def operation_ended(self, event: OperationEnded) -> None:
        self.events.append(event)

    @observes
    def request_started(self, event: RequestStarted) -> None:
        self.events.append(event)

    @observes
    def request_ended(self, event: RequestEnded) -> None:
        self.events.append(event)

    @observes
    def circuit_changed(self, event: CircuitChanged) -> None:
        self.events.append(event)


def away_once(vendor: Vendor) -> None:
    answers = [httpx.Response(503)]
    vendor.answers["GET /flows"] = lambda _: answers.pop() if answers else httpx.Response(200, json={"status": "busy"})


class TestObservers:
    async def test_they_see_operations_and_calls_from_beginning_to_end(self, vendor: Vendor, clock: FakeClock) -> None:
        for kind in ("sync", "async"):
            notebook = Notebook()
            away_once(vendor)
            if kind == "sync":
                gateway(vendor, clock, observers=[notebook]).status("acme-1/f-1")
            else:
                await async_gateway(vendor, clock, observers=[notebook]).status("acme-1/f-1")
            token, _, first, first_end, second, second_end, ended = notebook.events
            assert isinstance(token, RequestStarted)
            assert (token.template, token.operation.operation) == ("/token", "status")
            assert (first.method, first.template, first.server, first.port) == ("GET", "/flows/{}", "acme.example", 443)
            assert (first.attempt, second.attempt) == (1, 2)
            assert (first_end.started, first_end.status, second_end.status) == (first, 503, 200)
            assert (ended.started, ended.error) == (first.operation, None)
            assert ended.seconds > 0

    def test_they_see_failures_by_name(self, vendor: Vendor) -> None:
        def time_out(_: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("x")

        notebook = Notebook()
        vendor.answers["POST /flows"] = time_out
        with pytest.raises(OutcomeUnknown):
            gateway(vendor, observers=[notebook]).open(order())
        call, operation = notebook.events[-2:]
        assert (call.status, call.fault, operation.error) == (None, "ReadTimeout", "OutcomeUnknown")

    def test_they_see_circuits_open_and_close(self, vendor: Vendor, clock: FakeClock) -> None:
        notebook = Notebook()
        account = attrs.evolve(ACCOUNT, plugin="bare", circuit=Circuit(failures=1, cooldown=5))
        idv = gateway(vendor, clock, account, observers=[notebook])
        vendor.answers["GET /flows"] = lambda _: httpx.Response(503)
        with pytest.raises(VendorUnavailable):
            idv.status("acme-1/f-1")
        clock.advance(5)
        del vendor.answers["GET /flows"]
        idv.status("acme-1/f-1")
        assert [event.state for event in notebook.events if isinstance(event, CircuitChanged)] == ["open", "closed"]

    def test_one_that_raises_changes_nothing(self, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
        class Broken:
            @observes
            def request_ended(self, event: RequestEnded) -> None:
                raise RuntimeError("Meera Iyer")

        gateway(vendor, observers=[Broken()]).status("acme-1/f-1")
        assert [record.idv_error for record in caplog.records] == ["RuntimeError", "RuntimeError"]
        assert "Meera" not in str([record.__dict__ for record in caplog.records])

    def test_one_that_observes_nothing_is_a_mistake(self, vendor: Vendor) -> None:
        with pytest.raises(TypeError, match="Vendor observes nothing"):
            gateway(vendor, observers=[vendor])


class Diary:
    """Keeps decisions."""

    def __init__(self) -> None:
        self.events: list[Decided] = []

    @observes
    def decided(self, event: Decided) -> None:
        self.events.append(event)


class TestDecisions:
    async def test_a_decision_is_told_once_with_codes_alone(self, vendor: Vendor, clock: FakeClock) -> None:
        for kind in ("sync", "async"):
            diary = Diary()
            vendor.status = "busy"
            if kind == "sync":
                idv = gateway(vendor, clock, observers=[diary])
                flow = idv.open(order())
                results = [idv.result(flow)]
                vendor.status = "good"
                clock.advance(90)
                results += [idv.result(flow), idv.result(flow.ref)]
            else:
                aio = async_gateway(vendor, clock, observers=[diary])
                flow = await aio.open(order())
                results = [await aio.result(flow)]
                vendor.status = "good"
                clock.advance(90)
                results += [await aio.result(flow), await aio.result(flow.ref)]
            assert results[0].decision is Decision.UNDECIDED
            (event,) = diary.events
            assert (event.account, event.decision, event.seconds) == ("acme-1", results[1].decision.value, 90.0)
            assert event.reasons == tuple(reason.code for reason in results[1].reasons)
            assert (event.product, event.country) == (None, None)

    def test_opentelemetry_counts_them_with_bounded_attributes(self, clock: FakeClock) -> None:
        metrics = InMemoryMetricReader()
        observer = OpenTelemetry(TracerProvider(), MeterProvider([metrics]))
        common = {"account": "a", "product": "any text", "country": "IN", "reasons": ("x",)}
        for route, seconds in (("wallet", 30.0), (None, None)):
            observer.decided(Decided(decision="approved", route=route, seconds=seconds, **common))
        points = {
            metric.name: [(dict(point.attributes), getattr(point, "value", None)) for point in metric.data.data_points]
            for resource in metrics.get_metrics_data().resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        plain = {"idv.account": "a", "idv.decision": "approved"}
        assert points["idv.decisions"] == [({**plain, "idv.route": "wallet"}, 1), (plain, 1)]
        assert [attributes for attributes, _ in points["idv.decision.duration"]] == [{**plain, "idv.route": "wallet"}]


class TestOpenTelemetry:
    def test_spans_by_the_conventions(self, vendor: Vendor, clock: FakeClock) -> None:
        spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(spans))
        observer = OpenTelemetry(traces, MeterProvider([metrics]))
        away_once(vendor)
        idv = gateway(vendor, clock, observers=[observer])
        idv.status("acme-1/f-1")
        _, away, good, operation = spans.get_finished_spans()
        assert (operation.name, operation.parent) == ("idv status", None)
        assert away.name == "GET /flows/{}"
        assert away.parent.span_id == good.parent.span_id == operation.context.span_id
        assert away.status.status_code is StatusCode.ERROR
        assert dict(away.attributes) == {
            "http.request.method": "GET",
            "http.response.status_code": 503,
            "http.response.body.size": 0,
            "server.address": "acme.example",
            "server.port": 443,
            "url.full": "https://acme.example:443/flows/{}",
            "url.scheme": "https",
            "url.template": "/flows/{}",
            "idv.account": "acme-1",
            "error.type": "503",
        }
        assert good.attributes["http.request.resend_count"] == 1
        assert "error.type" not in good.attributes
        names = {
            metric.name: metric
            for resource in metrics.get_metrics_data().resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        assert sum(point.count for point in names["http.client.request.duration"].data.data_points) == 3
        assert sum(point.count for point in names["idv.operation.duration"].data.data_points) == 1

    def test_a_failed_operation_names_its_error(self, vendor: Vendor) -> None:
        spans = InMemorySpanExporter()
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(spans))
        vendor.answers["GET /flows"] = lambda _: httpx.Response(404)
        with pytest.raises(FlowNotFound):
            gateway(vendor, observers=[OpenTelemetry(traces, MeterProvider())]).status("acme-1/f-1")
        operation = spans.get_finished_spans()[-1]
        assert operation.attributes["error.type"] == "FlowNotFound"
        assert operation.status.status_code is StatusCode.ERROR


class TestLogs:
    def test_keys_are_stable(self, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
        """docs/operations.md lists them."""
        away_once(vendor)
        with caplog.at_level(logging.DEBUG, "idv_core"):
            gateway(vendor).status("acme-1/f-1")
        seen = [
            (
                record.levelname,
                record.getMessage().partition(":")[0],
                sorted(key for key in record.__dict__ if key.startswith("idv_")),
            )
            for record in caplog.records
        ]
        about = ["idv_account", "idv_method", "idv_operation", "idv_template"]
        call = (
            "DEBUG",
            "vendor call",
            sorted([*about, "idv_attempt", "idv_cause", "idv_fault", "idv_seconds", "idv_status"]),
        )
        assert seen == [
            call,
            call,
            ("INFO", "retry", sorted([*about, "idv_attempt", "idv_reason"])),
            call,
            ("DEBUG", "operation", ["idv_account", "idv_error", "idv_operation", "idv_seconds"]),
        ]
