"""Verifik's words in our vocabulary: sections 5 and 6 of the fact sheet, and that nothing unknown is ever positive."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verifik import document_checks, faces, mapping
from idv_verifik.payloads import Said

from idv_core import CheckKind, CheckOutcome, Decision, Flow, FlowStatus, Result
from idv_core.model import Upload, VendorVerdict
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing.strategies import json_like

FLOW = Flow(
    id="r-1",
    status="awaiting_applicant",
    uploads=[Upload(document_id="front", vendor_ids={"document_validation": "d-1"})],
)
GOOD = {
    "_id": "r-1",
    "status": "COMPLETED",
    "projectFlow": {"_id": "p-1", "steps": {"document": "mandatory", "liveness": "mandatory"}},
    "documentValidation": {"_id": "d-1", "status": "ACTIVE", "documentType": "CC", "country": "Colombia"},
    "biometricValidation": {"_id": "b-1", "status": "validated", "livenessScore": 0.93},
    "compareFaceVerification": {"_id": "c-1", "status": "success", "result": {"score": 0.91, "passed": True}},
    "informationValidation": {"_id": "i-1", "fullName": "Ana Ruiz", "status": "ASSESSING"},
    "redFlags": 0,
}


def judged(data: dict[str, object]) -> Result:
    """The decision on a registration as it comes over the wire, where no text is identical with a literal of ours."""
    result = mapping.read_registration(json.loads(json.dumps(data)), FLOW)
    return evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("word", "status", "verdict", "decision"),
    [
        ("STARTED", "awaiting_applicant", None, "undecided"),
        ("ONGOING", "awaiting_applicant", None, "undecided"),
        ("COMPLETED", "finished", "positive", "approved"),
        ("completed", "finished", "positive", "approved"),
        ("COMPLETED_WITHOUT_KYC", "finished", "doubtful", "review"),
        ("FAILED", "finished", "negative", "declined"),
        ("NEEDS_MANUAL_VERIFICATION", "finished", "doubtful", "review"),
        ("EXPIRED", "expired", None, "undecided"),
        ("VERIFIED", "processing", None, "undecided"),
        ("", "processing", None, "undecided"),
        (None, "processing", None, "undecided"),
        (["COMPLETED"], "processing", None, "undecided"),
        (True, "processing", None, "undecided"),
    ],
)
def test_words_of_a_registration(word: object, status: str, verdict: str | None, decision: str) -> None:
    result = judged({**GOOD, "status": word})
    assert (result.status, result.verdict, result.decision) == (status, verdict, decision)


def test_nothing_was_verified_is_said() -> None:
    result = judged({"status": "COMPLETED_WITHOUT_KYC", "emailValidation": {"status": "validated"}})
    assert [(check.name, check.outcome) for check in result.checks if check.kind is CheckKind.OTHER] == [
        ("overall", "not_done")
    ]
    assert result.decision is Decision.REVIEW


class TestCompletedNeedsItsChecks:
    """COMPLETED is asked for by whoever holds the applicant's token: the checks must stand behind it (section 6.4)."""

    @pytest.mark.parametrize("part", ["documentValidation", "biometricValidation", "compareFaceVerification"])
    @pytest.mark.parametrize("there", ["gone", None, "an id", {}])
    def test_a_mandatory_part_that_is_missing(self, part: str, there: object) -> None:
        result = judged(
            {**GOOD, part: there} if there != "gone" else {key: value for key, value in GOOD.items() if key != part}
        )
        assert (result.verdict, result.decision) == (VendorVerdict.DOUBTFUL, Decision.REVIEW)
        assert "not_done" in [check.outcome for check in result.checks]

    @pytest.mark.parametrize(
        ("part", "word"),
        [
            ("documentValidation", "ASSESSING"),
            ("documentValidation", "odd"),
            ("biometricValidation", "sent"),
            ("biometricValidation", "odd"),
        ],
    )
    def test_a_mandatory_part_that_has_not_passed(self, part: str, word: str) -> None:
        result = judged({**GOOD, part: {**GOOD[part], "status": word}})
        assert (result.verdict, result.decision) == (VendorVerdict.DOUBTFUL, Decision.REVIEW)

    @pytest.mark.parametrize("flow", ["p-1", None, {}, {"steps": {}}, {"steps": "all"}])
    def test_steps_that_cannot_be_read_count_as_mandatory(self, flow: object) -> None:
        bare = {"status": "COMPLETED", "projectFlow": flow, "emailValidation": {"status": "validated"}}
        assert judged(bare).decision is Decision.REVIEW
        assert judged({**GOOD, "projectFlow": flow}).decision is Decision.APPROVED

    @pytest.mark.parametrize("word", ["MANDATORY", "Mandatory ", "required", True, 1, ["mandatory"]])
    @pytest.mark.parametrize("step", ["document", "liveness"])
    def test_a_word_that_is_not_understood_is_mandatory(self, step: str, word: object) -> None:
        part = {"document": "documentValidation", "liveness": "biometricValidation"}[step]
        data = {key: value for key, value in GOOD.items() if key not in (part, "compareFaceVerification")}
        lax = {"document": "Optional", "liveness": "SKIP"}
        assert judged({**data, "projectFlow": {"steps": lax}}).decision is Decision.APPROVED
        assert judged({**data, "projectFlow": {"steps": {**lax, step: word}}}).decision is Decision.REVIEW

    @pytest.mark.parametrize("asked", ["true", 1, "yes"])
    def test_a_setting_that_is_not_understood_asks(self, asked: object) -> None:
        for name in ("screening", "criminalHistoryVerification", "informationVerification"):
            data = {**GOOD, "projectFlow": {"documents": {name: asked}}}
            assert judged(data).decision is Decision.REVIEW
            assert judged({**GOOD, "projectFlow": {"documents": {name: False}}}).decision is Decision.APPROVED
        form = {"steps": {"signUpForm": "mandatory"}, "signUpForm": {"email": asked, "emailGateway": "mailgun"}}
        assert judged({**GOOD, "projectFlow": form}).decision is Decision.REVIEW

    def test_optional_steps_alone_verify_nobody(self) -> None:
        lax = {"steps": {"document": "optional", "liveness": "optional"}}
        result = judged({"status": "COMPLETED", "projectFlow": lax, "emailValidation": {"status": "validated"}})
        assert CheckKind.OTHER in [check.kind for check in result.checks]
        assert (result.verdict, result.decision) == (VendorVerdict.DOUBTFUL, Decision.REVIEW)
        assert judged({**GOOD, "projectFlow": lax}).decision is Decision.APPROVED
        document_only = {
            key: value for key, value in GOOD.items() if key not in ("biometricValidation", "compareFaceVerification")
        }
        assert (
            judged({**document_only, "projectFlow": {"steps": {"document": "mandatory"}}}).decision is Decision.APPROVED
        )

    @pytest.mark.parametrize("more", [{}, {"emailValidation": {"status": "validated"}}])
    @pytest.mark.parametrize("steps", ["mandatory", "optional"])
    def test_a_selfie_proves_nothing_about_a_document_without_the_comparison(
        self, steps: str, more: dict[str, object]
    ) -> None:
        flow = {"steps": {"document": steps, "liveness": steps}}
        data = {**GOOD, **more, "projectFlow": flow}
        assert judged(data).decision is Decision.APPROVED
        del data["compareFaceVerification"]
        assert (judged(data).verdict, judged(data).decision) == (VendorVerdict.DOUBTFUL, Decision.REVIEW)

    @pytest.mark.parametrize("missing", ["documentValidation", "biometricValidation"])
    def test_steps_of_the_older_shape_count_too(self, missing: str) -> None:
        steps = {"document": "mandatory", "liveness": "mandatory"}
        old = {"onboardingSettings": {"steps": steps, "document": {"verifyNames": False}}}
        data = {**GOOD, "projectFlow": old}
        assert judged(data).decision is Decision.APPROVED
        del data[missing], data["compareFaceVerification"]
        assert judged(data).decision is Decision.REVIEW

    @pytest.mark.parametrize(("kind", "gateway"), [("email", "mailgun"), ("phone", "whatsapp")])
    def test_a_mandatory_form_wants_its_codes(self, kind: str, gateway: str) -> None:
        settings = {"steps": {"signUpForm": "mandatory"}, "signUpForm": {kind: True, f"{kind}Gateway": gateway}}
        data = {**GOOD, "projectFlow": settings}
        assert judged(data).decision is Decision.REVIEW
        assert judged({**data, f"{kind}Validation": {"status": "validated"}}).decision is Decision.APPROVED
        assert judged({**data, f"{kind}Validation": {"status": "sent"}}).decision is Decision.REVIEW
        none = {**settings, "signUpForm": {kind: True, f"{kind}Gateway": "none"}}
        assert judged({**GOOD, "projectFlow": none}).decision is Decision.APPROVED


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        *((word, "not_done") for word in ("ASSESSING", "new", "pending")),
        *((word, "passed") for word in ("ACTIVE", "VALIDATED", "completed")),
        *(
            (word, "inconclusive")
            for word in ("ACTIVE_BUT_UNVERIFIED", "NEEDS_MANUAL_VERIFICATION", "odd", "", None, 5)
        ),
        *((word, "failed") for word in ("FAILED", "failed", "NOT_FOUND", "EXPIRED", "expired")),
    ],
)
def test_words_of_a_document(word: object, outcome: str) -> None:
    more = {"documentType": "CC", "manualVerificationReason": "why", "failedReason": None}
    check = document_checks.read_document({"status": word, **more}, "front")
    assert (check.outcome, check.vendor_name, check.document_id) == (outcome, "CC", "front")
    assert check.reasons[0] == "why"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        *((word, "not_done") for word in ("new", "sent", "pending")),
        *((word, "passed") for word in ("validated", "completed", "success", "SUCCESS")),
        *((word, "failed") for word in ("failed", "expired")),
        *((word, "inconclusive") for word in ("odd", "", None, [])),
    ],
)
def test_words_of_a_selfie(word: object, outcome: str) -> None:
    check = faces.read_liveness({"status": word, "livenessScore": 0.93}, None)
    assert check.outcome == outcome
    assert check.score is not None
    assert check.score.value == 0.93
    assert (check.reasons == ("expired",)) == (word == "expired")


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        ({"status": "success", "result": {"passed": True, "score": 0.2}}, "passed"),
        ({"status": "success", "result": {"passed": False, "score": 0.99}}, "failed"),
        ({"status": "failed", "result": {"passed": True}}, "failed"),
        ({"status": "success", "result": {"score": 0.99}}, "inconclusive"),
        ({"status": "success", "result": {"passed": "true"}}, "inconclusive"),
        ({"status": "odd", "result": {"passed": True}}, "inconclusive"),
        ({"result": {"passed": True}}, "inconclusive"),
        ({}, "inconclusive"),
    ],
)
def test_a_comparison_is_what_the_server_says(data: dict[str, object], outcome: str) -> None:
    assert faces.read_comparison(data).outcome == outcome


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        ({"infoValidationSupported": True, "namesMatch": True, "fullNameMatchPercentage": 97}, "passed"),
        ({"infoValidationSupported": True, "namesMatch": False, "fullNameMatchPercentage": 41}, "failed"),
        ({"infoValidationSupported": True}, "failed"),
        (
            {
                "infoValidationSupported": False,
                "namesMatch": False,
                "infoValidationSupportedReason": "document_not_supported",
            },
            "inconclusive",
        ),
        ({"namesMatch": False}, "not_done"),
    ],
)
def test_names_are_checked_only_where_the_flow_asks(document: dict[str, object], outcome: str) -> None:
    settings = {"steps": {"document": "mandatory"}, "documents": {"informationVerification": True}}
    data = {**GOOD, "projectFlow": settings, "documentValidation": {**GOOD["documentValidation"], **document}}
    (check,) = judged(data).checks_of(CheckKind.NAME_MATCH)
    assert check.outcome == outcome
    if check.score is not None:
        assert check.score.raw == document["fullNameMatchPercentage"]
        assert check.score.scale == (0, 100)
    old = {"onboardingSettings": {"steps": {"document": "mandatory"}, "document": {"verifyNames": True}}}
    assert judged({**data, "projectFlow": old}).checks_of(CheckKind.NAME_MATCH)[0].outcome == outcome
    silent = {**settings, "documents": {"informationVerification": False}}
    assert judged({**data, "projectFlow": silent}).checks_of(CheckKind.NAME_MATCH) == ()


