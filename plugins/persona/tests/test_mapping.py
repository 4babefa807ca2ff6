"""What each word of an inquiry becomes. Only approved, with a passed verification behind it and no other, is good news."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_persona import Persona, PersonaSettings
from idv_persona.inquiries import Readings
from idv_persona.mapping import public, read_inquiry, read_status

from idv_core import CheckKind, CheckOutcome, Decision, Flow, FlowStatus, Result, Secret
from idv_core.errors import UnexpectedResponse
from idv_core.model import DocumentType, FieldName, VendorVerdict, subject_of
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_values

PASSED, FAILED, INCONCLUSIVE, NOT_DONE = (
    CheckOutcome.PASSED,
    CheckOutcome.FAILED,
    CheckOutcome.INCONCLUSIVE,
    CheckOutcome.NOT_DONE,
)
POSITIVE, NEGATIVE, DOUBTFUL = VendorVerdict.POSITIVE, VendorVerdict.NEGATIVE, VendorVerdict.DOUBTFUL
FLOW = Flow(id="inq_1", status="open", application_id="APP-1", subject=subject_of("CUST-1"))
LIVE = PersonaSettings(api_key=Secret("persona_production_4711"), template_id="itmpl_1")
NOTE = '{"application_id":"APP-1","product":"wallet"}'


def check(name: str = "id_fabrication_detection", status: Any = "passed", **more: Any) -> dict[str, Any]:
    return {"name": name, "status": status, "reasons": [], "requirement": "required", "metadata": {}, **more}


def part(id: str = "ver_1", type: str = "government-id", status: Any = "passed", **more: Any) -> dict[str, Any]:
    attributes = {
        "status": status,
        "created-at": "2026-03-01T10:00:00.000Z",
        "country-code": "US",
        "checks": [check()],
        **more,
    }
    inquiry = {"data": {"type": "inquiry", "id": "inq_1"}}
    template = {"data": {"type": f"verification-template/{type}", "id": f"vtmpl_{type}"}}
    return {
        "type": f"verification/{type}",
        "id": id,
        "attributes": attributes,
        "relationships": {"inquiry": inquiry, "verification-template": template},
    }


def report(type: str = "watchlist", **attributes: Any) -> dict[str, Any]:
    said = {"status": "ready", "has-match": False, **attributes}
    return {"type": f"report/{type}", "id": "rep_1", "attributes": said, "relationships": {}}


def answer(status: Any = "approved", *included: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    """As it comes from the wire: no text in it is one of ours."""
    named: dict[str, Any] = {
        f"{kind}s": {
            "data": [{"type": one["type"], "id": one["id"]} for one in included if one["type"].startswith(kind)]
        }
        for kind in ("verification", "report")
    }
    said = {
        "status": status,
        "reference-id": "CUST-1",
        "note": NOTE,
        "redacted-at": None,
        "behaviors": {},
        **attributes,
    }
    data = {"type": "inquiry", "id": "inq_1", "attributes": said, "relationships": named}
    return dict(json.loads(json.dumps({"data": data, "included": list(included)})))


def read(given: dict[str, Any], *, waits: bool = True, flow: Flow = FLOW) -> Result:
    settings = PersonaSettings(api_key=LIVE.api_key, template_id="itmpl_1", waits_for_decision=waits)
    result = run_exchange(Persona(settings).result(flow), [reply(given)]).value
    return evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("word", "waiting", "not_waiting"),
    [
        ("created", FlowStatus.AWAITING_APPLICANT, FlowStatus.AWAITING_APPLICANT),
        ("pending", FlowStatus.AWAITING_APPLICANT, FlowStatus.AWAITING_APPLICANT),
        ("completed", FlowStatus.PROCESSING, FlowStatus.FINISHED),
        ("failed", FlowStatus.FINISHED, FlowStatus.FINISHED),
        ("needs_review", FlowStatus.FINISHED, FlowStatus.FINISHED),
        ("approved", FlowStatus.FINISHED, FlowStatus.FINISHED),
        ("declined", FlowStatus.FINISHED, FlowStatus.FINISHED),
        ("expired", FlowStatus.EXPIRED, FlowStatus.EXPIRED),
        ("verified", FlowStatus.PROCESSING, FlowStatus.PROCESSING),
        (None, FlowStatus.PROCESSING, FlowStatus.PROCESSING),
        (["approved"], FlowStatus.PROCESSING, FlowStatus.PROCESSING),
    ],
)
def test_statuses(word: object, waiting: FlowStatus, not_waiting: FlowStatus) -> None:
    assert read_status({"status": word}, waits_for_decision=True) is waiting
    assert read_status({"status": word}, waits_for_decision=False) is not_waiting
    erased = {"status": word, "redacted-at": "2026-03-01T00:00:00.000Z"}
    assert read_status(erased, waits_for_decision=True) is FlowStatus.ERASED


@pytest.mark.parametrize(
    ("word", "verdict", "decision"),
    [
        ("approved", POSITIVE, Decision.APPROVED),
        ("declined", NEGATIVE, Decision.DECLINED),
        ("failed", NEGATIVE, Decision.DECLINED),
        ("needs_review", DOUBTFUL, Decision.REVIEW),
        ("completed", None, Decision.UNDECIDED),
        ("verified", None, Decision.UNDECIDED),
        ("expired", None, Decision.UNDECIDED),
    ],
)
def test_verdicts(word: str, verdict: VendorVerdict | None, decision: Decision) -> None:
    result = read(answer(word, part()))
    assert (result.verdict, result.decision, result.vendor_word) == (verdict, decision, word)


@pytest.mark.parametrize("type", ["government-id", "government-id-nfc", "jp-my-number-nfc-scan", "mdoc"])
def test_a_document_that_has_ended_is_seen_whatever_read_it(type: str) -> None:
    good, ended = (part(type=type, **{"expiration-date": day}) for day in ("2034-05-31", "2020-01-31"))
    assert read(answer("approved", good)).decision is Decision.APPROVED
    assert read(answer("approved", ended)).decision is Decision.REVIEW


@pytest.mark.parametrize("told", [False, "no", 0])
def test_who_is_too_young_for_the_template_is_not_approved_by_a_mobile_id(told: object) -> None:
    assert read(answer("approved", part(type="mdoc", **{"meets-minimum-age": True}))).decision is Decision.APPROVED
    result = read(answer("approved", part(type="mdoc", **{"meets-minimum-age": told})))
    assert (result.checks[0].reasons, result.decision) == (("meets-minimum-age",), Decision.REVIEW)


def test_what_stands_in_a_mobile_id_and_on_a_japanese_card_is_read() -> None:
    mobile = {"address-street": "1 Elm St", "address-state": "CA", "address-city": "Oakland"}
    (document,) = read(
        answer("approved", part(type="mdoc", **mobile, **{"issuing-country": "CA", "address-country-code": "US"}))
    ).documents
    assert document.country == "CA"
    (address,) = [field.value for field in document.fields if field.name is FieldName.ADDRESS]
    assert (address.street_address, address.region, address.country) == ("1 Elm St", "CA", "US")
    card = {"identification-class": "myn", "name-full": "Hanako Yamada", "address": "Chiyoda 1-1", "country-code": "JP"}
    (document,) = read(answer("approved", part(type="jp-my-number-nfc-scan", **card))).documents
    assert (document.type, document.country) == (DocumentType.NATIONAL_NUMBER_CARD, "JP")
    assert {field.name for field in document.fields} >= {FieldName.NAME, FieldName.ADDRESS}


@pytest.mark.parametrize(
    ("type", "found"),
    [("watchlist", {"matched-lists": [{"name": "a list"}]}), ("adverse-media", {"related-sources": [{"url": "u"}]})],
)
def test_a_report_without_a_match_that_names_findings_goes_to_a_person(type: str, found: dict[str, Any]) -> None:
    assert read(answer("approved", part(), report(type, **{key: [] for key in found}))).decision is Decision.APPROVED
    assert read(answer("approved", part(), report(type, **found))).decision is Decision.REVIEW
    dismissed = {**found, "ignore-list": ["1"], "ignore-list-media": ["1"]}
    assert read(answer("approved", part(), report(type, **dismissed))).decision is Decision.APPROVED


def test_without_decisions_at_persona_the_checks_decide() -> None:
    result = read(answer("completed", part()), waits=False)
    assert (result.verdict, result.decision) == (None, Decision.APPROVED)
    bad = part(type="selfie", status="failed", checks=[check("selfie_liveness_detection", "failed")])
    assert read(answer("completed", bad), waits=False).decision is Decision.DECLINED
    assert read(answer("completed"), waits=False).decision is Decision.REVIEW


@pytest.mark.parametrize(
    "bad",
    [
        part(status="failed"),
        part(status="confirmed"),
        part(status="tentatively_passed"),
        part(status="fine"),
        part(status=None),
        part(status=["passed"]),
        part(checks=None),
        part(checks={}),
        part(checks=[check(status="odd")]),
        part(checks=[check(status=None)]),
        part(checks=["passed"]),
        part(checks=[check(status="failed")]),
        part(checks=[check(status="failed", requirement="requires_retry")]),
        part(checks=[check(status="failed", requirement=None)]),
        part(checks=[check(status="failed", requirement="not_required")]),
        part(checks=[check("id_brand_new_detection", "failed", requirement="not_required")]),
        part(type="aura"),
        part(failure="forged"),
        part(error={"code": "odd"}),
    ],
)
def test_approved_counts_only_with_verifications_that_all_passed(bad: dict[str, Any]) -> None:
    good = {**part("ver_2", "selfie"), "attributes": part("ver_2", "selfie")["attributes"]}
    assert read(answer("approved", good)).decision is Decision.APPROVED
    result = read(answer("approved", good, bad))
    assert result.verdict is DOUBTFUL
    assert result.decision is not Decision.APPROVED


def test_approved_without_any_verification_is_doubtful() -> None:
    assert read(answer("approved")).verdict is DOUBTFUL
    assert read({"data": answer()["data"]}).verdict is DOUBTFUL


def test_the_checks_of_a_verification() -> None:
    checks = [
        check("id_entity_detection"),
        check("id_tamper_detection", "failed", reasons=["edited", None, "Meera Iyer 1990"]),
        check("id_barcode_detection", "not_applicable", reasons=["unsupported_country"]),
        check("id_po_box_detection", "failed", requirement="not_required"),
        check("id_repeat_detection", "failed", requirement="not_required"),
        check("id_brand_new_detection"),
    ]
    face = [check("selfie_liveness_detection"), check("selfie_id_comparison", "failed")]
    result = read(
        answer(
            "declined",
            part(status="failed", checks=checks),
            part("ver_2", "selfie", "failed", checks=face),
            part("ver_3", "email-address", checks=[]),
            part("ver_4", "phone-number", checks=[]),
            part("ver_5", "database", checks=[check("database_name_comparison")]),
        )
    )
    assert [(one.label, one.vendor_name, one.outcome) for one in result.checks] == [
        ("document", "government-id", FAILED),
        ("document.supported", "id_entity_detection", PASSED),
        ("document.authenticity", "id_tamper_detection", FAILED),
        ("document.compromised", "id_repeat_detection", INCONCLUSIVE),
        ("document.other", "id_brand_new_detection", PASSED),
        ("liveness", "selfie", FAILED),
        ("liveness.presentation_attack", "selfie_liveness_detection", PASSED),
        ("face_match.selfie_to_document", "selfie_id_comparison", FAILED),
        ("email.possession", "email-address", PASSED),
        ("phone.possession", "phone-number", PASSED),
        ("data_source", "database", PASSED),
        ("data_source.name", "database_name_comparison", PASSED),
    ]
    assert result.checks[2].reasons == ("edited", "unnamed")
    assert result.notes == ("id_barcode_detection: not applicable", "id_po_box_detection: failed, not required")


class TestAttempts:
    """Of several attempts at one verification the last counts; where nobody can say which, all do."""

    def at(self, id: str, hour: Any, status: str) -> dict[str, Any]:
        created = f"2026-03-01T{hour:02}:00:00.000Z" if isinstance(hour, int) else hour
        checks = [check(status="passed" if status == "passed" else "failed")]
        return part(id, status=status, checks=checks, **{"created-at": created})

    def test_the_last_counts(self) -> None:
        first, second = self.at("ver_1", 9, "requires_retry"), self.at("ver_2", 10, "passed")
        for attempts in ((first, second), (second, first)):
            result = read(answer("approved", *attempts))
            assert result.decision is Decision.APPROVED
            assert result.notes == ("government-id: the last of 2 attempts counts",)
        assert (
            read(answer("approved", self.at("ver_1", 9, "passed"), self.at("ver_2", 10, "failed"))).verdict is DOUBTFUL
        )

    def test_one_that_was_given_up_does_not_count_beside_another(self) -> None:
        done = self.at("ver_1", 9, "passed")
        for word in ("canceled", "initiated", "skipped"):
            assert read(answer("approved", done, self.at("ver_2", 10, word))).decision is Decision.APPROVED
            alone = read(answer("approved", self.at("ver_2", 10, word)))
            assert alone.verdict is DOUBTFUL
        assert alone.checks[0].outcome is NOT_DONE

    @pytest.mark.parametrize("hour", [9, "soon", None, ["now"], "2026-03-01T10:00:00"])
    def test_without_an_order_all_count(self, hour: Any) -> None:
        bad, good = self.at("ver_1", hour, "failed"), self.at("ver_2", 9, "passed")
        assert read(answer("approved", bad, good)).decision is not Decision.APPROVED

    def test_two_of_different_templates_both_count(self) -> None:
        bad, good = self.at("ver_1", 9, "failed"), self.at("ver_2", 10, "passed")
        bad["relationships"]["verification-template"]["data"]["id"] = "vtmpl_second"
        assert read(answer("approved", bad, good)).verdict is DOUBTFUL


class TestReports:
    @pytest.mark.parametrize(
        ("type", "label"),
        [
            ("watchlist", "screening.watchlist"),
            ("adverse-media", "screening.adverse_media"),
            ("politically-exposed-person", "screening.politically_exposed"),
        ],
    )
    def test_one_without_a_match_passes(self, type: str, label: str) -> None:
        result = read(answer("approved", part(), report(type)))
        assert result.decision is Decision.APPROVED
        assert [one.outcome for one in result.checks if one.label == label] == [PASSED]

    @pytest.mark.parametrize(
        "bad",
        [
            report(**{"has-match": True}),
            report(**{"has-match": None}),
            report(**{"has-match": "no"}),
            report(status="pending"),
            report(status="errored"),
            report("synthetic"),
        ],
    )
    def test_anything_else_is_for_a_person_to_look_at(self, bad: dict[str, Any]) -> None:
        assert read(answer("approved", part(), bad)).decision is Decision.REVIEW


class TestDocuments:
    def test_a_government_id(self) -> None:
        papers = {
            "id-class": "dl",
            "name-first": "JANE",
            "name-middle": "ANN",
            "name-last": "DOE",
            "birthdate": "1990-01-01",
            "sex": "F",
            "birthplace": "Springfield",
            "nationality": "US",
            "identification-number": "Y123ABC",
            "document-number": "0042",
            "issuing-authority": "DMV",
            "issuing-subdivision": "CA",
            "issue-date": "2020-07-28",
            "expiration-date": "2031-01-01",
            "address-street-1": "123 MAIN ST",
            "address-street-2": "APT 1",
            "address-city": "SAN FRANCISCO",
            "address-subdivision": "CA",
            "address-postal-code": "94111",
        }
        result = read(answer("approved", part(**papers)))
        (document,) = result.documents
        assert (document.type, document.vendor_type, document.country) == ("driving_permit", "dl", "US")
        assert (document.issued_on, document.expires_on) == (date(2020, 7, 28), date(2031, 1, 1))
        claims = result.claims
        assert (claims.name.value, claims.birthdate.value, claims.gender.value) == (
            "JANE ANN DOE",
            date(1990, 1, 1),
            "female",
        )
        assert (claims.document_number.value, claims.nationalities.value) == ("Y123ABC", ("US",))
        assert claims.issuer.value == "DMV"
        assert claims.address.value.street_address == "123 MAIN ST\nAPT 1"
        assert (claims.address.value.locality, claims.address.value.postal_code) == ("SAN FRANCISCO", "94111")

    @pytest.mark.parametrize("value", ["soon", "2031-02-30", 7, {}, [], False, {"year": 2031}, "1448-05-07"])
    @pytest.mark.parametrize("key", ["expiration-date", "expiry-date", "valid-until"])
    def test_an_end_that_cannot_be_read_is_for_a_person_to_look_at(self, key: str, value: Any) -> None:
        result = read(answer("approved", part(**{key: value})))
        assert result.documents[0].unread == ("expires_on",)
        assert result.decision is Decision.REVIEW

    def test_one_that_is_over_is_not_approved(self) -> None:
        assert read(answer("approved", part(**{"expiration-date": "2019-01-01"}))).decision is not Decision.APPROVED

    @pytest.mark.parametrize(("word", "type"), [("zzz", "other"), (None, None), (7, None), ("Meera Iyer 1", "other")])
    def test_a_class_that_nobody_knows(self, word: Any, type: str | None) -> None:
        (document,) = read(answer("approved", part(**{"id-class": word, "country-code": "UTO"}))).documents
        assert (document.type, document.country) == (type, None)
        assert document.vendor_type in (None, "zzz", "unnamed")

    def test_what_was_confirmed_stands_on_no_document(self) -> None:
        said = {"name-first": "Jane", "email-address": "jane@example.org", "identification-number": "078051120"}
        result = read(answer("approved", part(), part("ver_2", "database", **said)))
        assert {field.name.value: field.value for field in result.fields} == {
            "given_name": "Jane",
            "email": "jane@example.org",
            "personal_number": "078051120",
        }
        failed = part("ver_2", "database", "failed", **said)
        assert read(answer("declined", failed)).fields == ()

    @pytest.mark.parametrize("word", ["failed", "not_applicable", "another word", None])
    @pytest.mark.parametrize("requirement", ["required", "not_required"])
    def test_what_a_register_found_otherwise_is_no_claim(self, word: Any, requirement: str) -> None:
        """The key holds what the applicant gave; the register's word on it stands in the check alone."""
        said = {"name-first": "Jane", "birthdate": "1990-01-01", "identification-number": "078051120"}
        checks = [check("database_birthdate_comparison", word, requirement=requirement)]
        result = read(answer("approved", part(), part("ver_2", "database", checks=checks, **said)))
        assert result.claims.birthdate.sources == ()
        assert (result.claims.given_name.value, result.claims.personal_number.value) == ("Jane", "078051120")


