"""What the emulator says of specimens, as the reports of API v3.6."""

from __future__ import annotations

from typing import Any

from idv_core.testing import Specimen

TYPES = {"PASSPORT": "passport", "DRIVING_LICENSE": "driving_licence"}
# Where a specimen of each kind has its own number.
_NUMBERS = ("passport_number", "documentNumber", "number", "pan_number", "aadhaar_number")
_ISSUERS = {"PAN": "IND", "AADHAAR": "IND", "CEDULA": "COL", "KZ_ID": "KAZ"}


def document_report(document: Specimen | None) -> dict[str, Any]:
    suspected = document is None or document.flaw is not None
    fields = document.fields if document else {}
    first, _, last = str(fields.get("name", "")).partition(" ")
    word = "consider" if suspected else "clear"
    parts = {name: {"result": "clear", "breakdown": {}} for name in ("data_validation", "image_integrity")}
    authentic = {"result": word, "breakdown": {"fonts": {"result": word}, "template": {"result": "clear"}}}
    number = next((str(fields[key]) for key in _NUMBERS if key in fields), None)
    return {
        "result": word,
        "sub_result": "suspected" if suspected else "clear",
        "breakdown": {**parts, "visual_authenticity": authentic},
        "properties": {
            "document_type": TYPES.get(document.type, "national_identity_card") if document else None,
            "first_name": first or None,
            "last_name": last or None,
            "date_of_birth": _iso(fields.get("date_of_birth")),
            "date_of_expiry": _iso(fields.get("date_of_expiry")),
            "issuing_country": _ISSUERS.get(document.type) if document else None,
            "document_numbers": [{"type": "document_number", "value": number}] if number else [],
        },
    }


def face_report(document: Specimen | None, photo: Specimen | None) -> dict[str, Any]:
    same = document is not None and photo is not None and document.face == photo.face
    live = photo is not None and photo.flaw is None
    compared, authentic = ("clear" if same else "consider"), ("clear" if live else "consider")
    match = {"result": compared, "properties": {"score": 0.92 if same else 0.11}}
    spoof = {"result": authentic, "properties": {"score": 0.95 if live else 0.08}}
    return {
        "result": "clear" if same and live else "consider",
        "sub_result": None,
        "breakdown": {
            "face_comparison": {"result": compared, "breakdown": {"face_match": match}},
            "image_integrity": {"result": "clear", "breakdown": {"face_detected": {"result": "clear"}}},
            "visual_authenticity": {"result": authentic, "breakdown": {"spoofing_detection": spoof}},
        },
        "properties": {"score": 0.92 if same else 0.11},
    }


def _iso(text: object) -> str | None:
    """Specimens print day first, with slashes."""
    return "-".join(reversed(text.split("/"))) if isinstance(text, str) and text.count("/") == 2 else None