class TestNamesWithoutSettings:
    """The published registration shows three keys of its project flow; names that differ must not approve all the same."""

    @pytest.mark.parametrize("flow", [{"_id": "p-1", "type": "onboarding", "target": "personal"}, "p-1", None, {}, []])
    @pytest.mark.parametrize(
        ("document", "decision"),
        [
            ({"infoValidationSupported": True, "namesMatch": False, "fullNameMatchPercentage": 12}, "declined"),
            ({"namesMatch": False, "fullNameMatchPercentage": 12}, "review"),
            ({"namesMatch": False}, "review"),
            ({"fullNameMatchPercentage": 12}, "review"),
            ({"namesMatch": "false"}, "review"),
            ({"infoValidationSupported": True, "namesMatch": "yes"}, "review"),
            ({"infoValidationSupported": "yes", "namesMatch": True}, "review"),
            ({"infoValidationSupported": False, "namesMatch": True}, "review"),
            ({"infoValidationSupported": True, "namesMatch": True, "fullNameMatchPercentage": 97}, "approved"),
            *(({"namesMatch": value}, "review") for value in (0, 1, "no", [], {}, "true")),
            *(({"fullNameMatchPercentage": value}, "review") for value in ("12%", "twelve", [12], {"v": 1}, -1, 120)),
            ({"fullNameMatchPercentage": 12, "namesMatch": True}, "review"),
            ({"infoValidationSupported": True, "namesMatch": True, "fullNameMatchPercentage": 12}, "review"),
            ({"namesMatch": True}, "approved"),
            ({"fullNameMatchPercentage": 97}, "approved"),
            ({}, "approved"),
        ],
    )
    def test_names_that_differ(self, flow: object, document: dict[str, object], decision: str) -> None:
        data = {**GOOD, "projectFlow": flow, "documentValidation": {**GOOD["documentValidation"], **document}}
        assert judged(data).decision == decision


