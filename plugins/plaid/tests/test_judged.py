"""Judged by Plaid's own client over real sockets, and by Plaid's own OpenAPI document, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from typing import Any

import httpx
import pytest
from idv_plaid import idv_plugin
from idv_plaid.testing.emulator import PlaidEmulator, Variants
from idv_plaid.testing.harness import MEERA, ROHAN, applicant, forms, make_settings, order
from idv_plaid.testing.sdk_check import client_of, model
from idv_plaid.testing.signer import SigningKey
from idv_plaid.user_ids import user_id

from idv_core import Applicant, Decision, FlowStatus, Gateway, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import WebhookRejected
from idv_core.model import DocumentType, IdentificationNumber, VendorVerdict
from idv_core.model.fields import Address
from idv_core.registry import registry_of
from idv_core.testing import FakeClock, Network, WebhookRequest
from idv_core.testing.applicant import submit_forms
from idv_core.testing.asgi import Served, serve

from .judge import assert_fits

WHOLE = applicant(
    phone_number="+12345550101",
    identification_numbers=(IdentificationNumber(DocumentType.TAX_CARD, Secret("ZZZPI-0000-M"), country="IN"),),
)


@pytest.fixture
def served(clock: FakeClock) -> Iterator[tuple[PlaidEmulator, Served]]:
    emulator = PlaidEmulator(clock)
    clock.on_advance.append(emulator.tick)
    with serve(emulator.app) as running:
        yield emulator, running


@pytest.fixture
def sdk(served: tuple[PlaidEmulator, Served]) -> Any:
    return client_of(served[0], served[1].url)


@pytest.fixture
def idv(served: tuple[PlaidEmulator, Served], clock: FakeClock) -> Iterator[Gateway]:
    account = Account("plaid", "plaid", make_settings(served[0], served[1].url), test=True)
    with Gateway([account], clock=clock, registry=registry_of(idv_plugin())) as made:
        yield made


def walk(url: str, face: Any) -> None:
    with httpx.Client() as browser:
        submit_forms(browser, url, *forms(face))


def created(sdk: Any, emulator: PlaidEmulator, client_user_id: str = "CUST-7", **more: Any) -> Any:
    name = model("identity_verification_request_user_name", given_name="Meera", family_name="Iyer")
    user = model("identity_verification_create_request_user", name=name, date_of_birth=MEERA.birthdate)
    flags = {"is_shareable": True, "gave_consent": False, "user": user, **more}
    named = {"client_user_id": client_user_id, "template_id": emulator.template_id}
    return sdk.identity_verification_create(model("identity_verification_create_request", **named, **flags))


def got(sdk: Any, id: str) -> Any:
    return sdk.identity_verification_get(model("identity_verification_get_request", identity_verification_id=id))


class TestTheClient:
    def test_what_the_client_opens_the_plugin_reads(
        self, served: tuple[PlaidEmulator, Served], sdk: Any, idv: Gateway, clock: FakeClock
    ) -> None:
        made = created(sdk, served[0])
        assert (str(made.status), made.client_user_id) == ("active", "CUST-7")
        ref = f"plaid/{made.id}"
        assert idv.status(ref).status is FlowStatus.AWAITING_APPLICANT
        walk(made.shareable_url, MEERA)
        clock.advance(5)
        theirs, ours = got(sdk, made.id), idv.result(ref)
        assert (str(theirs.status), ours.vendor_word) == ("success", "success")
        assert (ours.status, ours.verdict) == (FlowStatus.FINISHED, VendorVerdict.POSITIVE)
        assert ours.decision is Decision.APPROVED, [str(reason) for reason in ours.reasons]
        document = theirs.documentary_verification.documents[0]
        assert ours.documents[0].vendor_type == str(document.extracted_data.category) == "passport"
        assert ours.claims.birthdate.value == document.extracted_data.date_of_birth
        assert ours.claims.document_number.value == document.extracted_data.id_number
        assert ours.documents[0].expires_on == document.extracted_data.expiration_date == date(2034, 5, 31)
        steps = {check.vendor_name: check.vendor_word for check in ours.checks}
        for name in ("kyc_check", "documentary_verification", "selfie_check", "watchlist_screening", "risk_check"):
            assert steps[name] == str(getattr(theirs.steps, name)) == "success"

    def test_what_the_plugin_opens_the_client_reads(self, sdk: Any, idv: Gateway) -> None:
        flow = idv.open(order(applicant=WHOLE))
        theirs = got(sdk, flow.id)
        assert flow.link is not None
        assert (theirs.shareable_url, theirs.client_user_id) == (
            flow.link.url.reveal(),
            user_id(order(applicant=WHOLE)),
        )
        assert theirs.client_user_id.startswith("APP-1.")
        user = theirs.user
        assert (user.name.given_name, user.date_of_birth, user.email_address) == (
            "Meera",
            MEERA.birthdate,
            "meera@example.org",
        )
        assert (user.id_number.value, str(user.id_number.type)) == ("ZZZPI0000M", "in_pan")
        assert (user.address.street, user.address.city, str(user.address.country)) == ("14 Hill Road", "Kochi", "IN")
        assert user.phone_number == "+12345550101"

    def test_a_face_that_is_not_the_documents(
        self, served: tuple[PlaidEmulator, Served], sdk: Any, idv: Gateway, clock: FakeClock
    ) -> None:
        flow = idv.open(order())
        assert flow.link is not None
        walk(flow.link.url.reveal(), ROHAN)
        clock.advance(5)
        theirs, ours = got(sdk, flow.id), idv.result(flow)
        assert (str(theirs.status), str(theirs.selfie_check.status)) == ("failed", "failed")
        assert str(theirs.selfie_check.selfies[0].analysis.document_comparison) == "no_match"
        failed = [check.label for check in ours.failed_checks()]
        assert failed == ["liveness.other", "face_match.selfie_to_document"]
        assert (ours.verdict, ours.decision) == (VendorVerdict.NEGATIVE, Decision.DECLINED)

    def test_a_document_that_is_not_genuine_is_asked_for_again(
        self, served: tuple[PlaidEmulator, Served], sdk: Any, idv: Gateway, clock: FakeClock
    ) -> None:
        from idv_core.testing import make_specimen

        flow = idv.open(order())
        assert flow.link is not None
        tampered = {"document": make_specimen("passport", MEERA, flaw="tampered")}
        with httpx.Client() as browser:
            answer = submit_forms(browser, flow.link.url.reveal(), {"consent": "yes"}, tampered)
            assert "Please try another one" in answer.text
            submit_forms(browser, flow.link.url.reveal(), tampered)
        theirs, ours = got(sdk, flow.id), idv.result(flow)
        assert [str(one.status) for one in theirs.documentary_verification.documents] == ["failed", "failed"]
        assert "document.authenticity" in [check.label for check in ours.failed_checks()]
        assert ours.decision is Decision.DECLINED

    def test_a_hit_of_the_watchlist_waits_for_a_person(
        self, served: tuple[PlaidEmulator, Served], sdk: Any, idv: Gateway, clock: FakeClock
    ) -> None:
        served[0].listed.add(MEERA.name)
        flow = idv.open(order())
        assert flow.link is not None
        walk(flow.link.url.reveal(), MEERA)
        clock.advance(5)
        assert str(got(sdk, flow.id).status) == "pending_review"
        assert idv.result(flow).decision is Decision.REVIEW
        served[0].override(flow.id, "watchlist_screening", "manually_approved")
        assert str(got(sdk, flow.id).steps.watchlist_screening) == "manually_approved"
        assert idv.result(flow).decision is Decision.APPROVED
        served[0].override(flow.id, "documentary_verification", "manually_rejected")
        assert idv.result(flow).decision is Decision.DECLINED

    def test_the_same_person_and_template_is_the_same_verification(
        self, served: tuple[PlaidEmulator, Served], sdk: Any
    ) -> None:
        import plaid

        first = created(sdk, served[0])
        assert created(sdk, served[0], is_idempotent=True).id == first.id
        with pytest.raises(plaid.ApiException) as caught:
            created(sdk, served[0])
        assert (caught.value.status, json.loads(caught.value.body)["error_type"]) == (400, "INVALID_INPUT")

    def test_wrong_credentials(self, served: tuple[PlaidEmulator, Served]) -> None:
        import plaid

        with pytest.raises(plaid.ApiException) as caught:
            created(client_of(*_at(served), secret="another"), served[0])
        assert json.loads(caught.value.body)["error_code"] == "INVALID_API_KEYS"

    def test_a_list_of_many_pages_has_all_attempts(self, served: tuple[PlaidEmulator, Served], sdk: Any) -> None:
        ids = {created(sdk, served[0], f"CUST-{number}").id for number in range(23)}
        asked: dict[str, Any] = {"template_id": served[0].template_id}
        found: set[str] = set()
        for _ in range(3):
            page = sdk.identity_verification_list(model("identity_verification_list_request", **asked))
            found |= {one.id for one in page.identity_verifications}
            if page.next_cursor:
                asked["cursor"] = page.next_cursor
        assert found == ids
        assert page.next_cursor is None

    @pytest.mark.parametrize("strategy", ["reset", "incomplete", "infer", "custom"])
    def test_a_retry_by_each_strategy(
        self, served: tuple[PlaidEmulator, Served], sdk: Any, clock: FakeClock, strategy: str
    ) -> None:
        made = created(sdk, served[0])
        walk(made.shareable_url, ROHAN)
        chosen = {"verify_sms": False, "kyc_check": False, "documentary_verification": True, "selfie_check": True}
        steps = model("identity_verification_retry_request_steps_object", **chosen)
        more = {"steps": steps} if strategy == "custom" else {}
        named = {"client_user_id": "CUST-7", "template_id": served[0].template_id}
        asked = model("identity_verification_retry_request", **named, strategy=model("strategy", strategy), **more)
        again = sdk.identity_verification_retry(asked)
        assert (again.previous_attempt_id, str(again.status)) == (made.id, "active")
        skipped = {name for name in chosen if str(again.steps[name]) == "skipped"}
        assert skipped == {
            "reset": set(),
            "custom": {"kyc_check"},
        }.get(strategy, {"kyc_check", "documentary_verification"})

    def test_a_token_for_plaid_link(self, served: tuple[PlaidEmulator, Served], sdk: Any, clock: FakeClock) -> None:
        asked = model(
            "link_token_create_request",
            client_name="Lantern",
            language="en",
            country_codes=[model("country_code", "US")],
            products=[model("products", "identity_verification")],
            user=model("link_token_create_request_user", client_user_id="CUST-7"),
            identity_verification=model(
                "link_token_create_request_identity_verification", template_id=served[0].template_id
            ),
        )
        made = sdk.link_token_create(asked)
        assert made.link_token.startswith("link-")
        assert made.expiration > clock.now()


@pytest.mark.parametrize("code", ["status_updated", "step_updated", "retried"])
def test_webhooks_are_what_the_client_expects(clock: FakeClock, code: str) -> None:
    from importlib import import_module

    module = import_module(f"plaid.model.identity_verification_{code}_webhook")
    name = "".join(part.title() for part in f"identity_verification_{code}_webhook".split("_"))
    body = json.loads(PlaidEmulator(clock).event(code.upper(), "idv_1"))
    body["environment"] = model("webhook_environment_values", body["environment"])
    assert getattr(module, name)(**body).identity_verification_id == "idv_1"
    for member in body:
        with pytest.raises(TypeError):
            getattr(module, name)(**{key: value for key, value in body.items() if key != member})


def _at(served: tuple[PlaidEmulator, Served]) -> tuple[PlaidEmulator, str]:
    return served[0], served[1].url


SCHEMAS = {
    "/identity_verification/create": "IdentityVerificationCreate",
    "/identity_verification/get": "IdentityVerificationGet",
    "/identity_verification/list": "IdentityVerificationList",
    "/identity_verification/retry": "IdentityVerificationRetry",
    "/webhook_verification_key/get": "WebhookVerificationKeyGet",
    "/link/token/create": "LinkTokenCreate",
}


class Recorder(httpx.BaseTransport):
    """Passes calls on, and keeps what was sent and answered at Plaid's API."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.calls: list[tuple[str, Any, int, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        content = response.read()
        if request.url.path in SCHEMAS:
            sent = json.loads(request.read())
            self.calls.append((request.url.path, sent, response.status_code, json.loads(content)))
        headers = {"content-type": response.headers["content-type"]}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(content))

    def judge(self) -> set[str]:
        """Hold every call to Plaid's document; which calls there were."""
        for path, sent, status, answered in self.calls:
            assert_fits(f"{SCHEMAS[path]}Request", sent, closed=True)
            assert_fits(f"{SCHEMAS[path]}Response" if status == 200 else "PlaidError", answered)
        return {path for path, *_ in self.calls}


