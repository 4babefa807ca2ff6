"""What the conformance suite must find: one mistake of a plugin for each of its tests, planted in a small invented plugin."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import idv_atlas.account
import idv_atlas.testing.harness
import idv_stripe.mapping
import idv_stripe.plugin
import idv_stripe.testing.harness
import idv_stripe.webhooks
import idv_verigram.plugin
import idv_verigram.testing.harness
import pytest

from idv_core.model import Erasure, ErasureStatus
from idv_core.plugin import Webhook, read_field
from idv_core.testing import Driver, FakeClock, Harness, PluginConformance
from idv_core.testing.scaffolding import new_plugin

OPENED = '"application": order.application_id}\n        )'
READ = "        read = reply.structure(Verification)\n"
GET = '        reply = yield Request.get("/verifications/{}", flow.id)\n'
LINK = "status=FlowStatus.AWAITING_APPLICANT, link=link)"
EMPTY = 'raise UnexpectedResponse("the answer has an empty id", status=reply.status)'
UNFINISHED = "Result(flow=attrs.evolve(flow, status=FlowStatus.PROCESSING))"

FAULTS = {
    "an address without https": (
        "test_settings_refuse_addresses_without_https", "validator=is_base_url",
        "settings.py", ", validator=is_base_url", "",
    ),
    "a key that is a text": (
        "test_secrets_are_settings_of_type_secret", "its type is `Secret`",
        "settings.py", "api_key: Secret", "api_key: str",
    ),
    "an address that is written down": (
        "test_calls_go_where_the_settings_say", "return that of the settings",
        "plugin.py", "return self.settings.base_url", 'return "https://api.zeta.example"',
    ),
    "a key in a plain header": (
        "test_credentials_travel_dark", "give a `Secret`",
        "plugin.py", 'Secret(f"Bearer {self.settings.api_key.reveal()}")', 'f"Bearer {self.settings.api_key.reveal()}"',
    ),
    "a key in the address": (
        "test_credentials_travel_dark", "send it in a header",
        "plugin.py", "return request.with_headers(",
        'request = request.with_query({"key": self.settings.api_key.reveal()})\n        return request.with_headers(',
    ),
    "the clock": (
        "test_reads_neither_clock_nor_files_nor_chance", "time is a parameter",
        "plugin.py", "return request.with_headers(", "datetime.now()\n        return request.with_headers(",
    ),
    "a key by chance": (
        "test_reads_neither_clock_nor_files_nor_chance", "derived from the order alone",
        "plugin.py", OPENED, OPENED.replace("}\n", '},\n            headers={"Idempotency-Key": str(uuid.uuid4())}\n'),
    ),
    "a print": (
        "test_reads_neither_clock_nor_files_nor_chance", "redacted",
        "plugin.py", READ, f"        print(reply.content)\n{READ}",
    ),
    "a memory of the module": (
        "test_keeps_nothing_between_calls", "keep nothing",
        "plugin.py", GET, f"        _SEEN[flow.id] = flow\n{GET}",
    ),
    "refusals that are not yet": (
        "test_a_refused_call_is_an_error", "let the core raise the others",
        "plugin.py", GET, GET.replace("flow.id)", "flow.id, accept={401, 503})")
        + f"        if not reply.is_success:\n            return {UNFINISHED}\n",
    ),
    "an unknown flow that is not yet": (
        "test_a_flow_that_the_vendor_does_not_know_is_an_error", "a 404 is FlowNotFound",
        "plugin.py", GET, GET.replace("flow.id)", "flow.id, accept={404})")
        + f"        if not reply.is_success:\n            return {UNFINISHED}\n",
    ),
    "a page that is not yet": (
        "test_a_success_without_an_answer_is_an_error", "which raise UnexpectedResponse",
        "plugin.py", READ, f"        if reply.json_object() is None:\n            return {UNFINISHED}\n{READ}",
    ),
    "a create that is said to be harmless twice": (
        "test_an_opening_is_made_once", "two flows of one order",
        "plugin.py", OPENED, OPENED.replace("}\n", "}, idempotent=True\n"),
    ),
    "a name in an error": (
        "test_no_error_names_the_person", "never with which value",
        "plugin.py", EMPTY, EMPTY.replace('"the answer has an empty id"', "order.applicant.name"),
    ),
    "a key in an error": (
        "test_no_error_names_the_person", "never with which value",
        "plugin.py", EMPTY, EMPTY.replace('"the answer has an empty id"', "self.settings.api_key.reveal()"),
    ),
    "a link in details": (
        "test_what_is_kept_of_a_result_opens_nothing", "Flow.secrets",
        "plugin.py", LINK, LINK.replace(")", ", details={'url': created.url})"),
    ),
    "a name in details": (
        "test_what_is_kept_of_a_result_opens_nothing", "never the name",
        "plugin.py", LINK, LINK.replace(")", ", details={'name': order.applicant.name})"),
    ),
    "the whole answer as raw": (
        "test_what_is_kept_of_a_result_opens_nothing", "without_secrets",
        "plugin.py", "vendor_word=read.status[:40],", "vendor_word=read.status[:40], raw={'url': f'{self.base_url}/go/1'},",
    ),
    "a link to anywhere": (
        "test_a_link_to_a_foreign_host_is_not_handed_on", "trusted_link",
        "plugin.py", 'trusted_link(created.url, self.base_url, ("*.zeta.example",))', "Secret(created.url)",
    ),
    "the better of two": (
        "test_the_worse_of_two_tellings_counts", "never the better one",
        "plugin.py", "checks=[read_check(checked) for checked in read.checks],",
        "checks={one.vendor_name: one for one in sorted(map(read_check, read.checks), key=lambda o: o.outcome == 'passed')}"
        ".values(),\n            fields=(),",
    ),
    "a score on another scale": (
        "test_scores_and_dates_are_the_right_way_round", "is the scale right",
        "mapping.py", "vendor_name=checked.name[:40],", "vendor_name=checked.name[:40], score=Score.read(0.9, 0, 100),",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_the_author_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    test, told, file, old, new = FAULTS[fault]
    package = new_plugin("zeta", tmp_path) / "idv_zeta"
    source = (package / file).read_text()
    assert old in source
    extra = "\nimport uuid\n\nfrom idv_core.plugin import Score\n_SEEN = {}\n"
    head = "from __future__ import annotations\n"
    (package / file).write_text(source.replace(old, new).replace(head, head + extra, 1))
    monkeypatch.syspath_prepend(str(package.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "idv_zeta"]:
        monkeypatch.delitem(sys.modules, name)
    harness = importlib.import_module("idv_zeta.testing.harness").harness(FakeClock())
    with pytest.raises((AssertionError, pytest.fail.Exception), match=told.replace("(", r"\(")):
        _run(PluginConformance(), test, harness)
    for name in [name for name in sys.modules if name.partition(".")[0] == "idv_zeta"]:
        del sys.modules[name]


def _run(suite: PluginConformance, test: str, harness: object) -> None:
    """The test with each of its arguments; the suite's own fixtures are made by hand."""
    method = getattr(suite, test)
    if test == "test_reads_neither_clock_nor_files_nor_chance":
        method(harness.plugin.create(None))  # type: ignore[attr-defined]
        return
    marks = getattr(method, "pytestmark", [])
    for argument in marks[0].args[1] if marks else [None]:
        method(harness, argument) if marks else method(harness)