@pytest.mark.parametrize(
    ("information", "outcome", "reasons"),
    [
        ({"status": "ACTIVE", "criminalData": {"foundKeys": []}}, "passed", ()),
        ({"status": "ACTIVE", "criminalData": {"foundKeys": ["world_api_fbi"]}}, "inconclusive", ("world_api_fbi",)),
        ({"status": "ASSESSING", "criminalData": {"foundKeys": []}}, "inconclusive", ()),
        ({"status": "FAILED", "criminalData": {"foundKeys": []}}, "inconclusive", ()),
        ({"status": "", "criminalData": {"foundKeys": []}}, "inconclusive", ()),
        ({"status": "ABSENT", "criminalData": {"foundKeys": []}}, "inconclusive", ()),
        ({"criminalData": {"foundKeys": []}}, "inconclusive", ()),
        ({"status": "ACTIVE", "criminalData": {"other": 1}}, "inconclusive", ()),
        ({"status": "ACTIVE"}, "not_done", ()),
        ("i-1", "not_done", ()),
    ],
)
@pytest.mark.parametrize("asked", ["criminalHistoryVerification", "screening"])
def test_a_hit_goes_to_a_person(information: object, outcome: str, reasons: tuple[str, ...], asked: str) -> None:
    data = {**GOOD, "projectFlow": {"documents": {asked: True}}, "informationValidation": information}
    (check,) = judged(data).checks_of(CheckKind.SCREENING)
    assert (check.outcome, check.reasons) == (outcome, reasons)


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "outcome", "score"),
        [
            (Said(token="liveness_failed", detail="0.31", code="liveness_failed"), "failed", 0.31),
            (Said(token="liveness_failed", code="liveness_failed"), "failed", None),
            (
                Said(token="liveness_failed", detail="ERR_NO_FACE_DETECTED", code="liveness_failed"),
                "inconclusive",
                None,
            ),
            (
                Said(token="liveness_failed", detail="0.4", body={"livenessScore": 0.41, "failureKind": "score"}),
                "failed",
                0.41,
            ),
            (
                Said(token="liveness_failed", body={"failureKind": "quality", "failureReason": "face_too_far"}),
                "inconclusive",
                None,
            ),
            (Said(token="attempts_limit_reached", code="attempts_limit_reached"), "inconclusive", None),
            (Said(), "inconclusive", None),
        ],
    )
    def test_of_a_selfie(self, said: Said, outcome: str, score: float | None) -> None:
        check = faces.read_refused_selfie(said, "selfie")
        assert (check.outcome, check.score and check.score.value) == (outcome, score)

    @pytest.mark.parametrize(
        ("token", "outcome"),
        [
            ("failed_to_read", "inconclusive"),
            ("document_type_not_detected", "inconclusive"),
            ("existing_document_validation_with_document_number", "failed"),
            ("", "inconclusive"),
        ],
    )
    def test_of_a_document(self, token: str, outcome: str) -> None:
        check = document_checks.read_refused_document(Said(token=token), "front")
        assert check.outcome == outcome
        assert check.reasons == (token or "refused",)

    def test_earlier_attempts_become_checks_and_notes(self) -> None:
        data = {
            "status": "FAILED",
            "failedDocumentValidations": ["a", "b"],
            "failedBiometricValidations": ["c"],
            "redFlags": 2,
        }
        reading = mapping.read_registration(data, FLOW)
        failed = {check.kind for check in reading.checks if check.outcome is CheckOutcome.FAILED}
        assert failed == {CheckKind.DOCUMENT, CheckKind.LIVENESS}
        assert reading.notes == ("2 red flags", "2 failed document attempts", "1 failed biometric attempts")