class TestTheDocument:
    @pytest.fixture
    def recorder(self, network: Network) -> Recorder:
        return Recorder(network)

    @pytest.fixture
    def idv(self, emulator: PlaidEmulator, recorder: Recorder, clock: FakeClock) -> Iterator[Gateway]:
        account = Account("plaid", "plaid", make_settings(emulator), test=True)
        with Gateway([account], clock=clock, registry=registry_of(idv_plugin()), transport=recorder) as made:
            yield made

    @pytest.mark.parametrize("face", [MEERA, ROHAN])
    @pytest.mark.parametrize(
        "person",
        [
            WHOLE,
            applicant(),
            Applicant(reference="CUST-1"),
            Applicant(reference="CUST-2", country="US", address=Address(formatted="1 A Street\nPawnee")),
            Applicant(
                reference="CUST-3",
                given_name="Ana",
                family_name="Ruiz",
                birthdate=date(1993, 7, 21),
                address=Address(
                    street_address="1 A St\nFlat 2",
                    locality="Pawnee",
                    region="US-IN",
                    postal_code="46001",
                    country="US",
                ),
                identification_numbers=(
                    IdentificationNumber(DocumentType.NATIONAL_NUMBER_CARD, Secret("0000"), country="US"),
                ),
            ),
        ],
    )
    def test_all_that_is_sent_and_answered_fits(
        self, idv: Gateway, recorder: Recorder, network: Network, clock: FakeClock, person: Applicant, face: Any
    ) -> None:
        flow = idv.open(order(applicant=person))
        assert flow.link is not None
        born = {"date_of_birth": MEERA.birthdate.isoformat(), "given_name": "Meera", "family_name": "Iyer"}
        consent, document, selfie = forms(face)
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), consent, born, document, selfie)
        idv.result(flow)
        clock.advance(5)
        idv.result(flow)
        idv.status(flow)
        assert idv.check_credentials() is True
        assert recorder.judge() >= {
            "/identity_verification/create",
            "/identity_verification/get",
            "/identity_verification/list",
        }

    def test_attempts_tokens_and_keys_fit(
        self, emulator: PlaidEmulator, recorder: Recorder, network: Network, clock: FakeClock
    ) -> None:
        settings = {**make_settings(emulator), "client_name": "Lantern"}
        account = Account("plaid", "plaid", settings, test=True)
        webhooks = Webhooks("https://platform.example/idv", Secret("key-of-the-tests-0123456789abcdef"))
        shared: Any = {"clock": clock, "registry": registry_of(idv_plugin()), "transport": recorder}
        with Gateway([account], webhooks=webhooks, **shared) as idv:
            flow = idv.open(order(applicant=WHOLE))
            assert flow.link is not None
            with network.client() as browser:
                submit_forms(browser, flow.link.url.reveal(), *forms(ROHAN))
            assert idv.retry(flow, order(applicant=WHOLE)).previous_id == flow.id
            path = idv.webhook_url("plaid", "events").reveal().removeprefix("https://platform.example/idv/plaid")
            for key, accepted in ((emulator.keys[0], True), (SigningKey(clock.now()), False)):
                body = emulator.event("RETRIED", flow.id)
                headers = {"Plaid-Verification": key.token(body, clock.now())}
                call = WebhookRequest(method="POST", path=path, headers=headers, body=body)
                with nullcontext() if accepted else pytest.raises(WebhookRejected):
                    idv.receive("plaid", call)
                clock.advance(31)
        assert recorder.judge() == SCHEMAS.keys() - {"/identity_verification/get"}
        assert {status for _, _, status, _ in recorder.calls} == {200, 400}

    def test_what_is_refused_and_what_is_redacted_fits(
        self, idv: Gateway, recorder: Recorder, emulator: PlaidEmulator, clock: FakeClock
    ) -> None:
        from idv_core.errors import FlowNotFound
        from idv_core.testing import make_specimen

        with pytest.raises(FlowNotFound):
            idv.result("plaid/idv_none")
        flow = idv.open(order())
        passport, face = make_specimen("passport", MEERA), make_specimen("selfie", MEERA)
        emulator.hand_in(flow.id, passport, face)
        clock.advance(5)
        emulator.redact(flow.id)
        result = idv.result(flow)
        assert (result.status, result.decision) == (FlowStatus.ERASED, Decision.UNDECIDED)
        assert result.claims.birthdate.value is None
        statuses = {status for _, _, status, _ in recorder.calls}
        assert statuses == {200, 404}
        recorder.judge()


