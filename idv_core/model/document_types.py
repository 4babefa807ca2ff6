"""The types of documents, in the words of OpenID Connect for Identity Assurance where it has one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from .words import near, quoted


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
    CHEQUE = "cheque"
    INVOICE = "invoice"
    PURCHASE_ORDER = "purchase_order"
    DELIVERY_ORDER = "delivery_order"
    CONTRACT = "contract"

    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> None:
        words = [member.value for member in cls]
        plain = str(value).casefold().replace(" ", "_")
        meant = _ELSEWHERE.get(plain.replace("_", ""))
        hint = f"; did you mean '{meant}'?" if meant else near(plain, words) or f" (there are: {', '.join(words)})"
        raise ValueError(f"there is no document type {quoted(str(value))}{hint}")


# What vendors and people call some of them.
_ELSEWHERE = {
    "aadhaar": "national_number_card",
    "aadhar": "national_number_card",
    "drivinglicence": "driving_permit",
    "drivinglicense": "driving_permit",
    "driverslicense": "driving_permit",
    "gstcertificate": "company_tax_registration",
    "nationalid": "idcard",
    "nationalidentitycard": "idcard",
    "pan": "tax_card",
    "residencecard": "residence_permit",
    "utilitybill": "utility_statement",
    "voterid": "voter_card",
}

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


def document_types(types: Any) -> tuple[DocumentType, ...]:
    """Words, or one word, as members. Raises ValueError that names the nearest for one that is not in the vocabulary."""
    if isinstance(types, str) or not isinstance(types, Iterable):
        types = (types,)
    return tuple(dict.fromkeys(DocumentType(word) for word in types))