def test_the_document_is_attributed_and_its_pictures_are_secret() -> None:
    document = {
        "_id": "d-1",
        "status": "ACTIVE",
        "documentType": "CC",
        "country": "Colombia",
        "documentNumber": "79001122",
        "OCRExtraction": {"fullName": "ANA RUIZ", "empty": ""},
        "url": "https://cdn.example/a.png?signature=1",
        "backUrl": "https://cdn.example/b.png?signature=2",
    }
    (evidence,) = mapping.read_registration({**GOOD, "documentValidation": document}, FLOW).documents
    assert (evidence.document_id, evidence.type, evidence.vendor_type, evidence.country) == (
        "front",
        "idcard",
        "CC",
        "CO",
    )
    assert {(field.vendor_name, field.name, field.value) for field in evidence.fields} == {
        ("documentNumber", "document_number", "79001122"),
        ("fullName", "name", "ANA RUIZ"),
    }
    assert evidence.images["back"].reveal().endswith("=2")


@pytest.mark.parametrize("word", ["ASSESSING", "new", "pending"])
@pytest.mark.parametrize("status", ["STARTED", "ONGOING"])
def test_a_document_that_is_being_read_is_processing(status: str, word: str) -> None:
    reading = {**GOOD, "status": status, "documentValidation": {"_id": "d-1", "status": word}}
    assert judged(reading).status is FlowStatus.PROCESSING