class TestWhoseItIs:
    def test_another_inquiry_is_an_alarm(self) -> None:
        other = answer()
        other["data"]["id"] = "inq_2"
        with pytest.raises(UnexpectedResponse, match="another inquiry"):
            read(other)
        other["data"] |= {"id": "inq_1", "type": "report"}
        with pytest.raises(UnexpectedResponse, match="no inquiry"):
            read(other)

    @pytest.mark.parametrize(
        ("said", "text"),
        [
            ({"reference-id": "CUST-2"}, "another applicant"),
            ({"reference-id": ["CUST-1"]}, "another applicant"),
            ({"note": NOTE.replace("APP-1", "APP-2")}, "another application"),
        ],
    )
    def test_another_person_or_application_is_an_alarm(self, said: dict[str, Any], text: str) -> None:
        with pytest.raises(UnexpectedResponse, match=text):
            read(answer("approved", part(), **said))
        assert read(answer("approved", part(), **dict.fromkeys(said))).decision is Decision.APPROVED

    @pytest.mark.parametrize("note", ["a note of a reviewer", "{", "[]", '{"application_id"}', 7, "{" * 100_000])
    def test_a_note_that_somebody_wrote_over_says_nothing(self, note: Any) -> None:
        assert read(answer("approved", part(), note=note)).decision is Decision.APPROVED

    def test_a_verification_of_another_inquiry_is_an_alarm(self) -> None:
        other = part()
        other["relationships"]["inquiry"]["data"]["id"] = "inq_2"
        with pytest.raises(UnexpectedResponse, match="of another inquiry"):
            read(answer("approved", other))

    def test_a_part_that_is_named_and_not_shown_or_shown_and_not_named_is_a_doubt(self) -> None:
        lacking = answer("approved", part(), part("ver_2", "selfie"))
        lacking["included"].pop()
        assert [reason.code for reason in read(lacking).doubts] == ["verification.missing"]
        more = answer("approved", part())
        more["included"].append(part("ver_2", "selfie"))
        assert [reason.code for reason in read(more).doubts] == ["verification.unnamed"]
        screened = answer("approved", part(), report())
        screened["included"].pop()
        assert [reason.code for reason in read(screened).doubts] == ["report.missing"]

    def test_a_shadow_that_is_looked_at_as_anything_else_is_a_doubt(self) -> None:
        note = NOTE.replace("}", ',"is_shadow":true}')
        assert [reason.code for reason in read(answer("approved", part(), note=note)).doubts] == ["flow.shadow"]


