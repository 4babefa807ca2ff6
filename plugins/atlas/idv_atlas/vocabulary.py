"""Atlas's document types, fields and cross-checks, and our words for them (fact sheet sections 7 and 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from idv_core.plugin import OTHER, DocumentType, FieldName, InvalidOrder

TYPES = {
    "AADHAAR": DocumentType.NATIONAL_NUMBER_CARD,
    "PAN": DocumentType.TAX_CARD,
    "DRIVING_LICENSE": DocumentType.DRIVING_PERMIT,
    "VOTER_ID": DocumentType.VOTER_CARD,
    "PASSPORT": DocumentType.PASSPORT,
    "GST_CERT": DocumentType.COMPANY_TAX_REGISTRATION,
    "UDYAM_CERT": DocumentType.COMPANY_REGISTRATION,
    "SHOP_ACT_LICENSE": DocumentType.BUSINESS_LICENCE,
    "FSSAI": DocumentType.BUSINESS_LICENCE,
    "DRUG_LICENSE": DocumentType.BUSINESS_LICENCE,
    "Certificate of Incorporation": DocumentType.COMPANY_REGISTRATION,
    "Memorandum of Association": DocumentType.COMPANY_CONSTITUTION,
    "Articles of Association": DocumentType.COMPANY_CONSTITUTION,
    "EBILL": DocumentType.UTILITY_STATEMENT,
    "GAS_BILL": DocumentType.UTILITY_STATEMENT,
    "PHONE_BILL": DocumentType.UTILITY_STATEMENT,
    "WIFI_BILL": DocumentType.UTILITY_STATEMENT,
    "BANK_STATEMENT": DocumentType.BANK_STATEMENT,
    "ITR": DocumentType.TAX_STATEMENT,
    "SALARY_SLIP": DocumentType.PAYSLIP,
    "INVOICE": DocumentType.INVOICE,
    "TAX_INVOICE": DocumentType.INVOICE,
    "PURCHASE_ORDER": DocumentType.PURCHASE_ORDER,
    "DELIVERY_ORDER": DocumentType.DELIVERY_ORDER,
    "RENT_AGREEMENT": DocumentType.CONTRACT,
    "SALE_DEED": DocumentType.CONTRACT,
    "GIFT_DEED": DocumentType.CONTRACT,
    "PARTNERSHIP_DEED": DocumentType.CONTRACT,
}
"""Atlas's types and ours. Atlas has more; those are `other`."""

_SENT = {
    DocumentType.NATIONAL_NUMBER_CARD: "AADHAAR",
    DocumentType.TAX_CARD: "PAN",
    DocumentType.DRIVING_PERMIT: "DRIVING_LICENSE",
    DocumentType.VOTER_CARD: "VOTER_ID",
    DocumentType.PASSPORT: "PASSPORT",
    DocumentType.COMPANY_TAX_REGISTRATION: "GST_CERT",
    DocumentType.UTILITY_STATEMENT: "EBILL",
    DocumentType.BANK_STATEMENT: "BANK_STATEMENT",
    DocumentType.TAX_STATEMENT: "ITR",
    DocumentType.PAYSLIP: "SALARY_SLIP",
    DocumentType.INVOICE: "INVOICE",
    DocumentType.PURCHASE_ORDER: "PURCHASE_ORDER",
    DocumentType.DELIVERY_ORDER: "DELIVERY_ORDER",
}