class TestOfSomebodyElse:
    """What is populated must belong to the registration, and neither may be deleted (sections 3.3.2 and 3.6.2)."""

    @pytest.mark.parametrize("part", ["documentValidation", "biometricValidation", "compareFaceVerification"])
    @pytest.mark.parametrize(
        "changes", [{"appRegistration": "r-2"}, {"appRegistration": {"_id": "r-2"}}, {"deleted": True}]
    )
    def test_a_part_does_not_count(self, part: str, changes: dict[str, object]) -> None:
        result = judged({**GOOD, part: {**GOOD[part], **changes}})
        assert (result.verdict, result.decision) == (VendorVerdict.DOUBTFUL, Decision.REVIEW)
        assert judged({**GOOD, part: {**GOOD[part], "appRegistration": "r-1"}}).decision is Decision.APPROVED

    @pytest.mark.parametrize("owner", ["r-2", "r-1"])
    def test_a_clear_search_of_somebody_else_is_none(self, owner: str) -> None:
        clear = {"_id": "i-1", "appRegistration": owner, "status": "ACTIVE", "criminalData": {"foundKeys": []}}
        decision = judged({**GOOD, "informationValidation": clear}).decision
        assert decision is (Decision.APPROVED if owner == "r-1" else Decision.REVIEW)

    @pytest.mark.parametrize(
        ("part", "told"),
        [
            ("emailValidation", {"email": "luis@example.org"}),
            ("phoneValidation", {"phone": "3005550102", "countryCode": "+57"}),
            ("phoneValidation", {"phone": "3005550101", "countryCode": "+58"}),
        ],
    )
    def test_a_code_of_another_contact_proves_nothing(self, part: str, told: dict[str, str]) -> None:
        own = {**GOOD, "email": "ana@example.org", "phone": "3005550101", "countryCode": "+57"}
        assert judged({**own, part: {"status": "validated", **told}}).decision is Decision.REVIEW
        same = {name: own[name] for name in told}
        assert judged({**own, part: {"status": "validated", **same}}).decision is Decision.APPROVED

    @pytest.mark.parametrize("deleted", [True, "true", 1, {}])
    def test_a_deleted_registration_approves_nobody(self, deleted: object) -> None:
        result = judged({**GOOD, "deleted": deleted})
        assert result.decision is Decision.REVIEW
        assert "flow.deleted" in [reason.code for reason in result.reasons]
        assert judged({**GOOD, "deleted": False}).decision is Decision.APPROVED

    @pytest.mark.parametrize("part", ["documentValidation", "biometricValidation", "compareFaceVerification"])
    @pytest.mark.parametrize("there", ["d-1", ["d-1"], 7, True])
    def test_an_optional_part_that_cannot_be_seen_is_a_doubt(self, part: str, there: object) -> None:
        lax = {"steps": {"document": "optional", "liveness": "optional"}}
        result = judged({**GOOD, "projectFlow": lax, part: there})
        assert result.decision is Decision.REVIEW
        assert "part.unread" in [reason.code for reason in result.reasons]


