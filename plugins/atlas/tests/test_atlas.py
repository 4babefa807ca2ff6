"""Atlas beyond the suite: families, versions, webhooks, co-applicants, addresses, and what the pages leave open."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest
from idv_atlas import AtlasBatch, AtlasOnboarding, AtlasSettings, AtlasVerification, Family, idv_plugin
from idv_atlas.testing.emulator import AtlasEmulator
from idv_atlas.testing.harness import HOST, MEERA, PLATFORM, ROHAN, documents, order, refused
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import (
    Applicant,
    CheckOutcome,
    ConfigError,
    Decision,
    Document,
    Flow,
    FlowStatus,
    Gateway,
    Secret,
    from_json,
    to_json,
)
from idv_core.config import Account, Webhooks
from idv_core.errors import (
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    UnexpectedResponse,
    VendorUnavailable,
    WebhookRejected,
)
from idv_core.policy import Policy, Threshold
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network, make_specimen
from idv_core.testing.exchange import reply, run_exchange
from idv_core.webhooks import Received, WebhookApp, WebhookRequest

SETTINGS = AtlasSettings(client_id=Secret("id"), client_secret=Secret("secret"), product_type="PFL_CDL")
POLICY = Policy(thresholds={"cross_check": Threshold(approve_at=0.8, decline_below=0.6)})
Connect = Callable[..., Gateway]


@pytest.fixture
def seen() -> list[Received]:
    return []


@pytest.fixture
def connect(
    network: Network, clock: FakeClock, settings: dict[str, object], emulator: AtlasEmulator, seen: list[Received]
) -> Connect:
    def connect(*, policy: Policy = POLICY, **changes: object) -> Gateway:
        webhooks = Webhooks(f"https://{PLATFORM}/idv", Secret("key-of-the-tests-0123456789abcdef"))
        account = Account("atlas-india", "atlas", {**settings, **changes})
        idv = Gateway(
            [account],
            webhooks=webhooks,
            policy=policy,
            transport=network,
            clock=clock,
            registry=registry_of(idv_plugin()),
        )
        network.add(PLATFORM, Starlette(routes=[Mount("/idv", app=WebhookApp(idv, seen.append))]))
        return idv

    return connect


class TestSettings:
    @pytest.mark.parametrize(
        ("family", "host", "version", "path"),
        [
            ("verification", "https://api.helloatlas.in", "v3", "/v3/verification/authtoken"),
            ("onboarding", "https://api.helloatlas.in", "v2", "/v1/verification/authtoken"),
            ("idp", "https://docstream.dev.kreditmind.com", "v1", "/v1/docstream/authtoken"),
            ("bulk", "https://api.helloatlas.in", "v1", "/v1/bulk/authtoken"),
        ],
    )
    def test_each_family_has_its_documented_defaults(self, family: str, host: str, version: str, path: str) -> None:
        settings = AtlasSettings(client_id=Secret("a"), client_secret=Secret("b"), family=Family(family))
        assert (settings.base_url, settings.api_version, settings.auth_path) == (host, version, path)

    def test_wrong_keys_are_said_to_be_wrong(self, connect: Connect) -> None:
        with pytest.raises(AuthenticationFailed, match="refused the credentials"):
            connect(client_secret=Secret("wrong")).open(order())

    def test_a_product_type_is_needed(self, connect: Connect) -> None:
        with pytest.raises(InvalidOrder, match="product_type"):
            connect(product_type=None).open(order())
        assert connect(product_type=None).open(order(template="PFL_CDL")).id

    def test_without_callbacks_the_addresses_may_be_given(self, network: Network) -> None:
        adapter = AtlasVerification(SETTINGS)
        with pytest.raises(InvalidOrder, match="addresses to call back"):
            run_exchange(adapter.open_flow(order()), [])
        own = {
            "atlas": {"auth_url": "https://p.example/a", "callback_url": "https://p.example/c", "flow_params": {"b": 1}}
        }
        ran = run_exchange(adapter.open_flow(order(vendor_options=own)), [reply({"flow_uuid": "u"})])
        assert ran.requests[0].json["callback_url"] == "https://p.example/c"
        assert ran.requests[0].json["flow_params"] == {"b": 1}

    @pytest.mark.parametrize("name", ["flow_uuid", "flow_id", "session_id"])
    def test_the_id_has_three_names(self, name: str) -> None:
        options = {"atlas": {"auth_url": "https://a", "callback_url": "https://c"}}
        ran = run_exchange(AtlasVerification(SETTINGS).open_flow(order(vendor_options=options)), [reply({name: "u-1"})])
        assert ran.value.id == "u-1"
        with pytest.raises(UnexpectedResponse, match="no flow_uuid"):
            run_exchange(
                AtlasVerification(SETTINGS).open_flow(order(vendor_options=options)), [reply({"other": "u-1"})]
            )

    @pytest.mark.parametrize("answer", [{"access_token": "", "expires_in": 5}, {"access_token": "t", "expires_in": 0}])
    def test_a_token_must_be_one(self, answer: dict[str, object]) -> None:
        with pytest.raises(UnexpectedResponse, match="empty token"):
            run_exchange(AtlasVerification(SETTINGS).obtain_token(None), [reply(answer)])


class TestVerification:
    def test_two_people_end_with_failed_cross_checks(self, connect: Connect, network: Network) -> None:
        idv = connect()
        result = idv.wait(idv.upload(idv.open(order()), documents(network, MEERA, ROHAN)))
        assert {check.vendor_name for check in result.failed_checks()} >= {"CUSTOMER_NAME", "APPLICANT_NAME"}

    def test_without_thresholds_a_score_is_no_approval(
        self, connect: Connect, network: Network, clock: FakeClock
    ) -> None:
        idv = connect(policy=Policy())
        result = idv.wait(idv.upload(idv.open(order()), documents(network, MEERA)))
        assert result.decision is Decision.REVIEW
        assert {reason.code for reason in result.reasons} == {"check.no_outcome"}

    def test_what_is_no_document_fails_alone(self, connect: Connect, network: Network) -> None:
        shelf = f"https://files.example{network.shelf.put(b'a cat')}"
        flaw = network.by_url("invoice", MEERA, "blurred", flaw="multiple people")
        mixed = [network.by_url("pan", MEERA), Document("cat", url=shelf), Document("gone", url=shelf + "x"), flaw]
        idv = connect()
        result = idv.wait(idv.upload(idv.open(order()), mixed))
        assert result.status is FlowStatus.FINISHED
        failed = {check.document_id: check.reasons for check in result.failed_checks()}
        assert failed == {
            "cat": ("UNRECOGNISED", "document not in list"),
            "gone": ("UNRECOGNISED", "file could not be fetched"),
            "blurred": ("INVALID_DOC", "multiple people"),
        }

    def test_a_flow_that_failed_technically_is_no_decline(self, connect: Connect) -> None:
        idv = connect()
        flow = idv.upload(idv.open(order()), [Document("gone", url="https://files.example/files/none")])
        result = idv.wait(flow)
        assert (result.status, result.decision) == (FlowStatus.FAILED, Decision.UNDECIDED)

    def test_the_emulator_fetches_from_its_own_hosts_only(self, connect: Connect) -> None:
        idv = connect()
        flow = idv.upload(idv.open(order()), [Document("far", url="https://elsewhere.example/x")])
        assert idv.wait(flow).status is FlowStatus.FAILED

    def test_documents_are_taken_by_url_only(self, connect: Connect) -> None:
        idv = connect()
        with pytest.raises(InvalidOrder, match="by URL only") as caught:
            idv.upload(idv.open(order()), [Document("pan", content=b"x")])
        assert caught.value.fields == ("pan",)

    @pytest.mark.parametrize(
        "variant",
        [
            {"errors": "error_code"},
            {"upload_answer": "object"},
            {"status_spelling": "crosscheck_status"},
            {"unread": "empty"},
            {"equal_score": 100},
            {"callback_header": "bearer"},
            {"callback_header": "bare"},
            {"callback_header": "none"},
            {"auth_call": False},
            {"callback_times": 0},
            {"callback_times": 3},
            {"error_place": "as an object"},
        ],
        ids=str,
    )
    def test_every_variant_ends_well(
        self,
        connect: Connect,
        network: Network,
        emulator: AtlasEmulator,
        seen: list[Received],
        variant: dict[str, object],
    ) -> None:
        for name, value in variant.items():
            setattr(emulator.variants, name, value)
        idv = connect()
        result = idv.wait(idv.upload(idv.open(order()), documents(network, MEERA)))
        assert result.decision is Decision.APPROVED
        assert len(seen) == min(1, emulator.variants.callback_times)
        with pytest.raises(FlowNotFound):
            idv.status("atlas-india/unknown")

    @pytest.mark.parametrize("place", ["beside", "inside", "as an object"])
    def test_a_documents_error_is_seen_wherever_it_stands(
        self, connect: Connect, network: Network, emulator: AtlasEmulator, place: Any
    ) -> None:
        emulator.variants.error_place = place
        idv = connect()
        flaw = network.by_url("passport", MEERA, "flawed", flaw="multiple people")
        result = idv.wait(idv.upload(idv.open(order()), [*documents(network, MEERA), flaw]))
        assert result.decision is Decision.DECLINED
        assert [(check.document_id, check.vendor_word) for check in result.failed_checks()] == [
            ("flawed", "INVALID_DOC")
        ]

    @pytest.mark.parametrize("variant", ["without_result", "unnamed_uploads"])
    def test_a_document_that_gets_lost_at_the_vendor_approves_nobody(
        self, connect: Connect, network: Network, emulator: AtlasEmulator, variant: str
    ) -> None:
        setattr(emulator.variants, variant, frozenset({"aadhaar"}))
        idv = connect()
        flow = idv.upload(idv.open(order()), documents(network, MEERA))
        result = idv.wait(flow)
        assert result.decision is Decision.REVIEW
        assert [(check.document_id, check.outcome) for check in result.checks if check.document_id] == [
            ("aadhaar", CheckOutcome.NOT_DONE)
        ]
        assert idv.result(flow.ref).decision is Decision.REVIEW

    def test_by_reference_nobody_is_approved_and_the_reason_says_what_to_give(
        self, connect: Connect, network: Network
    ) -> None:
        idv = connect()
        flow = idv.upload(idv.open(order()), documents(network, MEERA))
        assert idv.wait(flow).decision is Decision.APPROVED
        by_reference = idv.result(flow.ref)
        assert by_reference.decision is Decision.REVIEW
        assert [reason.code for reason in by_reference.reasons] == ["uploads.unknown"]
        assert "give the Flow that upload returned" in str(by_reference.reasons[0])
        with pytest.raises(InvalidOrder, match="unique in the flow"):
            idv.upload(flow.ref, documents(network, MEERA)[:1])
        assert idv.result(from_json(Flow, to_json(flow))).decision is Decision.APPROVED

    def test_extracts_that_never_name_their_flow_need_a_setting(
        self, connect: Connect, network: Network, emulator: AtlasEmulator
    ) -> None:
        emulator.variants.extracts_name_flow = False
        for setting, decision in ((True, Decision.REVIEW), (False, Decision.APPROVED)):
            idv = connect(extracts_name_flow=setting)
            flow = idv.upload(idv.open(order(application_id=f"APP-{setting}")), documents(network, MEERA))
            assert idv.wait(flow).decision is decision

    def test_ids_that_do_not_come_back_leave_documents_unattributed(
        self, connect: Connect, network: Network, emulator: AtlasEmulator
    ) -> None:
        emulator.variants.blank_document_ids = True
        idv = connect()
        result = idv.wait(idv.upload(idv.open(order()), documents(network, MEERA)))
        assert {document.document_id for document in result.documents} == {None}
        assert result.decision is Decision.REVIEW

    def test_a_callback_is_tried_again_when_we_are_down(
        self, connect: Connect, network: Network, emulator: AtlasEmulator, clock: FakeClock
    ) -> None:
        idv = connect()
        network.add(PLATFORM, Starlette())
        idv.upload(idv.open(order()), documents(network, MEERA))
        for _ in range(60):
            clock.advance(1)
        assert emulator.deliveries == [404, 404, 404, 404]

    def test_it_is_not_looked_at_more_often_than_atlas_allows(
        self, connect: Connect, emulator: AtlasEmulator, network: Network
    ) -> None:
        emulator.variants.poll_distance = timedelta(seconds=5)
        emulator.variants.stage = timedelta(seconds=40)
        idv = connect()
        flow = idv.upload(idv.open(order()), documents(network, MEERA))
        answers = len(emulator.calls)
        assert idv.wait(flow, deadline=timedelta(minutes=10)).status is FlowStatus.FINISHED
        looks = [call for call in emulator.calls[answers:] if call.endswith("/status")]
        assert 15 <= len(looks) <= 160 / 5
        assert emulator.refused_looks == 0

    @pytest.mark.parametrize("is_up", [True, False])
    def test_atlas_may_ask_for_a_token_when_documents_come(
        self, connect: Connect, emulator: AtlasEmulator, network: Network, is_up: bool
    ) -> None:
        emulator.variants.auth_at_upload = True
        idv = connect()
        flow = idv.open(order())
        if is_up:
            assert len(idv.upload(flow, documents(network, MEERA)).uploads) == 4
            return
        emulator.cases[flow.id].request["auth_url"] = "https://nobody.example/auth"
        before = len(emulator.calls)
        with pytest.raises(VendorUnavailable) as caught:
            idv.upload(flow, documents(network, MEERA))
        assert (caught.value.status, caught.value.safe_to_retry) == (422, False)
        assert len(emulator.calls) == before + 1

    def test_more_documents_later_start_it_again(self, connect: Connect, network: Network) -> None:
        idv = connect()
        flow = idv.upload(idv.open(order()), [network.by_url("pan", MEERA)])
        assert idv.wait(flow).decision is Decision.REVIEW
        flow = idv.upload(flow, [network.by_url("aadhaar", MEERA)])
        assert idv.status(flow).status is FlowStatus.PROCESSING
        assert idv.wait(flow).decision is Decision.APPROVED

    @pytest.mark.parametrize(
        ("status", "error"), [(422, VendorUnavailable), (409, FlowNotFound), (500, VendorUnavailable)]
    )
    def test_errors_by_endpoint(
        self, connect: Connect, emulator: AtlasEmulator, status: int, error: type[Exception]
    ) -> None:
        idv = connect()
        flow = idv.open(order())
        emulator.fault("GET /v3/verification/status", refused(status, "Missing required ['flow_uuid'] parameters"), 9)
        with pytest.raises(error):
            idv.status(flow)

    def test_a_version_that_is_gone_is_named(self, connect: Connect, emulator: AtlasEmulator) -> None:
        emulator.fault("POST /v3/verification/flow/init", refused(410, "gone"), 9)
        with pytest.raises(Exception, match="no longer served: v3; set api_version"):
            connect().open(order())

    def test_missing_fields_are_named(self, connect: Connect, emulator: AtlasEmulator) -> None:
        emulator.fault(
            "POST /v3/verification/flow/init", refused(400, "Missing or empty required parameters: ['auth_url', 'x']")
        )
        with pytest.raises(InvalidOrder) as caught:
            connect().open(order())
        assert caught.value.fields == ("auth_url", "x")


class TestOnboarding:
    @pytest.fixture
    def idv(self, connect: Connect) -> Gateway:
        return connect(family="onboarding")

    def test_a_second_flow_for_the_same_pair_is_a_duplicate(self, idv: Gateway) -> None:
        flow = idv.open(order())
        assert idv.open(order()).ref == flow.ref
        with pytest.raises(DuplicateFlow):
            idv.open(order(tenant="another branch"))

    def test_another_process_is_told_what_to_do_about_the_flow_that_is_there(
        self, connect: Connect, emulator: AtlasEmulator
    ) -> None:
        connect(family="onboarding").open(order())
        other = connect(family="onboarding")
        for call in (other.open, other.recover):
            with pytest.raises(
                DuplicateFlow, match="go on with the one you stored, ask Atlas for its id, or open under"
            ):
                call(order())
        assert len(emulator.cases) == 1

    def test_a_name_is_needed(self, idv: Gateway) -> None:
        with pytest.raises(InvalidOrder, match="name"):
            idv.open(order(applicant=Applicant(reference="r")))

    def test_the_checklist_fills(self, idv: Gateway, network: Network, clock: FakeClock) -> None:
        flow = idv.open(order(documents=["tax_card", "bank_statement"]))
        assert idv.vendor(lambda atlas: atlas.checklist(flow)) == {"PAN": False, "BANK_STATEMENT": False}
        idv.wait(idv.upload(flow, [network.by_url("pan", MEERA)]))
        assert idv.vendor(lambda atlas: atlas.checklist(flow)) == {"PAN": True, "BANK_STATEMENT": False}

    def test_co_applicants_come_and_go(self, idv: Gateway) -> None:
        flow = idv.open(order())
        people = [Applicant(reference="CUST-2", name="Rohan Das"), Applicant(reference="CUST-9283", name="Twice")]
        added = idv.vendor(lambda atlas: atlas.add_coapplicants(flow, people, ["PAN"]))
        (second,) = added.created
        assert added.failed == ("CUST-9283",)
        assert idv.status(second).status is FlowStatus.OPEN
        idv.vendor(lambda atlas: atlas.delete_coapplicant(second))
        idv.vendor(lambda atlas: atlas.delete_coapplicant(second))
        with pytest.raises(FlowNotFound) as caught:
            idv.status(second)
        assert caught.value.status == 410
        with pytest.raises(InvalidOrder):
            idv.vendor(lambda atlas: atlas.add_coapplicants(flow, [Applicant(reference="r")]))
        with pytest.raises(FlowNotFound):
            idv.vendor(
                lambda atlas: atlas.delete_coapplicant(attrs.evolve(second, id=f"{flow.id.split(':')[0]}:nobody"))
            )

    def test_documents_of_somebody_else_are_not_ours(self) -> None:
        adapter = AtlasOnboarding(attrs.evolve(SETTINGS, family=Family.ONBOARDING))
        data = [
            {"document_id": "a", "external_reference_id": "ME", "data": {"document_type": "PAN"}},
            {"document_id": "b", "external_reference_id": "OTHER", "data": {"document_type": "PAN"}},
            {"document_id": "c", "external_reference_id": "", "data": {"processing_error": "PROCESSING_FAILED"}},
        ]
        status = {
            "master_status": "SUCCESS",
            "file_statuses": [{"document_id": "d", "status": "FAILED"}, {"document_id": "c", "status": "FAILED"}],
        }
        replies = [reply(status), reply({"flow_id": "F", "data": data})]
        result = run_exchange(adapter.result(Flow(id="F:ME", status="processing")), replies).value
        assert [document.document_id for document in result.documents] == ["a", "c"]
        assert [(check.document_id, check.outcome) for check in result.checks] == [("c", "failed"), ("d", "failed")]
        with pytest.raises(UnexpectedResponse, match="another flow"):
            run_exchange(adapter.result(Flow(id="G:ME", status="processing")), replies)
        with pytest.raises(InvalidOrder, match="flow_id:external_reference_id"):
            run_exchange(adapter.status(Flow(id="F", status="open")), replies)

    def test_closing_takes_no_more_documents(self, idv: Gateway, network: Network) -> None:
        flow = idv.submit(idv.upload(idv.open(order()), [network.by_url("pan", MEERA)]))
        with pytest.raises(FlowNotFound):
            idv.upload(flow, [network.by_url("aadhaar", MEERA)])

    def test_the_chat(self, idv: Gateway) -> None:
        flow = idv.open(order())
        assert "PAN" in idv.vendor(lambda atlas: atlas.chat(flow, "hello")).message
        history = idv.vendor(lambda atlas: atlas.chat_history(flow, per_page=1))
        assert history.data[0]["message"] == "hello"
        assert history.has_next

    def test_the_older_version_speaks_its_own_words(self, connect: Connect, network: Network) -> None:
        idv = connect(family="onboarding", api_version="v1")
        flow = idv.open(order())
        assert idv.wait(idv.upload(flow, [network.by_url("pan", MEERA)])).documents

    def test_a_token_is_refreshed_with_the_refresh_token(
        self, connect: Connect, emulator: AtlasEmulator, clock: FakeClock
    ) -> None:
        idv = connect(family="onboarding", refresh=True)
        flow = idv.open(order())
        clock.advance(3590)
        idv.status(flow)
        assert [call for call in emulator.calls if "token" in call] == [
            "POST /v1/verification/authtoken",
            "POST /v1/verification/refresh-token",
        ]
        emulator._refresh_tokens.clear()
        clock.advance(3590)
        emulator.expire_tokens()
        idv.status(flow)
        assert emulator.calls[-2] == "POST /v1/verification/authtoken"

    def test_a_callback_names_no_applicant_so_the_address_must_do(
        self, idv: Gateway, network: Network, seen: list[Received]
    ) -> None:
        idv.wait(idv.upload(idv.open(order()), [network.by_url("pan", MEERA)]))
        assert [(received.application_id, received.flow_ref) for received in seen] == [("APP-10001", None)]

    def test_chat_notes_are_noted_and_nothing_is_fetched(self, idv: Gateway, emulator: AtlasEmulator) -> None:
        idv.open(order())
        url = next(iter(emulator.cases.values())).request["chat_notification_url"]
        received = idv.receive(
            "atlas-india", WebhookRequest(method="POST", path=url.split("/atlas-india")[1], body=b'{"message": "x"}')
        )
        assert (received.event, received.fetch) == ("chat", False)

    def test_the_token_may_stand_in_either_header_and_a_proxys_password_is_none(
        self, idv: Gateway, emulator: AtlasEmulator
    ) -> None:
        idv.open(order())
        request = next(iter(emulator.cases.values())).request

        def call(name: str, headers: dict[str, str], body: bytes) -> Received:
            path = request[name].split("/atlas-india")[1]
            return idv.receive("atlas-india", WebhookRequest(method="POST", path=path, headers=headers, body=body))

        token = json.loads(call("auth_token_url", {}, b"").answer.body)["access_token"]
        good = [
            {"Token": token},
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"bearer {token}"},
            {"Authorization": token},
            {"Authorization": "Basic dXNlcjpwYXNz"},
            {"Authorization": f"Basic dXNlcjpwYXNz, BEARER {token}"},
            {"Authorization": "Basic dXNlcjpwYXNz", "Token": token},
        ]
        for number, headers in enumerate(good):
            assert call("callback_url", headers, b'{"n": %d}' % number).application_id == "APP-10001"
        for headers in ({"Token": "x"}, {"Authorization": "bearer x"}, {"Authorization": "x"}):
            with pytest.raises(WebhookRejected) as caught:
                call("callback_url", headers, b"{}")
            assert caught.value.status == 401


class TestBatches:
    @pytest.mark.parametrize("family", ["idp", "bulk"])
    @pytest.mark.parametrize("shape", ["array", "object"])
    @pytest.mark.parametrize("says_next", [True, False])
    def test_all_pages_are_read(
        self, connect: Connect, network: Network, emulator: AtlasEmulator, family: str, shape: str, says_next: bool
    ) -> None:
        emulator.variants.docstream_upload_answer = shape
        emulator.variants.pages_say_next = says_next
        emulator.variants.page_size = 2
        idv = connect(family=family)
        flow = idv.open(order())
        assert flow.id == "pending:APP-10001"
        assert idv.result(flow).status is FlowStatus.OPEN
        handed_in = [network.by_url("pan", MEERA, f"d{number}") for number in range(5)]
        flow = idv.upload(flow, handed_in)
        result = idv.wait(flow)
        assert [document.document_id for document in result.documents] == ["d0", "d1", "d2", "d3", "d4"]
        assert [document.document_id for document in idv.result(flow.ref).documents] == ["d0", "d1", "d2", "d3", "d4"]
        with pytest.raises(InvalidOrder, match="takes its documents once"):
            idv.upload(flow, [network.by_url("pan", MEERA, "late")])

    def test_a_file_that_the_answer_does_not_name_keeps_nobody_waiting(
        self, connect: Connect, network: Network, emulator: AtlasEmulator
    ) -> None:
        emulator.variants.unnamed_uploads = frozenset({"aadhaar"})
        idv = connect(family="bulk")
        flow = idv.upload(idv.open(order()), documents(network, MEERA))
        assert [upload.accepted for upload in flow.uploads] == [True, False, True, True]
        result = idv.wait(flow)
        assert [(check.document_id, check.outcome) for check in result.checks] == [("aadhaar", CheckOutcome.NOT_DONE)]

    def test_an_application_id_with_slashes_keeps_document_ids_apart(
        self, connect: Connect, network: Network, emulator: AtlasEmulator
    ) -> None:
        idv = connect(family="bulk")
        flow = idv.upload(idv.open(order(application_id="LN/2026/1")), [network.by_url("pan", MEERA, "id/front")])
        idv.wait(flow)
        assert [document.document_id for document in idv.result(flow.ref).documents] == ["id/front"]

    def test_an_account_wide_callback_names_documents(
        self, connect: Connect, network: Network, emulator: AtlasEmulator, seen: list[Received]
    ) -> None:
        idv = connect(family="idp")
        emulator.account_callback = (
            idv.webhook_url("atlas-india", "results").reveal(),
            idv.webhook_url("atlas-india", "auth").reveal(),
        )
        idv.wait(idv.upload(idv.open(order()), [network.by_url("pan", MEERA)]))
        (received,) = seen
        assert (received.application_id, received.document_ids) == (None, ("pan",))

    def test_pages_without_end_are_not_followed(self) -> None:
        adapter = AtlasBatch(attrs.evolve(SETTINGS, family=Family.BULK))
        page = {"data": [{"document_id": "A/x", "file_data": {}}], "has_next": True}
        ran = run_exchange(adapter.result(Flow(id="B:2", status="processing")), [reply(page)])
        assert len(ran.requests) == 2
        assert ran.value.status is FlowStatus.PROCESSING
        pages = [reply({"data": [{"document_id": f"A/{n}", "file_data": {}}], "has_next": True}) for n in range(400)]
        assert len(run_exchange(adapter.result(Flow(id="B:2", status="processing")), pages).requests) == 3

    def test_what_is_no_batch(self) -> None:
        adapter = AtlasBatch(attrs.evolve(SETTINGS, family=Family.BULK, product_type=None))
        with pytest.raises(InvalidOrder, match="batch_id:number"):
            run_exchange(adapter.result(Flow(id="B", status="processing")), [])
        with pytest.raises(InvalidOrder, match="product_type"):
            run_exchange(adapter.upload(Flow(id="pending:A", status="open"), (Document("a", url="https://x"),)), [])
        several = [{"document_id": f"A/{id}", "batch_id": id} for id in ("a", "b")]
        two = tuple(Document(id, url="https://x") for id in ("a", "b"))
        adapter = AtlasBatch(attrs.evolve(SETTINGS, family=Family.BULK))
        with pytest.raises(UnexpectedResponse, match="no batch, or several"):
            run_exchange(adapter.upload(Flow(id="pending:A", status="open"), two), [reply(several)])


class TestAddresses:
    source = "14 Hill Road, Kochi 682001"

    def test_targets_are_scored_in_their_order(self, connect: Connect) -> None:
        idv = connect()
        targets = ["14 Hill Rd, Kochi", "??", "Abay 5, Almaty"]
        near, no_address, far = idv.vendor(lambda atlas: atlas.match_addresses("A", self.source, targets))
        assert near.similarity.value > far.similarity.value
        assert near.same_person.scale == (0, 10)
        assert (no_address.similarity, no_address.error) == (None, "422")

    def test_errors_of_the_call(self, connect: Connect, emulator: AtlasEmulator) -> None:
        idv = connect()
        with pytest.raises(InvalidOrder):
            idv.vendor(lambda atlas: atlas.match_addresses("A", "??", ["x street 12345"]))
        with pytest.raises(InvalidOrder, match="no addresses"):
            idv.vendor(lambda atlas: atlas.match_addresses("A", self.source, []))
        with pytest.raises(AuthenticationFailed):
            connect(address_client_id=Secret("other")).vendor(
                lambda atlas: atlas.match_addresses("A", self.source, ["x"])
            )
        emulator.fault(
            "POST /v1/address",
            EmulatedResponse(503, {"error_code": "503", "error_message": "Service Unavailable: down"}),
            times=9,
        )
        with pytest.raises(VendorUnavailable) as caught:
            idv.vendor(lambda atlas: atlas.match_addresses("A", self.source, ["x street"]))
        assert caught.value.safe_to_retry

    def test_answers_are_matched_by_index_then_by_text(self) -> None:
        data = [
            {"index": 1, "target_address": "b", "similarity_score": 50, "same_person_score": 5},
            {"index": None, "target_address": "a", "similarity_score": 90, "same_person_score": 9},
            {"index": 9, "target_address": "c", "similarity_score": 70},
            {"index": 9, "target_address": "none of ours", "similarity_score": 80},
            {"index": 1, "target_address": "b", "similarity_score": 1},
        ]
        matched = run_exchange(
            AtlasVerification(SETTINGS).match_addresses("A", "s", ["a", "b", "c", "d"]), [reply({"match_data": data})]
        ).value
        assert [match.similarity and match.similarity.raw for match in matched] == [90, 50, 70, None]
        assert matched[3].error == "no answer for this address"

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ({"error_code": "422"}, "422"),
            ({"error_code": 422}, "422"),
            ({"error_code": ["422"]}, "error"),
            ({"error_code": True}, "error"),
            ({"error_message": "Unprocessable Entity: not an address"}, "error"),
            ({"error_code": "", "error_message": None}, None),
        ],
    )
    def test_scores_beside_an_error_do_not_count_and_hide_no_other_target(
        self, said: dict[str, object], error: str | None
    ) -> None:
        scores = {"similarity_score": 94.1, "same_person_score": 8}
        data = [{"index": 0, **scores, **said}, {"index": 1, **scores}]
        first, second = run_exchange(
            AtlasVerification(SETTINGS).match_addresses("A", "s", ["a", "b"]), [reply({"match_data": data})]
        ).value
        assert (first.error, first.similarity is None, first.same_person is None) == (error, bool(error), bool(error))
        assert second.similarity is not None

    def test_the_application_is_named(self, network: Network, emulator: AtlasEmulator) -> None:
        headers = {"client_id": "atlas-client-1", "client_secret": "atlas-secret-1"}
        body = {"source_address": self.source, "target_addresses": [{"address": "x street 12345", "index": 0}]}
        with network.client() as client:
            address = f"https://{HOST}/v1/address/match/batch"
            assert client.post(address, json=body, headers=headers).status_code == 400
            assert client.post(address, json={**body, "application_id": "A"}, headers=headers).status_code == 200


def test_the_emulator_refuses_what_atlas_refuses(network: Network, emulator: AtlasEmulator) -> None:
    with network.client() as client:
        base = f"https://{HOST}"

        def status(method: str, path: str, **more: object) -> int:
            return client.request(method, base + path, **more).status_code

        headers = {"Client-Id": "atlas-client-1", "Client-Secret": "atlas-secret-1"}
        token = client.post(f"{base}/v3/verification/authtoken", headers=headers).json()["access_token"]
        shown = {"Token": token}
        assert status("POST", "/v3/verification/authtoken") == 400
        assert status("POST", "/v1/verification/refresh-token") == 400
        assert status("POST", "/v1/verification/refresh-token", headers=shown) == 201
        assert status("POST", "/v3/verification/flow/init", json={}) == 401
        assert status("POST", "/v3/verification/flow/init", json={"product_type": "x"}, headers=shown) == 400
        assert status("GET", "/v3/verification/status", headers=shown) == 400
        assert status("GET", "/v3/verification/extracts?flow_uuid=x", headers=shown) == 409
        assert (
            status("POST", "/v3/verification/multiupload", json={"flow_uuid": "x", "file_urls": [1]}, headers=shown)
            == 409
        )
        assert status("POST", "/v2/verification/flow/coapplicant", json={"flow_id": "x"}, headers=shown) == 409
        applicant = {"product_type": "x", "application_id": "A", "external_reference_id": "C", "username": "N"}
        flow = client.post(f"{base}/v2/verification/flow/init", json=applicant, headers=shown).json()["flow_id"]
        gone = "/v2/verification/flow/coapplicant"
        assert status("DELETE", gone, json={"flow_id": flow}, headers=shown) == 400
        assert status("DELETE", gone, json={"flow_id": flow, "external_reference_id": "C"}, headers=shown) == 409
        people = {"flow_id": flow, "co_applicants": [{"external_reference_id": "D", "username": "M"}]}
        made = client.post(f"{base}{gone}", json=people, headers=shown).json()["created"][0]["co_applicant_id"]
        assert status("DELETE", gone, json={"flow_id": flow, "co_applicant_id": made}, headers=shown) == 204
        assert status("DELETE", gone, json={"flow_id": flow, "co_applicant_id": made}, headers=shown) == 410
        nameless = {"flow_id": flow, "file_urls": [{"file_url": "https://files.example/a.png"}]}
        assert status("POST", "/v2/verification/multiupload", json=nameless, headers=shown) == 400
        assert status("GET", f"/v2/verification/chat-history?flow_id={flow}&page=x", headers=shown) == 400
        assert status("POST", "/v2/verification/flow/submit", json={}, headers=shown) == 400
        assert status("GET", "/v1/bulk/extracts", headers=shown) == 400
        assert (
            status(
                "POST",
                "/v1/address/match/batch",
                json={},
                headers={"client_id": "atlas-client-1", "client_secret": "atlas-secret-1"},
            )
            == 400
        )


def test_the_specimens_address_is_fetched_for_real(network: Network) -> None:
    with network.client() as client:
        path = network.shelf.put(make_specimen("pan", MEERA))
        assert client.get(f"https://files.example{path}").headers["content-type"] == "image/png"
        assert client.get("https://files.example/files/none").status_code == 404
        with pytest.raises(httpx.ConnectError):
            client.get("https://nowhere.example/")


def test_a_wrong_family_is_a_configuration_error(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="family"):
        connect(family="flows")


def test_onboarding_reports_checks_without_outcome_nowhere(connect: Connect, network: Network) -> None:
    idv = connect(family="onboarding")
    result = idv.wait(idv.upload(idv.open(order()), documents(network, MEERA)))
    assert [check for check in result.checks if check.outcome is not CheckOutcome.PASSED] == []
    assert result.decision is Decision.REVIEW