def _finds(harness: Harness, test: str, told: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception), match=told):
        getattr(PluginConformance(), test)(harness)


class TestFaultsOfARealPlugin:
    """Stripe's, Atlas's and Verigram's, each with one function that does the wrong thing."""

    @pytest.fixture
    def stripe(self) -> Harness:
        return idv_stripe.testing.harness.harness(FakeClock())

    def test_a_signature_that_is_not_looked_at(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idv_stripe.webhooks, "_check_signature", lambda *_: None)
        _finds(stripe, "test_signatures_are_over_the_body_and_the_time", "byte for byte")

    def test_a_signature_over_the_parsed_body(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        check = idv_stripe.webhooks._check_signature

        def parsed(settings: Any, call: Webhook) -> None:
            check(settings, attrs.evolve(call, body=json.dumps(json.loads(call.body)).encode()))

        monkeypatch.setattr(idv_stripe.webhooks, "_check_signature", parsed)
        _finds(stripe, "test_signatures_are_over_the_body_and_the_time", "byte for byte")

    def test_a_signed_time_that_is_not_looked_at(self, stripe: Harness) -> None:
        stripe.settings = {**stripe.settings, "tolerance": 10**9}
        _finds(stripe, "test_signatures_are_over_the_body_and_the_time", "replay")

    def test_one_secret_where_there_are_two(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        check = idv_stripe.webhooks._check_signature

        def first(settings: Any, call: Webhook) -> None:
            check(attrs.evolve(settings, webhook_secret=settings.webhook_secret[:1]), call)

        monkeypatch.setattr(idv_stripe.webhooks, "_check_signature", first)
        _finds(stripe, "test_webhook_secrets_can_be_rotated", "as_secrets")

    def test_another_application_is_adopted(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("facts_of", "facts_in"):
            told = getattr(idv_stripe.plugin, name)
            monkeypatch.setattr(
                idv_stripe.plugin, name, lambda *given, told=told: {**told(*given), "application_id": None}
            )
        _finds(stripe, "test_recover_takes_no_flow_of_another_application", "the same person's other application")

    def test_a_dead_flow_is_adopted(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idv_stripe.plugin, "_is_dead", lambda *_: False)
        _finds(stripe, "test_recover_takes_no_flow_that_has_ended", "skip flows that have ended")

    def test_the_first_page_alone(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        listed: Any = idv_stripe.plugin.StripeIdentity._listed

        def first_page(self: Any, *given: Any, **more: Any) -> Any:
            """Every list says that it has no more."""
            exchange: Any = listed(self, *given, **more)
            value: Any = None
            while True:
                try:
                    reply = yield exchange.send(value)
                except StopIteration as stop:
                    return stop.value
                value = attrs.evolve(reply, content=reply.content.replace(b'"has_more":true', b'"has_more":false'))
                value = attrs.evolve(value, content=value.content.replace(b'"has_more": true', b'"has_more": false'))

        monkeypatch.setattr(idv_stripe.plugin.StripeIdentity, "_listed", first_page)
        _finds(stripe, "test_recover_finds_its_flow_among_many", "pages")

    def test_an_expiry_that_is_not_read(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idv_stripe.mapping, "means_expiry", lambda *_: False)
        _finds(stripe, "test_a_document_that_has_ended_never_approves", "ended in 2001")

    def test_day_and_month_swapped(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        read = read_field

        def swapped(name: str, key: str, raw: Any) -> Any:
            if isinstance(raw, dict) and raw["day"] <= 12:
                raw = {**raw, "day": raw["month"], "month": raw["day"]}
            return read(name, key, raw)

        monkeypatch.setattr(idv_stripe.mapping, "read_field", swapped)
        _finds(stripe, "test_scores_and_dates_are_the_right_way_round", "day and month")

    def test_credentials_that_nobody_tried(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idv_stripe.StripeIdentity, "check_credentials", lambda _: (yield from ()))
        _finds(stripe, "test_credentials_that_are_wrong_are_refused", "every secret of the settings was wrong")

    def test_a_test_mode_that_is_not_told(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        result = idv_stripe.StripeIdentity.result

        def live(self: Any, flow: Any) -> Any:
            return attrs.evolve((yield from result(self, flow)), is_test=False)

        monkeypatch.setattr(idv_stripe.StripeIdentity, "result", live)
        _finds(stripe, "test_results_of_the_test_mode_say_so", "is_test")

    def test_a_person_who_is_not_compared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idv_verigram.plugin, "_is_somebody_else", lambda *_: False)
        harness = idv_verigram.testing.harness.harness(FakeClock())
        _finds(harness, "test_an_answer_that_names_another_person_never_approves", "another applicant's reference")

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_what_needs_a_driver(self, stripe: Harness, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """Erasure called done when it was taken, a status that result does not share, a cancelled flow told as declined."""
        driver = Driver(stripe, kind)
        suite = PluginConformance()
        with monkeypatch.context() as patched:
            patched.setattr(idv_stripe.plugin, "erasure_of", lambda _: Erasure(status=ErasureStatus.DONE))
            with pytest.raises(AssertionError, match="has only taken"):
                suite.test_erasing_twice_is_erasing_once(stripe, driver)
        stripe.order = attrs.evolve(stripe.order, application_id="APP-2")
        with monkeypatch.context() as patched:
            patched.setattr(idv_stripe.StripeIdentity, "status", lambda self, flow: _stays(self, flow))
            with pytest.raises(AssertionError, match="read both by one function"):
                suite.test_status_and_result_agree(stripe, driver)
        driver.close()


def _stays(adapter: Any, flow: Any) -> Any:
    yield from adapter.result(flow)
    return attrs.evolve(flow, status="processing")


def test_a_token_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    grant = idv_atlas.account._grant

    def short(*given: Any) -> Any:
        return attrs.evolve(grant(*given), expires_in=timedelta(seconds=1), renew_before=timedelta(0))

    monkeypatch.setattr(idv_atlas.account, "_grant", short)
    harness = idv_atlas.testing.harness.harness(FakeClock())
    driver = Driver(harness, "sync")
    with pytest.raises(AssertionError, match="three operations fetched"):
        PluginConformance().test_a_token_is_fetched_once_and_renewed(harness, driver)
    driver.close()
