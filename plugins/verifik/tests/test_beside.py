"""What stands beside the verdicts of a completed registration and speaks against it never approves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from idv_verifik.mapping import read_registration

from idv_core import Decision, Flow, Result
from idv_core.policy import DEFAULT_POLICY, judge


def decide(document: Any = (), **more: Any) -> Decision | None:
    data = {
        "_id": "r-1",
        "status": "COMPLETED",
        "documentValidation": {"_id": "d-1", "status": "ACTIVE", "documentType": "Passport", **dict(document)},
        "biometricValidation": {"_id": "b-1", "status": "VALIDATED"},
        "compareFaceVerification": {"_id": "c-1", "status": "SUCCESS", "result": {"passed": True}},
        **more,
    }
    reading = read_registration(data, Flow(id="r-1", status="open"))
    result = Result(
        flow=Flow(id="r-1", status=reading.status),
        checks=reading.checks,
        documents=reading.documents,
        verdict=reading.verdict,
        doubts=reading.doubts,
    )
    return judge(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC)).decision


@pytest.mark.parametrize(
    "trouble",
    [
        {"namesMatch": 0},
        {"fullNameMatchPercentage": "12%"},
        {"fullNameMatchPercentage": [12]},
        {"fullNameMatchPercentage": 120},
        {"fullNameMatchPercentage": 12, "namesMatch": True},
        {"fullNameMatchPercentage": 12, "namesMatch": True, "infoValidationSupported": True},
        {"isFake": True},
        {"fraudDetected": True},
        {"verdict": "rejected"},
        {"documentData": {"state": "EXPIRED"}},
        {"OCRExtraction": {"isExpired": True}},
        {"documentData": {"expirationDate": {}}},
        {"documentData": {"expirationDate": False}},
    ],
)
def test_trouble_in_the_document(trouble: dict[str, Any]) -> None:
    assert decide() is Decision.APPROVED
    assert decide(trouble) is Decision.REVIEW


@pytest.mark.parametrize("part", ["emailValidation", "phoneValidation", "informationValidation"])
def test_a_part_that_is_no_object_is_not_passed_over(part: str) -> None:
    for told in ([{"status": "FAILED"}], ["x"], 7, True):
        assert decide(**{part: told}) is Decision.REVIEW
    assert decide(**{part: None}) is Decision.APPROVED


def test_criminal_records_of_another_shape() -> None:
    assert decide(informationValidation={"_id": "i", "criminalData": ["hit"]}) is Decision.REVIEW


def test_ordinary_fields_are_no_doubt() -> None:
    read = {"fullName": "Ana Fail", "placeOfBirth": "VOID", "state": "CUNDINAMARCA", "documentNumber": "X1"}
    fine = {"fullNameMatchPercentage": 98, "namesMatch": True, "documentData": read, "OCRExtraction": read}
    assert decide(fine) is Decision.APPROVED