# What a key means in documents about one person, in any document, and in documents of one type only, where it means something
# else or is theirs alone. Whose name stands on a document of another type is not known.
_OF_PERSONS = frozenset(
    {
        "AADHAAR", "PAN", "DRIVING_LICENSE", "VOTER_ID", "PASSPORT", "UDYAM_CERT", "EBILL", "BANK_STATEMENT", "ACH_FORM", "ITR",
        "SALARY_SLIP",
    }
)  # fmt: skip
_PERSONAL = {
    "name": FieldName.NAME,
    "date_of_birth": FieldName.BIRTHDATE,
    "dob": FieldName.BIRTHDATE,
    "place_of_birth": FieldName.PLACE_OF_BIRTH,
    "gender": FieldName.GENDER,
    "father_name": FieldName.FATHER_NAME,
    "address": FieldName.ADDRESS,
    "mobile_number": FieldName.PHONE_NUMBER,
    "email": FieldName.EMAIL,
    "email_id": FieldName.EMAIL,
    "pan_number": FieldName.TAX_NUMBER,
}
_ANYWHERE = {
    "date_of_issue": FieldName.DATE_OF_ISSUANCE,
    "issue_date": FieldName.DATE_OF_ISSUANCE,
    "issued_on": FieldName.DATE_OF_ISSUANCE,
    "date_of_expiry": FieldName.DATE_OF_EXPIRY,
    "valid_till": FieldName.DATE_OF_EXPIRY,
    "valid_upto": FieldName.DATE_OF_EXPIRY,
    "bank_name": FieldName.BANK_NAME,
    "ifsc_code": FieldName.BANK_CODE,
    "account_number": FieldName.ACCOUNT_NUMBER,
    "company_name": FieldName.COMPANY_NAME,
    "customer_name": FieldName.BUYER_NAME,
    "customer_address": FieldName.BUYER_ADDRESS,
    "customer_delivery_address": FieldName.BUYER_ADDRESS,
    "dealer_name": FieldName.SELLER_NAME,
    "dealership_name": FieldName.SELLER_NAME,
    "dealer_address": FieldName.SELLER_ADDRESS,
    "dealer_gst": FieldName.SELLER_TAX_NUMBER,
    "seller_name": FieldName.SELLER_NAME,
    "seller_gstin": FieldName.SELLER_TAX_NUMBER,
    "buyer_name": FieldName.BUYER_NAME,
    "buyer_gstin": FieldName.BUYER_TAX_NUMBER,
    "invoice_number": FieldName.INVOICE_NUMBER,
    "invoice_date": FieldName.INVOICE_DATE,
    "total_invoice_amount": FieldName.TOTAL_AMOUNT,
    "product_total_cost": FieldName.TOTAL_AMOUNT,
    "due_date": FieldName.DUE_DATE,
}
_COMPANY = {
    "address": FieldName.COMPANY_ADDRESS,
    "name": FieldName.COMPANY_NAME,
    "registration_number": FieldName.COMPANY_NUMBER,
    "license_number": FieldName.COMPANY_NUMBER,
    "licensee_name": FieldName.COMPANY_NAME,
    "name_of_establishment": FieldName.COMPANY_NAME,
}
_IN_TYPE: Mapping[str, Mapping[str, FieldName]] = {
    "AADHAAR": {"aadhaar_number": FieldName.DOCUMENT_NUMBER, "id_number": FieldName.DOCUMENT_NUMBER},
    "PAN": {"name_as_per_pan": FieldName.NAME, "pan_number": FieldName.DOCUMENT_NUMBER},
    "DRIVING_LICENSE": {"dl_number": FieldName.DOCUMENT_NUMBER},
    "VOTER_ID": {"voter_id": FieldName.DOCUMENT_NUMBER},
    "PASSPORT": {"passport_number": FieldName.DOCUMENT_NUMBER},
    "GST_CERT": {
        "address": FieldName.COMPANY_ADDRESS,
        "gst_number": FieldName.COMPANY_TAX_NUMBER,
        "legal_name": FieldName.COMPANY_NAME,
        "constitution_of_business": FieldName.COMPANY_TYPE,
    },
    "UDYAM_CERT": {
        "address": FieldName.COMPANY_ADDRESS,
        "udyam_registration_number": FieldName.COMPANY_NUMBER,
        "enterprise_name": FieldName.COMPANY_NAME,
        "type_of_organisation": FieldName.COMPANY_TYPE,
        "owner_name": FieldName.NAME,
        "pan_number": FieldName.COMPANY_TAX_NUMBER,
        "date_of_incorporation": FieldName.DATE_OF_REGISTRATION,
    },
    "SHOP_ACT_LICENSE": _COMPANY,
    "FSSAI": _COMPANY,
    "DRUG_LICENSE": _COMPANY,
    "EBILL": {"bill_date": FieldName.DATE_OF_ISSUANCE, "bill_amount": FieldName.TOTAL_AMOUNT},
    "BANK_STATEMENT": {
        "name": FieldName.ACCOUNT_HOLDER,
        "statement_period_from": FieldName.PERIOD_START,
        "statement_period_to": FieldName.PERIOD_END,
    },
    "ACH_FORM": {"account_holder_name": FieldName.ACCOUNT_HOLDER},
    "ITR": {"assessee_name": FieldName.NAME},
    "SALARY_SLIP": {
        "employee_name": FieldName.NAME,
        "designation": FieldName.OCCUPATION,
        "bank_account_no": FieldName.ACCOUNT_NUMBER,
    },
}
_SAME_AS = {"GAS_BILL": "EBILL", "PHONE_BILL": "EBILL", "WIFI_BILL": "EBILL"}
CROSS_CHECKS = {
    "CUSTOMER_NAME": FieldName.NAME,
    "APPLICANT_NAME": FieldName.NAME,
    "CUSTOMER_DELIVERY_ADDRESS": FieldName.ADDRESS,
    "CUSTOMER_MOBILE_NUMBER": FieldName.PHONE_NUMBER,
    "DEALER_ADDRESS": FieldName.SELLER_ADDRESS,
    "DEALER_NAME": FieldName.SELLER_NAME,
}


@lru_cache(maxsize=4096)
def field_name(type_: str | None, key: str) -> FieldName:
    """Our name of a document's field; `other` for what the vocabulary does not have."""
    plain = key.strip().lower().replace(" ", "_")
    type_ = _SAME_AS.get(type_ or "", type_ or "")
    personal = _PERSONAL if type_ in _OF_PERSONS else {}
    return _IN_TYPE.get(type_, {}).get(plain) or personal.get(plain) or _ANYWHERE.get(plain, FieldName.OTHER)


def cross_check_name(name: str | None) -> str:
    """Our name of a cross-check; `other` for one that is not in the table, so that no threshold for another is taken for it."""
    known = CROSS_CHECKS.get(name or "")
    return known.value if known is not None else OTHER


def own_types(words: object) -> list[str]:
    """`vendor_options["atlas"]["user_docs"]`: Atlas's own words, in place of ours.

    Raises InvalidOrder unless it is a list of texts.
    """
    if words is None:
        return []
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) and word.strip() for word in words):
        what = 'vendor_options["atlas"]["user_docs"]: give a list of Atlas\'s types, such as ["GAS_BILL"]'
        raise InvalidOrder(what, fields=("vendor_options.atlas.user_docs",))
    return list(words)


def sent_types(types: Iterable[DocumentType]) -> list[str]:
    """Atlas's names of the documents that an order expects. Raises InvalidOrder for a type that it has no one name for."""
    names = []
    for type_ in types:
        if type_ not in _SENT:
            what = (
                f"documents: Atlas has no single name for {type_.value!r}; give Atlas's own names as "
                'vendor_options["atlas"]["user_docs"]'
            )
            raise InvalidOrder(what, fields=("documents",))
        names.append(_SENT[type_])
    return names
