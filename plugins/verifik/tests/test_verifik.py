"""Verifik beyond the suite: tokens, the step-by-step way, the hosted way, project flows, webhooks, and variants."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest
from idv_verifik import (
    Liveness,
    SmartEnroll,
    Step,
    Steps,
    Verifik,
    VerifikSettings,
    idv_plugin,
)
from idv_verifik.countries import country_code, country_name
from idv_verifik.testing.emulator import VerifikEmulator
from idv_verifik.testing.harness import ANA, HOST, LUIS, applicant, order, pictures, said
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import (
    Applicant,
    CheckKind,
    CheckOutcome,
    Decision,
    Document,
    Flow,
    FlowStatus,
    Gateway,
    OutcomeUnknown,
    Secret,
)
from idv_core.config import Account, Webhooks
from idv_core.errors import (
    AuthenticationFailed,
    DuplicateFlow,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    UnexpectedResponse,
    VendorUnavailable,
    WebhookRejected,
)
from idv_core.plugin.protocols import Grant, Webhook
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network, by_content, make_specimen
from idv_core.testing.exchange import reply, run_exchange
from idv_core.webhooks import Received, WebhookApp

PLATFORM = "platform.example"
SETTINGS = VerifikSettings(token=Secret("account-token"), project="p-1", project_flow="pf-1")
Connect = Callable[..., Gateway]


@pytest.fixture
def seen() -> list[Received]:
    return []


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object], seen: list[Received]) -> Connect:
    def connect(**changes: object) -> Gateway:
        webhooks = Webhooks(f"https://{PLATFORM}/idv", Secret("key-of-the-tests-0123456789abcdef"))
        account = Account("vf", "verifik", {**settings, **changes})
        idv = Gateway([account], webhooks=webhooks, transport=network, clock=clock, registry=registry_of(idv_plugin()))
        network.add(PLATFORM, Starlette(routes=[Mount("/idv", app=WebhookApp(idv, seen.append))]))
        return idv

    return connect


@pytest.fixture
def idv(connect: Connect) -> Gateway:
    return connect()


class TestTokens:
    @pytest.mark.parametrize("renew_by", ["GET", "POST"])
    def test_the_account_token_is_renewed_in_its_last_days(
        self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock, renew_by: str
    ) -> None:
        emulator.variants.renew_by = renew_by
        flow = idv.open(order())
        clock.advance(timedelta(days=26).total_seconds())
        idv.status(flow)
        assert not [call for call in emulator.calls if "session" in call]
        clock.advance(timedelta(days=1, hours=1).total_seconds())
        idv.status(flow)
        assert f"{renew_by} /v2/auth/session" in emulator.calls
        clock.advance(timedelta(days=20).total_seconds())
        assert idv.status(flow).status is FlowStatus.EXPIRED

    def test_a_dead_token_cannot_be_renewed(self, idv: Gateway, clock: FakeClock) -> None:
        clock.advance(timedelta(days=31).total_seconds())
        with pytest.raises(AuthenticationFailed):
            idv.status("vf/r-1")

    @pytest.mark.parametrize("scheme", ["Bearer", "JWT", "jwt"])
    def test_the_scheme_is_a_setting(self, connect: Connect, scheme: str) -> None:
        assert connect(auth_scheme=scheme).open(order()).id

    @pytest.mark.parametrize("token", ["no-jwt", "a.b.c", "a.e30.c", "a.eyJleHAiOiAieCJ9.c", "a.eyJleHAiOiAxZTMwfQ.c"])
    def test_a_token_without_an_end_is_never_renewed_ahead(self, token: str) -> None:
        grant = run_exchange(Verifik(attrs.evolve(SETTINGS, token=Secret(token))).obtain_token(None), []).value
        assert grant.expires_at is None

    def test_renewal_answers(self) -> None:
        old = Grant(access_token=Secret("old"))
        for data in ({"accessToken": "new"}, {"data": {"accessToken": "new"}}, {"token": "new"}):
            assert run_exchange(Verifik(SETTINGS).obtain_token(old), [reply(data)]).value.access_token == Secret("new")
        with pytest.raises(UnexpectedResponse, match="no accessToken"):
            run_exchange(Verifik(SETTINGS).obtain_token(old), [reply({})])

    @pytest.mark.parametrize("expired_status", [401, 403])
    def test_an_expired_applicant_token_is_replaced_and_never_by_registering_again(
        self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock, expired_status: int
    ) -> None:
        emulator.variants.expired_status = expired_status
        flow = idv.open(order())
        clock.advance(timedelta(minutes=121).total_seconds())
        flow = idv.upload(flow, pictures()[:1])
        assert emulator.calls.count("POST /v2/app-registrations") == 1
        assert [call for call in emulator.calls if call.endswith("/resend-link")]
        assert flow.secrets["token"]

    def test_a_refusal_that_is_no_expiry_is_not_taken_for_one(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = idv.vendor(lambda verifik: verifik.steps.send_email_code(opened(idv), "ana@example.org"))
        with pytest.raises(PermissionDenied) as caught:
            idv.vendor(lambda verifik: verifik.steps.check_email_code(flow, "ana@example.org", "999999"))
        assert caught.value.code == "otp_does_not_match"
        assert not [call for call in emulator.calls if call.endswith("/resend-link")]


def opened(idv: Gateway, **changes: object) -> Flow:
    return idv.open(order(**changes))


class TestOpening:
    def test_the_link_is_built_and_dark(self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock) -> None:
        flow = idv.open(order())
        assert flow.link is not None
        assert (
            flow.link.url.reveal()
            == f"https://{HOST}/sign-up/{emulator.project}?token={flow.secrets['token'].reveal()}"
        )
        assert flow.link.expires_at == clock.now() + timedelta(minutes=120)
        renewed = idv.renew_link(flow.ref)
        assert renewed.link is not None
        assert renewed.link.expires_at == clock.now() + timedelta(minutes=30)

    @pytest.mark.parametrize("status", [409, 412])
    def test_the_same_contact_again_is_a_duplicate(self, idv: Gateway, emulator: VerifikEmulator, status: int) -> None:
        emulator.variants.duplicate_status = status
        flow = idv.open(order())
        with pytest.raises(DuplicateFlow) as caught:
            idv.open(order(application_id="APP-8"))
        assert caught.value.status == status
        (found,) = idv.vendor(lambda verifik: verifik.registrations.find("Ana@example.org"))
        assert f"vf/{found}" == flow.ref

    def test_what_is_sent(self) -> None:
        created = {"data": {"appRegistration": {"_id": "r"}, "token": "t"}}
        for person, names in (
            (applicant(), {"firstName": "Ana", "lastName": "Ruiz"}),
            (Applicant(reference="r", name="Ana Ruiz", email="A@Example.org"), {"fullName": "Ana Ruiz"}),
            (Applicant(reference="r", email="a@example.org"), {}),
        ):
            ran = run_exchange(Verifik(SETTINGS).open_flow(order(applicant=person)), [reply(created)])
            sent = ran.requests[0].json
            assert {key: value for key, value in sent.items() if "ame" in key} == names
            assert sent["email"] == person.email.lower()
        assert ran.value.details == {}
        first = run_exchange(Verifik(SETTINGS).open_flow(order()), [reply(created)]).requests[0].json
        assert (first["countryCode"], first["phone"]) == ("+57", "3005550101")

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"applicant": Applicant(reference="r")}, "e-mail or phone"),
            ({"applicant": Applicant(reference="r", phone_number="+9999999999")}, "country code"),
        ],
    )
    def test_what_cannot_be_opened(self, changes: dict[str, object], problem: str) -> None:
        with pytest.raises(InvalidOrder, match=problem):
            run_exchange(Verifik(SETTINGS).open_flow(order(**changes)), [])

    def test_a_project_flow_is_needed(self) -> None:
        with pytest.raises(InvalidOrder, match="project flow"):
            run_exchange(Verifik(attrs.evolve(SETTINGS, project_flow=None)).open_flow(order()), [])

    def test_what_the_answers_must_have(self) -> None:
        adapter = Verifik(SETTINGS)
        with pytest.raises(UnexpectedResponse, match="empty token"):
            run_exchange(adapter.open_flow(order()), [reply({"data": {"appRegistration": {"_id": "r"}, "token": ""}})])
        with pytest.raises(UnexpectedResponse, match="no _id"):
            run_exchange(adapter.open_flow(order()), [reply({"data": {"appRegistration": {}, "token": "t"}})])
        with pytest.raises(UnexpectedResponse, match="empty token"):
            run_exchange(adapter.renew_link(Flow(id="r", status="open")), [reply({"data": {"token": ""}})])
        with pytest.raises(UnexpectedResponse, match="another registration"):
            run_exchange(adapter.result(Flow(id="r", status="open")), [reply({"data": {"id": "other"}})])

    def test_an_odd_expiry_is_none(self) -> None:
        for text, known in (
            ("2026-03-02 10:45:00", True),
            ("2026-03-02T10:45:00Z", True),
            ("soon", False),
            (None, False),
        ):
            data = {"token": "t", "expiresAt": text}
            flow = run_exchange(
                Verifik(SETTINGS).renew_link(Flow(id="r", status="open")), [reply({"data": data})]
            ).value
            assert (flow.link.expires_at is not None) == known


class TestStepByStep:
    def test_two_people_end_with_a_failed_face_match(self, idv: Gateway) -> None:
        result = idv.wait(idv.submit(idv.upload(opened(idv), pictures(ANA, LUIS))))
        assert [check.kind for check in result.failed_checks()] == [CheckKind.FACE_MATCH]
        assert result.decision is Decision.DECLINED

    @pytest.mark.parametrize(
        ("kind", "flaw", "outcome", "reason"),
        [
            ("selfie", "printed photo", CheckOutcome.FAILED, "liveness_failed"),
            ("invoice", None, CheckOutcome.INCONCLUSIVE, "ERR_NO_FACE_DETECTED"),
            ("cedula", None, CheckOutcome.FAILED, "liveness_failed"),
        ],
    )
    def test_a_refused_selfie_is_evidence(
        self, idv: Gateway, kind: str, flaw: str | None, outcome: CheckOutcome, reason: str
    ) -> None:
        picture = make_specimen(kind, ANA, flaw=flaw)
        flow = idv.upload(opened(idv), [by_content("cedula", ANA), Document.selfie(content=picture)])
        refused = flow.uploads[-1]
        assert not refused.accepted
        assert refused.check is not None
        assert refused.check.outcome is outcome
        assert reason in refused.check.reasons
        again = idv.upload(flow, [Document.selfie("selfie-2", content=make_specimen("selfie", ANA))])
        assert idv.wait(idv.submit(again)).decision is Decision.APPROVED

    def test_attempts_run_out(self, idv: Gateway) -> None:
        flow = opened(idv)
        flow = idv.upload(flow, pictures()[:1])
        for number in range(4):
            flow = idv.upload(flow, [Document.selfie(f"s{number}", content=make_specimen("selfie", ANA, flaw="mask"))])
        assert flow.uploads[-1].check is not None
        assert flow.uploads[-1].check.reasons == ("attempts_limit_reached",)
        result = idv.wait(idv.submit(flow))
        assert (result.vendor_word, result.decision) == ("FAILED", Decision.DECLINED)

    def test_a_document_that_cannot_be_read_may_be_tried_again(self, idv: Gateway) -> None:
        flow = idv.upload(opened(idv), [Document("cat", content=make_specimen("selfie", ANA))])
        assert flow.uploads[0].check is not None
        assert flow.uploads[0].check.reasons == ("document_type_not_detected",)
        flow = idv.upload(flow, pictures())
        assert [upload.accepted for upload in flow.uploads] == [False, True, True]
        assert idv.wait(idv.submit(flow)).decision is Decision.APPROVED

    def test_a_second_document_is_refused(self, idv: Gateway) -> None:
        flow = idv.upload(opened(idv), pictures()[:1])
        with pytest.raises(InvalidOrder) as caught:
            idv.upload(flow, [by_content("passport", ANA)])
        assert caught.value.code == "already_exists"

    @pytest.mark.parametrize(("flaw", "word"), [("expired", "EXPIRED"), ("torn", "FAILED")])
    def test_a_bad_document_fails(self, idv: Gateway, flaw: str, word: str) -> None:
        flow = idv.upload(opened(idv), [by_content("cedula", ANA, flaw=flaw), pictures()[1]])
        result = idv.wait(idv.submit(flow))
        (failed,) = result.checks_of(CheckKind.DOCUMENT)
        assert (failed.outcome, failed.vendor_word) == (CheckOutcome.FAILED, word)
        assert result.decision is Decision.DECLINED

    def test_a_picture_is_needed_and_no_address(self, idv: Gateway) -> None:
        with pytest.raises(InvalidOrder, match="takes the picture itself"):
            idv.upload(opened(idv), [Document("id", url="https://x.example/y")])

    @pytest.mark.parametrize(("content", "kind"), [(b"\x89PNG...", "png"), (b"\xff\xd8...", "jpeg")])
    def test_pictures_go_as_the_vendor_shows_them(self, content: bytes, kind: str) -> None:
        flow = Flow(id="r", status="open", secrets={"token": Secret("t")})
        selfie = Document.selfie(content=content)
        ran = run_exchange(Verifik(SETTINGS).upload(flow, (selfie,)), [reply({"data": {"_id": "r"}})])
        assert ran.requests[0].json["image"].startswith(f"data:image/{kind};base64,")
        both = Document("id", content=content, back_content=b"back", type="passport", country="CO")
        answer = {"data": {"documentValidation": {"_id": "d", "status": "ACTIVE"}}}
        sent = run_exchange(Verifik(SETTINGS).upload(flow, (both,)), [reply(answer)]).requests[0].json
        assert sent["backImage"] == "YmFjaw=="
        assert (sent["category"], sent["country"], sent["inputMethod"]) == ("passport", "Colombia", "FILE_UPLOAD")

    def test_what_is_no_picture_is_inconclusive(self, idv: Gateway) -> None:
        torn = b"\xff\xd8\xff torn off"
        flow = idv.upload(opened(idv), [Document("id", content=torn, back_content=torn, type="idcard", country="CO")])
        assert flow.uploads[0].check is not None
        assert flow.uploads[0].check.reasons == ("only_images_in_base64",)
        with pytest.raises(InvalidOrder):
            idv.upload(flow, [Document.selfie(content=torn)])

    @pytest.mark.parametrize(
        "variant",
        [
            {"document_answer": "flat"},
            {"biometric_answer": "object"},
            {"webhook_body": "bare"},
            {"webhook_times": 2},
            {"wrapped": True},
        ],
        ids=str,
    )
    def test_every_variant_ends_well(self, idv: Gateway, emulator: VerifikEmulator, variant: dict[str, object]) -> None:
        for name, value in variant.items():
            setattr(emulator.variants, name, value)
        assert idv.wait(idv.submit(idv.upload(opened(idv), pictures()))).decision is Decision.APPROVED

    def test_without_passed_a_comparison_is_inconclusive(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        emulator.variants.compare_says_passed = False
        assert idv.wait(idv.submit(idv.upload(opened(idv), pictures()))).decision is Decision.REVIEW

    def test_submitting_too_early_is_said(self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock) -> None:
        emulator.variants.reading = timedelta(seconds=30)
        flow = idv.upload(opened(idv), pictures())
        with pytest.raises(VendorUnavailable, match="submit again") as caught:
            idv.submit(flow)
        assert caught.value.safe_to_retry
        clock.advance(31)
        assert idv.wait(idv.submit(flow)).decision is Decision.APPROVED

    def test_a_selfie_alone_does_not_move_a_registration_on(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        """Only a sync makes it ONGOING (section 5.2), so that a document may be read in one that is STARTED."""
        emulator.variants.reading = timedelta(seconds=30)
        flow = idv.upload(opened(idv), pictures())
        assert emulator.registrations[flow.id]["status"] == "STARTED"
        assert idv.status(flow).status is FlowStatus.PROCESSING

    def test_what_is_kept_opens_nothing_and_shows_nobody(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = idv.vendor(lambda verifik: verifik.steps.send_email_code(opened(idv), "ana@example.org"))
        flow = idv.submit(idv.upload(attrs.evolve(flow, account="vf"), pictures()))
        (email,) = emulator.email_validations.values()
        email["emailData"] = {"authLink": "https://access.verifik.example/x?token=AUTHLINK", "accessToken": "SHORT"}
        (selfie,) = emulator.biometrics.values()
        selfie["response"] = {"bestframe": "aW1n" * 400, "image": "aW1n", "imageUrl": "https://x.example/f?sig=SIGNED"}
        (document,) = emulator.documents.values()
        document.update(frontImage="aW1n" * 400, documentFace="aW1n")
        raw = idv.result(flow).raw
        assert raw["documentValidation"]["OCRExtraction"]["fullName"]
        for kept_out in ("AUTHLINK", "SHORT", "aW1n", "SIGNED", "signature="):
            assert kept_out not in json.dumps(dict(raw))

    def test_submitting_twice_changes_and_charges_nothing(
        self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock
    ) -> None:
        flow = idv.upload(opened(idv), pictures())
        emulator.fault("POST /v2/face-recognition", said(500, "InternalServerError", "internal_error"))
        with pytest.raises(OutcomeUnknown, match="Check status"):
            idv.submit(flow)
        # the vendor may still be at it
        with pytest.raises(OutcomeUnknown, match="may still process it") as caught:
            idv.submit(flow)
        assert caught.value.retry_after is not None
        clock.advance(caught.value.retry_after.total_seconds())
        idv.submit(flow)
        assert idv.submit(flow).status is FlowStatus.FINISHED
        for charged in ("validate", "background-check"):
            assert len([call for call in emulator.calls if call.endswith(charged)]) == 1

    def test_incomplete_goes_to_a_person_whatever_we_wish(self, idv: Gateway) -> None:
        flow = idv.submit(idv.upload(opened(idv), pictures()[:1]))
        result = idv.result(flow)
        assert (result.vendor_word, result.decision) == ("NEEDS_MANUAL_VERIFICATION", Decision.REVIEW)

    def test_staff_may_decide_later(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = idv.submit(idv.upload(opened(idv), pictures(ANA, LUIS)))
        emulator.override(flow.id, "FAILED")
        assert idv.result(flow).vendor_word == "FAILED"

    def test_documents_that_the_source_does_not_know(self, idv: Gateway) -> None:
        flow = idv.upload(opened(idv), [by_content("passport", ANA), by_content("selfie", ANA)])
        result = idv.wait(idv.submit(flow))
        (names,) = result.checks_of(CheckKind.NAME_MATCH)
        assert (names.outcome, names.reasons) == (CheckOutcome.INCONCLUSIVE, ("document_not_supported",))

    def test_a_name_on_a_list_goes_to_a_person(self, idv: Gateway) -> None:
        person = applicant(given_name="Wanted", family_name="Ruiz")
        flow = idv.upload(opened(idv, applicant=person), pictures())
        result = idv.wait(idv.submit(flow))
        (screening,) = result.checks_of(CheckKind.SCREENING)
        assert screening.reasons == ("world_api_interpol",)

    def test_skipping_approves_nobody(self, connect: Connect, emulator: VerifikEmulator) -> None:
        lax = emulator.add_project_flow(steps={"document": "optional", "liveness": "optional"})
        idv = connect(project_flow=lax)
        flow = idv.vendor(lambda verifik: verifik.steps.sync(opened(idv), "skipKYC", "COMPLETED_WITHOUT_KYC"))
        assert flow.secrets["final_token"]
        result = idv.result(attrs.evolve(flow, account="vf"))
        assert (result.vendor_word, result.decision) == ("COMPLETED_WITHOUT_KYC", Decision.REVIEW)

    @pytest.mark.parametrize("step", ["skipKYC", "document", "nonsense"])
    def test_steps_out_of_turn(self, idv: Gateway, step: str) -> None:
        flow = opened(idv)
        with pytest.raises(InvalidOrder):
            idv.vendor(lambda verifik: verifik.steps.sync(flow, step))

    def test_instructions_are_a_step(self, idv: Gateway) -> None:
        flow = opened(idv)
        assert (
            idv.vendor(lambda verifik: verifik.steps.sync(flow, "instructions")).status is FlowStatus.AWAITING_APPLICANT
        )


class TestCodes:
    @pytest.fixture
    def idv(self, connect: Connect, emulator: VerifikEmulator) -> Gateway:
        form = {"email": True, "emailGateway": "mailgun", "phone": True, "phoneGateway": "sms"}
        steps = {"signUpForm": "mandatory", "document": "mandatory", "liveness": "mandatory"}
        return connect(project_flow=emulator.add_project_flow(signUpForm=form, steps=steps))

    @pytest.mark.parametrize("check_by", ["PUT", "POST"])
    def test_with_both_codes_the_flow_can_be_ended(
        self, idv: Gateway, emulator: VerifikEmulator, check_by: str
    ) -> None:
        emulator.variants.email_check_by = check_by
        flow = idv.upload(opened(idv), pictures())
        with pytest.raises(InvalidOrder) as caught:
            idv.submit(flow)
        assert caught.value.code == "Conflict"
        steps = [
            lambda verifik, flow: verifik.steps.send_email_code(flow, "ana@example.org"),
            lambda verifik, flow: verifik.steps.check_email_code(flow, "ana@example.org", "123456"),
            lambda verifik, flow: verifik.steps.send_phone_code(flow, "+573005550101"),
            lambda verifik, flow: verifik.steps.check_phone_code(flow, "+573005550101", "123456"),
        ]
        for step in steps:
            flow = idv.vendor(lambda verifik, step=step, flow=flow: step(verifik, flow))
        result = idv.wait(idv.submit(flow))
        assert result.decision is Decision.APPROVED
        assert {CheckKind.EMAIL, CheckKind.PHONE} <= {check.kind for check in result.checks}

    def test_codes_grow_old(self, idv: Gateway, clock: FakeClock) -> None:
        flow = idv.vendor(lambda verifik: verifik.steps.send_phone_code(opened(idv), "+573005550101"))
        clock.advance(601)
        with pytest.raises(InvalidOrder, match="phoneValidation_has_expired"):
            idv.vendor(lambda verifik: verifik.steps.check_phone_code(flow, "+573005550101", "123456"))

    def test_codes_are_digits(self, idv: Gateway) -> None:
        flow = opened(idv)
        with pytest.raises(InvalidOrder, match="digits only"):
            idv.vendor(lambda verifik: verifik.steps.check_email_code(flow, "a@example.org", "12x"))

    def test_an_unknown_validation_is_not_tried_elsewhere(self, idv: Gateway) -> None:
        flow = attrs.evolve(opened(idv), details={"email_validation": "unknown"})
        with pytest.raises(Exception, match="email_validation_not_found"):
            idv.vendor(lambda verifik: verifik.steps.check_email_code(flow, "a@example.org", "123456"))


class TestHosted:
    def test_an_applicant_walks_to_the_end(self, connect: Connect, emulator: VerifikEmulator, network: Network) -> None:
        form = {"email": True, "emailGateway": "mailgun"}
        steps = {"signUpForm": "mandatory", "document": "mandatory", "liveness": "mandatory"}
        back = {"redirectUrl": "https://platform.example/back"}
        quiet = {"attemptLimit": 3, "informationVerification": False}
        idv = connect(
            project_flow=emulator.add_project_flow(signUpForm=form, steps=steps, integrations=back, documents=quiet)
        )
        flow = opened(idv)
        assert flow.link is not None
        url = flow.link.url.reveal()
        with network.client() as browser:
            assert "Sign up" in browser.get(url).text
            assert "agree" in browser.post(url, data={"email": "x"}).text
            browser.post(url, data={"terms": "yes"})
            assert "Otp does not match" in browser.post(url, data={"code": "1"}).text
            browser.post(url, data={"code": "123456"})
            assert (
                "Document type not detected" in browser.post(url, files={"document": make_specimen("selfie", ANA)}).text
            )
            browser.post(url, files={"document": make_specimen("cedula", ANA)})
            assert "Liveness failed" in browser.post(url, files={"selfie": make_specimen("invoice", ANA)}).text
            last = browser.post(url, files={"selfie": make_specimen("selfie", ANA)})
            assert last.headers["location"].startswith("https://platform.example/back?type=onboarding&token=")
            assert "Thank you" in browser.get(url).text
        assert idv.wait(flow).decision is Decision.APPROVED

    def test_an_old_link_shows_the_form_and_takes_nothing(
        self, idv: Gateway, network: Network, clock: FakeClock
    ) -> None:
        flow = opened(idv)
        assert flow.link is not None
        clock.advance(timedelta(hours=3).total_seconds())
        with network.client() as browser:
            assert "Sign up" in browser.get(flow.link.url.reveal()).text
            assert browser.post(flow.link.url.reveal(), data={"terms": "yes"}).status_code == 400
            assert "Sign up" in browser.get(f"https://{HOST}/sign-up/p?token=a.b.c").text


class TestProjectFlows:
    def test_settings_are_typed_and_sent_in_the_vendors_shape(self, smart_enroll: SmartEnroll) -> None:
        payload = smart_enroll.payload()
        assert payload["documents"]["documentTypes"] == [
            {
                "country": "Colombia",
                "configurations": [{"active": True, "documentCategory": "government_id", "documentTemplates": []}],
            }
        ]
        assert payload["liveness"] == {"attemptLimit": 3, "minScore": 0.65, "searchMinScore": 0.8, "searchMode": "FAST"}
        assert payload["steps"] == {"document": "mandatory", "liveness": "mandatory"}
        assert payload["signUpForm"]["fullNameStyle"] == "separate"
        with_more = attrs.evolve(
            smart_enroll, redirect_url="https://p.example", steps=Steps(sign_up_form=Step.MANDATORY)
        )
        assert with_more.payload()["integrations"] == {"redirectUrl": "https://p.example"}
        assert with_more.payload()["steps"]["signUpForm"] == "mandatory"
        with pytest.raises(ValueError, match="from 0 to 1"):
            Liveness(min_score=65)

    def test_a_change_is_carried_over_and_nothing_doubles(
        self, idv: Gateway, emulator: VerifikEmulator, smart_enroll: SmartEnroll
    ) -> None:
        before = len(emulator.project_flows)
        made = idv.provision(smart_enroll.template("wallet"))
        stricter = attrs.evolve(smart_enroll, liveness=Liveness(min_score=0.8))
        assert idv.provision(stricter.template("wallet")).id == made.id
        stored = idv.vendor(lambda verifik: verifik.project_flows.retrieve(made.id))
        assert (stored["liveness"]["minScore"], stored["status"]) == (0.8, "active")
        idv.vendor(lambda verifik: verifik.project_flows.update(made.id, {"status": "paused"}))
        idv.provision(stricter.template("wallet"))
        assert emulator.project_flows[made.id]["status"] == "active"
        other = idv.provision(smart_enroll.template("loans"))
        assert len(emulator.project_flows) == before + 2
        (webhook,) = emulator.webhooks.values()
        assert webhook["projectFlow"] == [made.id, other.id]

    def test_a_flow_that_is_not_active_opens_nothing(self, connect: Connect, emulator: VerifikEmulator) -> None:
        with pytest.raises(PermissionDenied) as caught:
            connect(project_flow=emulator.add_project_flow(status="paused")).open(order())
        assert caught.value.code == "Project_not_active"

    @pytest.mark.parametrize(
        "body",
        [{"data": {"docs": [{"_id": "f"}], "total": 1}}, {"data": None}, {}, {"data": ["f"]}, "x", None],
        ids=str,
    )
    def test_what_is_no_list_is_not_an_empty_one(self, body: object) -> None:
        with pytest.raises(UnexpectedResponse):
            run_exchange(Verifik(SETTINGS).project_flows.list(), [reply(body)])

    def test_a_404_ends_a_list_only_where_nothing_more_was_promised(self) -> None:
        flows, gone = Verifik(SETTINGS).project_flows, reply({"message": "not found"}, status=404)
        page = [{"_id": "f"}]
        assert len(run_exchange(flows.list(), [reply({"data": page}), gone]).value) == 1
        for replies in (
            [gone],
            [reply({"data": page, "pages": 3}), gone],
            [reply({"data": page, "total": 2}), gone],
            [reply({"data": page}), reply(b"<html>", status=404)],
        ):
            with pytest.raises(UnexpectedResponse):
                run_exchange(flows.list(), replies)

    def test_lists_are_read_to_their_end(self) -> None:
        adapter = Verifik(SETTINGS)
        full = [{"_id": str(number), "name": "x"} for number in range(100)]
        ran = run_exchange(adapter.project_flows.list(), [reply({"data": full}), reply({"data": [{"_id": "last"}]})])
        assert (len(ran.value), len(ran.requests)) == (101, 3)
        assert len(run_exchange(adapter.project_flows.list(), [reply({"data": full})]).requests) == 2
        assert run_exchange(adapter.project_flows.list(), [reply({"data": {}})]).value == ()

    def test_countries_in_both_directions(self) -> None:
        assert (country_name("US"), country_name("VE"), country_name("XX")) == ("United States", "Venezuela", "XX")
        for text, code in (
            ("Colombia", "CO"),
            ("CO", "CO"),
            ("COL", "CO"),
            ("United States of America", "US"),
            ("Nowhere", None),
            (3, None),
            (" ", None),
        ):
            assert country_code(text) == code


class TestWebhooks:
    def test_events_say_which_registration_to_fetch(
        self, idv: Gateway, smart_enroll: SmartEnroll, seen: list[Received], clock: FakeClock
    ) -> None:
        template = idv.provision(smart_enroll.template("wallet"))
        flow = idv.open(order(template=template.id))
        flow = idv.submit(idv.upload(flow, pictures()))
        clock.advance(1)
        events = {received.event: received for received in seen}
        assert events["app_registration_completed"].flow_ref == flow.ref
        assert events["document_validation_created"].flow_ref == flow.ref
        assert events["app_registration_completed"].application_id is None
        assert events["app_registration_sync_sign_up_form"].fetch

    def test_a_second_selfie_is_told_in_the_older_shape(
        self,
        idv: Gateway,
        emulator: VerifikEmulator,
        smart_enroll: SmartEnroll,
        seen: list[Received],
        clock: FakeClock,
    ) -> None:
        template = idv.provision(smart_enroll.template("wallet"))
        flow = idv.upload(idv.open(order(template=template.id)), pictures())
        clock.advance(1)
        seen.clear()
        emulator.variants.webhook_body = "bare"
        with pytest.raises(InvalidOrder, match="person_already_set"):
            idv.upload(flow, [Document.selfie("again", content=make_specimen("selfie", ANA))])
        clock.advance(1)
        (received,) = seen
        assert received.flow_ref is not None
        assert (received.flow_ref.split(";")[0], received.fetch) == (flow.ref.split(";")[0], True)

    def test_a_delivery_is_tried_three_times(
        self, idv: Gateway, emulator: VerifikEmulator, smart_enroll: SmartEnroll, network: Network, clock: FakeClock
    ) -> None:
        template = idv.provision(smart_enroll.template("wallet"))
        network._apps.pop(PLATFORM)
        idv.open(order(template=template.id))
        for _ in range(30):
            clock.advance(1)
        assert emulator.deliveries == [("app_registration_created", 0)] * 3

    @pytest.mark.parametrize(
        ("body", "flow_id"),
        [
            (b'{"type": "onboarding_app_registration_failed", "object": {"_id": "r"}}', "r"),
            (b'{"type": "app_registration_failed", "object": {"id": "r"}}', "r"),
            (
                b'{"type": "onboarding_document_validation_created", "object": {"_id": "d", "appRegistration": {"_id": "r"}}}',
                "r",
            ),
            (b'{"type": "onboarding_email_validation_created", "object": {"_id": "e"}}', None),
            (b'{"type": "verification.completed", "object": {"_id": "x"}}', None),
            (b'{"_id": "r", "currentStep": "end"}', "r"),
            (
                b'{"error": true, "statusCode": "409", "message": "person_already_set", "_id": "r", "status": "ONGOING",'
                b' "projectFlow": {"_id": "p", "type": "onboarding"}}',
                "r",
            ),
            (b'{"_id": "e", "projectFlow": "p", "status": "sent", "type": "onboarding"}', None),
            (b'{"_id": "i", "fullName": "Ana Ruiz", "status": "ACTIVE"}', None),
            (b'{"_id": "d", "appRegistration": "r"}', "r"),
            (b"{}", None),
        ],
    )
    def test_both_shapes_of_a_body(self, body: bytes, flow_id: str | None) -> None:
        reading = Verifik(SETTINGS).read_webhook(Webhook(purpose="events", method="POST", body=body))
        assert (reading.flow_id, reading.fetch) == (flow_id, flow_id is not None)

    @pytest.mark.parametrize(
        ("purpose", "method", "body"),
        [("other", "POST", b"{}"), ("events", "GET", b"{}"), ("events", "POST", b"[]"), ("events", "POST", b"x")],
    )
    def test_what_makes_no_sense_is_refused(self, purpose: str, method: str, body: bytes) -> None:
        with pytest.raises(WebhookRejected):
            Verifik(SETTINGS).read_webhook(Webhook(purpose=purpose, method=method, body=body))


class TestErrors:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after": "3", "x-ratelimit-reset": "9"}, 3),
            ({"x-ratelimit-reset": "9"}, 9),
            ({"x-ratelimit-reset": "1772446560"}, 60),
            ({"x-ratelimit-reset": "soon"}, None),
            ({}, None),
        ],
    )
    def test_how_long_to_wait(
        self, idv: Gateway, emulator: VerifikEmulator, headers: dict[str, str], seconds: int | None
    ) -> None:
        emulator.fault(
            "POST /v2/app-reg",
            EmulatedResponse(429, {"code": "TooManyRequests", "message": "too_many_requests"}, headers),
            9,
        )
        with pytest.raises(RateLimited) as caught:
            idv.open(order())
        assert caught.value.retry_after == (None if seconds is None else timedelta(seconds=seconds))

    @pytest.mark.parametrize(
        ("answer", "fields"),
        [
            (said(409, "MissingParameter", "missing project\n. missing email"), ("project", "email")),
            (said(409, "MissingParameter", "missing url\n"), ("url",)),
            (
                said(422, "UnprocessableEntity", "Validation failed", details=[{"field": "email", "message": "x"}, 3]),
                ("email",),
            ),
        ],
    )
    def test_missing_fields_are_named(
        self, idv: Gateway, emulator: VerifikEmulator, answer: EmulatedResponse, fields: tuple[str, ...]
    ) -> None:
        emulator.fault("POST /v2/app-registrations", answer)
        with pytest.raises(InvalidOrder) as caught:
            idv.open(order())
        assert caught.value.fields == fields

    def test_account_problems_are_never_evidence(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = opened(idv)
        for token in ("collection_not_set", "insufficient_credits", "document_settings_not_set"):
            emulator.fault("POST /v2/", said(409, "Conflict", f"409:{token}"))
            with pytest.raises(PermissionDenied):
                idv.upload(flow, pictures()[:1])
        emulator.fault("POST /v2/", EmulatedResponse(409, content=b"<html>", type="text/html"))
        with pytest.raises(UnexpectedResponse):
            idv.upload(flow, pictures()[:1])


def test_the_emulator_keeps_its_doors(network: Network, emulator: VerifikEmulator, idv: Gateway) -> None:
    flow = opened(idv)
    applicants = {"Authorization": f"Bearer {flow.secrets['token'].reveal()}"}
    account = {"Authorization": f"Bearer {emulator.token}"}
    with network.client() as client:

        def answer(method: str, path: str, headers: dict[str, str], **more: object) -> tuple[int, str]:
            got = client.request(method, f"https://{HOST}{path}", headers=headers, **more)
            return got.status_code, got.json().get("code", "")

        registration = f"/v2/app-registrations/{flow.id}"
        assert answer("POST", f"{registration}/resend-link", applicants, json={}) == (403, "access_denied")
        assert answer("GET", registration, applicants) == (403, "Forbidden")
        assert answer("POST", "/v2/biometric-validations/app-registration", account, json={}) == (
            404,
            "appRegistration_not_found",
        )
        assert answer("GET", registration, {"Authorization": "Bearer made.up.token"})[0] == 401
        assert answer("GET", registration, {"Authorization": f"Basic {emulator.token}"})[0] == 401
        assert answer("POST", "/v2/project-flows", account, json={"type": "onboarding"}) == (409, "MissingParameter")
        bad = dict.fromkeys(("type", "name", "target", "status"), "x")
        assert answer("POST", "/v2/project-flows", account, json={"project": "y", **bad}) == (400, "BadRequest")
        assert answer("GET", "/v2/document-validations/none", account) == (404, "NotFound")
        assert (
            answer(
                "POST",
                "/v2/app-registrations",
                {},
                json={"project": "p", "projectFlow": "none", "email": "x@example.org"},
            )[0]
            == 404
        )
        assert answer("POST", "/v2/app-registrations", {}, json={"project": "p", "projectFlow": "f"}) == (
            409,
            "MissingParameter",
        )
        phone_alone = {"project": "p", "projectFlow": "f", "phone": "1"}
        assert answer("POST", "/v2/app-registrations", {}, json=phone_alone) == (409, "MissingParameter")
        assert answer("GET", "/v2/auth/session", {}) == (409, "MissingParameter")
        assert answer("POST", "/v2/webhooks", account, json={}) == (409, "MissingParameter")
        assert answer("PUT", "/v2/app-registrations/none/sync", applicants, json={}) == (
            404,
            "AppRegistration_not_found",
        )
        assert answer("PUT", "/v2/phone-validations", applicants, json={}) == (409, "MissingParameter")
        assert answer("POST", "/v2/document-validations/app-registration", applicants, json={}) == (
            422,
            "MissingParameter",
        )
        assert answer("POST", "/v2/face-recognition/compare/app-registration", applicants, json={}) == (409, "Conflict")
        assert answer("PUT", "/v2/information-validations/none/background-check", applicants, json={}) == (
            404,
            "NotFound",
        )


def test_a_registration_expires_after_a_day(idv: Gateway, clock: FakeClock) -> None:
    flow = opened(idv)
    clock.advance(timedelta(hours=25).total_seconds())
    result = idv.result(flow)
    assert (result.status, result.decision) == (FlowStatus.EXPIRED, Decision.UNDECIDED)