class TestWhatIsSaidBeside:
    """Lists where an object belongs, concerns, a no, a state: never approved unless it is known to be harmless."""

    @pytest.mark.parametrize("part", ["emailValidation", "phoneValidation", "informationValidation"])
    @pytest.mark.parametrize("there", ["v-1", [{"status": "FAILED"}], ["v-1"], 7, True])
    def test_every_part_must_be_shown(self, part: str, there: object) -> None:
        result = judged({**GOOD, part: there})
        assert result.decision is Decision.REVIEW
        assert "part.unread" in [reason.code for reason in result.reasons]

    @pytest.mark.parametrize(
        "said",
        [
            {"redFlags": 3},
            {"redFlags": ["x"]},
            {"redFlagsDetails": {"face": "mask"}},
            {"error": True, "message": "person_already_set"},
            {"fraudDetected": True},
            {"riskStatus": "HIGH"},
        ],
        ids=str,
    )
    def test_of_the_registration(self, said: dict[str, object]) -> None:
        assert judged({**GOOD, **said}).decision is Decision.REVIEW

    @pytest.mark.parametrize("part", ["documentValidation", "biometricValidation", "compareFaceVerification"])
    @pytest.mark.parametrize(
        "said",
        [{"isFake": True}, {"fraudDetected": "yes"}, {"nameMatch": False}, {"state": "EXPIRED"}, {"warnings": ["x"]}],
        ids=str,
    )
    def test_of_a_part(self, part: str, said: dict[str, object]) -> None:
        assert judged({**GOOD, part: {**GOOD[part], **said}}).decision is Decision.REVIEW

    @pytest.mark.parametrize(
        "said",
        [
            {"status": "FAILED"},
            {"status": "ACTIVE", "criminalData": ["hit"]},
            {"status": "ACTIVE", "criminalData": "hit"},
            {"status": "ACTIVE", "screening": {"hits": 3}},
            {"nameMatch": False},
            {"namesMatch": False},
        ],
        ids=str,
    )
    def test_of_the_information(self, said: dict[str, object]) -> None:
        assert judged({**GOOD, "informationValidation": {"_id": "i-1", **said}}).decision is Decision.REVIEW

    def test_a_state_read_from_a_document_is_a_place_unless_it_is_none(self) -> None:
        for state, decision in (("EXPIRED", "review"), ("Florida", "approved")):
            document = {**GOOD["documentValidation"], "documentData": {"state": state}}
            assert judged({**GOOD, "documentValidation": document}).decision == decision

    def test_documented_members_are_harmless(self) -> None:
        document = {"deleted": False, "requires2FA": False, "requiresBackSide": False, "imageValidated": True}
        more = {"scoreValidated": False, "type": "validation", "validationMethod": "SCAN_PROMPT"}
        data = {**GOOD, "redFlags": 0, "redFlagsDetails": {}, "deleted": False, "currentStep": "end"}
        data["documentValidation"] = {**GOOD["documentValidation"], **document, **more}
        assert judged(data).decision is Decision.APPROVED


