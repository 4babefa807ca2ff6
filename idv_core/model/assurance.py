"""A result as the `verified_claims` object of OpenID Identity Assurance, for those who pass the identity on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date
from typing import Any

import attrs

from .check_names import CheckKind
from .claims import Claim, Claims
from .countries import ALPHA_3
from .document_types import DocumentType
from .evidence import Check, CheckOutcome, DocumentEvidence
from .fields import Address, FieldName, Place
from .result import Result

_CLAIMS = (
    FieldName.NAME,
    FieldName.GIVEN_NAME,
    FieldName.MIDDLE_NAME,
    FieldName.FAMILY_NAME,
    FieldName.BIRTH_FAMILY_NAME,
    FieldName.BIRTH_GIVEN_NAME,
    FieldName.ALSO_KNOWN_AS,
    FieldName.TITLE,
    FieldName.GENDER,
    FieldName.BIRTHDATE,
    FieldName.PLACE_OF_BIRTH,
    FieldName.NATIONALITIES,
    FieldName.ADDRESS,
)
# What nobody reads from a document counts only where the vendor saw that the applicant has it.
_CONTACTS = {FieldName.EMAIL: CheckKind.EMAIL, FieldName.PHONE_NUMBER: CheckKind.PHONE}
_DETAILS = (
    FieldName.DOCUMENT_NUMBER,
    FieldName.SERIAL_NUMBER,
    FieldName.DATE_OF_ISSUANCE,
    FieldName.DATE_OF_EXPIRY,
)
# OpenID's registry of predefined values: remote inspection of an image, a data source, remote biometric verification
_METHODS: Mapping[CheckKind, str] = {
    CheckKind.DOCUMENT: "vri",
    CheckKind.DATA_SOURCE: "data",
    CheckKind.FACE_MATCH: "bvr",
}


def verified_claims(
    result: Result,
    trust_framework: str,
    *,
    assurance_level: str | None = None,
    organization: str | None = None,
    approved_only: bool = True,
) -> dict[str, Any]:
    """The OpenID Connect `verified_claims` object of a result, as JSON data. It is personal data: keep it out of logs.

    Dates are ISO 8601, countries ISO 3166-1 alpha-3. A claim whose sources disagree is left out. An e-mail address or phone
    number needs a passed check that the applicant owns it. `evidence` holds the documents and the passed checks. Masked
    numbers stay masked.

    Args:
        result: The result.
        trust_framework: The rules that you verify by: `nist_800_63A`, `de_aml`, `eidas`, or a URI of your own.
        assurance_level: The level in that framework.
        organization: Who performed the checks.
        approved_only: With False, also results that nobody verified; you answer for what they mean.

    Raises ValueError for a result that is not approved, that comes from a vendor's test mode, or of a shadow flow.

    Source: OpenID Identity Assurance Schema Definition 1.0 (schema `verified_claims.json` of draft 03 with errata set 1),
    OpenID Connect for Identity Assurance Claims Registration 1.0, OpenID's registry of predefined values (check methods).
    """
    if not trust_framework:
        raise ValueError("trust_framework: must be a non-empty string, such as 'nist_800_63A'")
    if approved_only:
        _refuse_unverified(result)
    verification: dict[str, Any] = {"trust_framework": trust_framework}
    if assurance_level is not None:
        verification["assurance_level"] = assurance_level
    if result.received_at is not None:
        verification["time"] = result.received_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    verification["verification_process"] = result.flow.ref
    evidence = list(_evidence(result, organization))
    if evidence:
        verification["evidence"] = evidence
    return {"verification": verification, "claims": dict(_claims(result))}


def _refuse_unverified(result: Result) -> None:
    if not result.approved:
        raise ValueError(f"the result is {result.decision.value}, not approved: it has no verified claims")
    if result.is_test:
        raise ValueError(
            "the result comes from the vendor's test mode, where nobody is checked: it has no verified claims"
        )
    if result.flow.is_shadow:
        raise ValueError("the result is a shadow's, which decides nothing: it has no verified claims")


def _claims(result: Result) -> Iterator[tuple[str, Any]]:
    claims = result.claims
    for name in _CLAIMS:
        value = _written(claims[name])
        if value is not None:
            yield name.value, value
    for name, kind in _CONTACTS.items():
        value = _written(claims[name])
        if value is not None and any(
            _is_passed(check) and check.name == "possession" for check in result.checks_of(kind)
        ):
            yield name.value, value


def _written(claim: Claim[Any]) -> Any:
    """The value as JSON data, None for one that is not known."""
    match claim.value:
        case None | () | "":
            return None
        case Address() as address:
            return _members(address, "country_code")
        case Place() as place:
            return _members(place, "country")
        case tuple() as countries:
            return [ALPHA_3[country] for country in countries]
        case date() as day:
            return day.isoformat()
        case value:
            return str(value)


def _members(value: Address | Place, country: str) -> dict[str, str] | None:
    members = {name: text for name, text in attrs.asdict(value).items() if text and name != "country"}
    if value.country is not None:
        members[country] = ALPHA_3[value.country]
    return members or None


def _evidence(result: Result, organization: str | None) -> Iterator[dict[str, Any]]:
    documents = [document for document in result.documents if document.type is not DocumentType.PHOTO]
    of_documents = [check for check in result.checks if check.kind is not CheckKind.DATA_SOURCE]
    shared = [check for check in of_documents if not any(check.document_id == one.document_id for one in documents)]
    for document in documents:
        own = [check for check in of_documents if check.document_id == document.document_id]
        # a check of no document in particular is of the only one, if there is only one
        checks = [*own, *shared] if len(documents) == 1 else own
        yield _filled("document", document_details=_details(document), check_details=_methods(checks, organization))
    if len(documents) != 1 and _methods(shared, organization):
        yield _filled("document", check_details=_methods(shared, organization))
    sources = _methods(result.checks_of(CheckKind.DATA_SOURCE), organization)
    if sources:
        yield _filled("electronic_record", check_details=sources)


def _filled(type_: str, **members: Any) -> dict[str, Any]:
    return {"type": type_} | {name: value for name, value in members.items() if value}


def _details(document: DocumentEvidence) -> dict[str, Any] | None:
    if document.type is None:
        return None
    claims = document.claims
    details: dict[str, Any] = {"type": document.type.value}
    details |= {name.value: value for name in _DETAILS if (value := _written(claims[name])) is not None}
    issuer = _issuer(document, claims)
    return details | ({"issuer": issuer} if issuer else {})


def _issuer(document: DocumentEvidence, claims: Claims) -> dict[str, str]:
    name = _written(claims.issuer)
    issuer = {"name": name} if name is not None else {}
    return issuer | ({"country_code": ALPHA_3[document.country]} if document.country else {})


def _methods(checks: Iterable[Check], organization: str | None) -> list[dict[str, str]]:
    """The methods of the checks that passed, each once. A check that the registry has no method for is left out."""
    methods = dict.fromkeys(_METHODS[check.kind] for check in checks if check.kind in _METHODS and _is_passed(check))
    by = {"organization": organization} if organization else {}
    return [{"check_method": method, **by} for method in methods]


def _is_passed(check: Check) -> bool:
    return check.outcome is CheckOutcome.PASSED
