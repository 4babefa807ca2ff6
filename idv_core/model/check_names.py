"""The names of checks: for each kind the few words that say what was looked at. The vendor's own word stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from .fields import FieldName
from .words import listed, near, quoted

OVERALL = "overall"
"""The vendor looked at the whole thing and says one word."""
OTHER = "other"
"""What the vocabulary has no name for: see `Check.vendor_name`."""


class CheckKind(StrEnum):
    """What a check is about. Words of OpenID Connect for Identity Assurance and ISO/IEC 30107-3 where they have one."""

    DOCUMENT = "document"
    CROSS_CHECK = "cross_check"
    NAME_MATCH = "name_match"
    ADDRESS_MATCH = "address_match"
    LIVENESS = "liveness"
    FACE_MATCH = "face_match"
    DATA_SOURCE = "data_source"
    SCREENING = "screening"
    EMAIL = "email"
    PHONE = "phone"
    CONSENT = "consent"
    SIGNATURE = "signature"
    OTHER = "other"


_FIELDS = tuple(name.value for name in FieldName if name is not FieldName.OTHER)

CHECK_NAMES: Mapping[CheckKind, tuple[str, ...]] = {
    CheckKind.DOCUMENT: (
        # is it genuine: security features, tampering, a screen or a copy
        "authenticity",
        # can it be read
        "image_quality",
        "extraction",
        # does it agree with itself (printed against machine-readable zone), with what the platform gave, with its own dates
        "consistency",
        "comparison",
        "validity",
        # lost, stolen, compromised
        "compromised",
        "minimum_age",
        "supported",
        "uploaded",
    ),
    # one field of one document against the same of another
    CheckKind.CROSS_CHECK: _FIELDS,
    CheckKind.NAME_MATCH: (),
    CheckKind.ADDRESS_MATCH: (),
    # ISO/IEC 30107-3: `presentation_attack` is presentation attack detection (a photo, a screen, a mask, a replay)
    CheckKind.LIVENESS: ("presentation_attack", "image_quality", "duplicate_face"),
    CheckKind.FACE_MATCH: ("selfie_to_document", "selfie_to_record", "selfie_to_selfie"),
    CheckKind.DATA_SOURCE: ("government_register", "credit_bureau", "utility", "telecom", *_FIELDS),
    CheckKind.SCREENING: (
        "sanctions",
        "politically_exposed",
        "adverse_media",
        "criminal_record",
        "watchlist",
        "background",
    ),
    CheckKind.EMAIL: ("possession", "risk"),
    CheckKind.PHONE: ("possession", "risk"),
    CheckKind.CONSENT: (),
    CheckKind.SIGNATURE: (),
    CheckKind.OTHER: (),
}
"""The names that the checks of each kind may have, besides `overall` and `other`."""


def check_name_fault(kind: CheckKind, name: str) -> str | None:
    """What is wrong with a check's name, with the nearest that there is; None for a good one."""
    names = (*CHECK_NAMES[kind], OVERALL, OTHER)
    if name in names:
        return None
    hint = near(name, names) or f" (there are: {listed(names)})"
    return f"there is no {kind.value} check {quoted(name)}{hint}"