class TestWordsThatAreNone:
    """Where a status or a type should stand there may be a sentence about the person."""

    SENTENCE = "Blocked: Ana Ruiz 79001122"

    @pytest.mark.parametrize("part", [None, "documentValidation", "biometricValidation", "compareFaceVerification"])
    def test_a_sentence_is_not_shown(self, part: str | None) -> None:
        said = {"status": self.SENTENCE, "documentType": self.SENTENCE}
        result = judged({**GOOD, **said} if part is None else {**GOOD, part: {**GOOD[part], **said}})
        assert result.decision is not Decision.APPROVED
        reading = mapping.read_registration({**GOOD, **said}, FLOW)
        for shown in (repr(result), repr(reading.notes), repr(reading.vendor_word)):
            assert "ruiz" not in shown.lower()
            assert "79001122" not in shown

    @pytest.mark.parametrize(
        ("word", "shown"), [("verified", "VERIFIED"), ("79001122", "?"), ("a@b.co", "?"), (["x"], "?")]
    )
    def test_an_unknown_word_is_shown_if_it_is_one(self, word: object, shown: str) -> None:
        assert judged({**GOOD, "status": word}).vendor_word == shown

    @pytest.mark.parametrize("type_", ["CC", "driver_license", "Cédula de ciudadanía", "Driver's license (back)"])
    def test_a_type_is_shown(self, type_: str) -> None:
        document = {"_id": "d-1", "documentType": type_}
        (evidence,) = mapping.read_registration({**GOOD, "documentValidation": document}, FLOW).documents
        assert evidence.vendor_type == type_

    def test_of_lists_only_the_names_of_sources_are(self) -> None:
        found = {"status": "ACTIVE", "criminalData": {"foundKeys": ["world_api_fbi", "Ana Ruiz 79001122", {"a": 1}]}}
        (check,) = judged({**GOOD, "informationValidation": found}).checks_of(CheckKind.SCREENING)
        assert check.reasons == ("world_api_fbi", "hit", "hit")