@pytest.mark.parametrize("moment", ["2026-03-01T00:00:00.000Z", "soon", False, {}])
def test_a_redacted_inquiry_is_erased_and_says_nothing_any_more(moment: Any) -> None:
    redacted = read(answer("approved", part(), **{"redacted-at": moment}))
    assert (redacted.status, redacted.decision, redacted.verdict) == (FlowStatus.ERASED, Decision.UNDECIDED, None)
    assert (redacted.checks, redacted.flow.may_reopen) == ((), False)


def test_one_that_tells_of_a_failure_is_a_doubt() -> None:
    failing = read(answer("approved", part(), **{"failure-reason": "odd"}))
    assert [reason.code for reason in failing.doubts] == ["inquiry.failure"]


def test_the_sandbox_is_a_test() -> None:
    def is_test(key: str) -> bool:
        settings = PersonaSettings(api_key=Secret(key), template_id="itmpl_1")
        return bool(run_exchange(Persona(settings).result(FLOW), [reply(answer())]).value.is_test)

    assert (is_test("persona_production_1"), is_test("persona_sandbox_1")) == (False, True)


def test_what_is_kept_names_nobody() -> None:
    papers = {"name-first": "Ana", "identification-number": "X1", "front-photo-url": "https://files.example/a?token=b"}
    kept = str(public(answer("approved", part(**papers), fields={"name-first": {"value": "Ana"}})))
    assert "inq_1" in kept
    assert "id_fabrication_detection" in kept
    for secret in ("Ana", "X1", "files.example"):
        assert secret not in kept


@given(
    st.dictionaries(st.sampled_from(["status", "redacted-at", "note", "reference-id"]), json_values),
    st.dictionaries(st.sampled_from(["status", "checks", "created-at", "id-class", "expiration-date"]), json_values),
)
def test_any_inquiry_is_read_and_only_approved_is_good(said: dict[str, Any], of_part: dict[str, Any]) -> None:
    given_ = answer(said.pop("status", "approved"), part(**of_part), **said)
    flow = Readings(LIVE).flow(FLOW, given_["data"])
    result = read_inquiry(flow, given_)
    if result.verdict is POSITIVE:
        assert given_["data"]["attributes"]["status"] == "approved"
        assert result.checks
        assert all(one.outcome is PASSED for one in result.checks)
        assert any(one.kind is CheckKind.DOCUMENT for one in result.checks)
    public(given_)