def test_the_judge_refuses_what_does_not_fit() -> None:
    good = {"identity_verification_id": "idv_1"}
    assert_fits("IdentityVerificationGetRequest", good, closed=True)
    for wrong in ({}, {"identity_verification_id": 7}, {**good, "more": 1}):
        with pytest.raises(AssertionError, match="no IdentityVerificationGetRequest"):
            assert_fits("IdentityVerificationGetRequest", wrong, closed=True)


def test_the_judge_says_loudly_that_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from . import judge

    judge._document.cache_clear()
    monkeypatch.setattr(judge, "_NAME", "no-such-file.yaml")
    with pytest.raises(pytest.skip.Exception, match="NOT JUDGED"):
        assert_fits("IdentityVerificationGetRequest", {})
    judge._document.cache_clear()


def test_a_template_without_a_selfie(clock: FakeClock, network: Network) -> None:
    emulator = network.host("other.example", PlaidEmulator(clock, variants=Variants(has_selfie=False)), clock)
    settings = {**make_settings(emulator), "base_url": "https://other.example", "gave_consent": True}
    account = Account("plaid", "plaid", settings, test=True)
    with Gateway([account], clock=clock, registry=registry_of(idv_plugin()), transport=network) as idv:
        flow = idv.open(order())
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), forms(MEERA)[1])
        clock.advance(5)
        result = idv.result(flow)
        assert result.decision is Decision.APPROVED
        names = {check.vendor_name for check in result.checks}
        assert "selfie_check" not in names
        assert "accept_tos" not in names
        assert result.flow.link is None