@given(st.data())
def test_changed_registrations_never_approve_without_a_passed_identity_check(data: st.DataObject) -> None:
    changed = data.draw(json_like([GOOD]))
    if isinstance(changed, dict):
        result = judged(changed)
        if result.decision is Decision.APPROVED:
            assert str(changed["status"]).strip().upper() == "COMPLETED"
            assert any(
                check.kind in (CheckKind.DOCUMENT, CheckKind.LIVENESS, CheckKind.FACE_MATCH) for check in result.checks
            )


def test_each_check_has_our_name_and_verifiks_beside() -> None:
    parts = {"emailValidation": {"status": "validated"}, "phoneValidation": {"status": "validated"}}
    information = {"status": "ACTIVE", "criminalData": {"foundKeys": []}}
    names = {"namesMatch": True, "infoValidationSupported": True}
    document = {**GOOD["documentValidation"], **names}
    result = judged({**GOOD, **parts, "documentValidation": document, "informationValidation": information})
    assert {check.label: check.vendor_name for check in result.checks} == {
        "document": "CC",
        "name_match": "namesMatch",
        "liveness": "biometricValidation",
        "face_match.selfie_to_document": "compareFaceVerification",
        "email.possession": "emailValidation",
        "phone.possession": "phoneValidation",
        "screening.background": "criminalData",
    }


class TestWhoStandsOnTheDocument:
    """What two places of an answer say of one person is told as what two sources say: nobody chooses."""

    @pytest.mark.parametrize(
        ("key", "extracted", "more"),
        [
            ("fullName", "ANA RUIZ", "Eva López"),
            ("birthDate", "1990-01-01", "1991-01-01"),
            ("documentNumber", "4711", "4712"),
            ("gender", "F", "M"),
            ("nationality", "COL", "VEN"),
        ],
    )
    def test_two_places_that_differ(self, key: str, extracted: str, more: str) -> None:
        def document(there: str) -> dict[str, object]:
            read = {"OCRExtraction": {key: extracted}, "documentData": {key: there}}
            return {**GOOD, "documentValidation": {**GOOD["documentValidation"], **read}}

        (claim,) = judged(document(more)).claims
        assert (claim.value, claim.disagrees) == (None, True)
        (claim,) = judged(document(extracted.lower())).claims
        assert claim.value is not None
        assert len(claim.sources) in (1, 2)

    @pytest.mark.parametrize(
        ("country", "printed", "read"),
        [
            ("Mexico", "H", "male"),
            ("MX", "M", None),
            ("Mexico", "F", "female"),
            ("Mexico", "Mujer", "female"),
            ("Colombia", "M", "male"),
            ("Colombia", "H", None),
        ],
    )
    def test_a_letter_that_means_another_sex_in_mexico(self, country: str, printed: str, read: str | None) -> None:
        part = {**GOOD["documentValidation"], "country": country, "OCRExtraction": {"sexo": printed}}
        (claim,) = judged({**GOOD, "documentValidation": part}).claims
        assert (claim.value, claim.sources[0].field.vendor_text) == (read, printed)

    @pytest.mark.parametrize("month", ["ENE", "abr", "Ago", "DIC"])
    def test_the_months_of_a_colombian_card(self, month: str) -> None:
        read = {"fechaDeNacimiento": f"21-{month}-1990", "fechaExpedicion": f"05-{month}-2010"}
        result = judged({**GOOD, "documentValidation": {**GOOD["documentValidation"], "OCRExtraction": read}})
        assert result.decision is Decision.APPROVED
        assert result.claims.birthdate.value is not None
        assert result.documents[0].issued_on is not None

    @pytest.mark.parametrize("score", ["high", "95%", -1, 95, True, [0.9], {"value": 0.9}])
    def test_a_score_that_cannot_be_read_is_not_good(self, score: object) -> None:
        liveness = {**GOOD["biometricValidation"], "livenessScore": score}
        face = {**GOOD["compareFaceVerification"], "result": {"passed": True, "score": score}}
        for part, said in (("biometricValidation", liveness), ("compareFaceVerification", face)):
            assert judged({**GOOD, part: said}).decision is Decision.REVIEW
