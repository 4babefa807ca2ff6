"""The types of documents, in the words of OpenID Connect for Identity Assurance where it has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from .words import listed, near, quoted


class DocumentType(StrEnum):
    """What a document is. The vendor's own word stands beside it (`DocumentEvidence.vendor_type`)."""

    # OpenID Connect for Identity Assurance, predefined values: document types
    IDCARD = "idcard"
    PASSPORT = "passport"
    DRIVING_PERMIT = "driving_permit"
    RESIDENCE_PERMIT = "residence_permit"
    BIRTH_CERTIFICATE = "birth_certificate"
    BANK_STATEMENT = "bank_statement"
    UTILITY_STATEMENT = "utility_statement"
    TAX_STATEMENT = "tax_statement"
    # ours: a person
    VISA = "visa"
    NATIONAL_NUMBER_CARD = "national_number_card"
    """Shows a person's national number: India's Aadhaar, a social security card."""
    TAX_CARD = "tax_card"
    """Shows a person's tax number: India's PAN."""
    VOTER_CARD = "voter_card"
    HEALTH_CARD = "health_card"
    WORK_PERMIT = "work_permit"
    MILITARY_CARD = "military_card"
    PROFESSIONAL_CARD = "professional_card"
    MARRIAGE_CERTIFICATE = "marriage_certificate"
    PAYSLIP = "payslip"
    PHOTO = "photo"
    """A picture of the person's face."""
    # ours: a company, money, trade
    COMPANY_REGISTRATION = "company_registration"
    COMPANY_TAX_REGISTRATION = "company_tax_registration"
    COMPANY_CONSTITUTION = "company_constitution"
    """What a company was founded by: memorandum and articles of association (UK Companies Act 2006, section 17)."""
    BUSINESS_LICENCE = "business_licence"
    """A permit for a trade: to sell food or drugs, to keep a shop."""
    CHEQUE = "cheque"
    INVOICE = "invoice"
    PURCHASE_ORDER = "purchase_order"
    DELIVERY_ORDER = "delivery_order"
    CONTRACT = "contract"

    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> None:
        words = [member.value for member in cls]
        hint = near(value, words, DOCUMENT_SYNONYMS) or f" (there are: {listed(words)})"
        raise ValueError(f"there is no document type {quoted(str(value))}{hint}")


IDENTITY_DOCUMENTS = frozenset(
    {
        DocumentType.IDCARD,
        DocumentType.PASSPORT,
        DocumentType.DRIVING_PERMIT,
        DocumentType.RESIDENCE_PERMIT,
        DocumentType.VISA,
        DocumentType.NATIONAL_NUMBER_CARD,
        DocumentType.TAX_CARD,
        DocumentType.VOTER_CARD,
        DocumentType.HEALTH_CARD,
        DocumentType.WORK_PERMIT,
        DocumentType.MILITARY_CARD,
        DocumentType.PROFESSIONAL_CARD,
    }
)
"""Documents that name one person and carry a number."""


DOCUMENT_SYNONYMS: Mapping[str, DocumentType] = {
    "aadhaar": DocumentType.NATIONAL_NUMBER_CARD,
    "aadhar": DocumentType.NATIONAL_NUMBER_CARD,
    "aadhaarcard": DocumentType.NATIONAL_NUMBER_CARD,
    "socialsecuritycard": DocumentType.NATIONAL_NUMBER_CARD,
    "pan": DocumentType.TAX_CARD,
    "pancard": DocumentType.TAX_CARD,
    "identitycard": DocumentType.IDCARD,
    "nationalid": DocumentType.IDCARD,
    "nationalidcard": DocumentType.IDCARD,
    "nationalidentitycard": DocumentType.IDCARD,
    "driverlicence": DocumentType.DRIVING_PERMIT,
    "driverlicense": DocumentType.DRIVING_PERMIT,
    "driverslicence": DocumentType.DRIVING_PERMIT,
    "driverslicense": DocumentType.DRIVING_PERMIT,
    "drivinglicence": DocumentType.DRIVING_PERMIT,
    "drivinglicense": DocumentType.DRIVING_PERMIT,
    "residencecard": DocumentType.RESIDENCE_PERMIT,
    "voterid": DocumentType.VOTER_CARD,
    "utilitybill": DocumentType.UTILITY_STATEMENT,
    "bankaccountstatement": DocumentType.BANK_STATEMENT,
    "gstcertificate": DocumentType.COMPANY_TAX_REGISTRATION,
    "articlesofassociation": DocumentType.COMPANY_CONSTITUTION,
    "memorandumofassociation": DocumentType.COMPANY_CONSTITUTION,
    "businesslicense": DocumentType.BUSINESS_LICENCE,
    "tradelicence": DocumentType.BUSINESS_LICENCE,
    "tradelicense": DocumentType.BUSINESS_LICENCE,
}
"""Other words for the same, as `plain` writes them: for hints, and to find what a plugin left as `other`."""


def document_types(types: Any, field: str = "documents") -> tuple[DocumentType, ...]:
    """One word, or several, as members. Raises ValueError that names the field and the nearest word."""
    if isinstance(types, str) or not isinstance(types, Iterable):
        types = (types,)
    return tuple(dict.fromkeys(document_type(word, field) for word in types))


def document_type(word: Any, field: str = "type") -> DocumentType:
    """A word as a member. Raises ValueError that names the field and the nearest word."""
    try:
        return DocumentType(word)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
