"""One emulated verification: its steps, what the applicant handed in, and the object that the API shows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from idv_core.testing import PEOPLE, Specimen

# What stands on the specimens, by its name there.
_NUMBERS = ("passport_number", "documentNumber", "number", "pan_number", "aadhaar_number")
_BIRTHDATES = ("date_of_birth", "dob", "birthDate")
_CATEGORIES = {"PASSPORT": "passport", "DRIVING_LICENSE": "drivers_license"}
_COUNTRIES = {"PAN": "IN", "AADHAAR": "IN", "CEDULA": "CO", "KZ_ID": "KZ"}
STEPS = (
    "accept_tos",
    "verify_sms",
    "kyc_check",
    "documentary_verification",
    "selfie_check",
    "watchlist_screening",
    "risk_check",
)
OPEN = frozenset({"active", "waiting_for_prerequisite"})
_USER = ("phone_number", "date_of_birth", "email_address", "name", "address", "id_number")

Store = Callable[[str, bytes], str]
"""Keeps a file under a path for 60 seconds and gives its address."""


@attrs.frozen(kw_only=True)
class Submission:
    """A document or a selfie that the applicant handed in."""

    specimen: Specimen
    content: bytes

    @property
    def is_genuine(self) -> bool:
        return self.specimen.flaw is None


@attrs.define(kw_only=True)
class Attempt:
    """State of one verification. `steps` are Plaid's words by step."""

    id: str
    client_user_id: str
    template_id: str
    created_at: datetime
    is_shareable: bool
    key: str
    user: dict[str, Any]
    steps: dict[str, str]
    previous_id: str | None = None
    status: str = "active"
    completed_at: datetime | None = None
    redacted_at: datetime | None = None
    submitted_at: datetime | None = None
    documents: list[Submission] = attrs.field(factory=list)
    selfies: list[Submission] = attrs.field(factory=list)

    @property
    def current(self) -> str | None:
        """The step that the applicant is at."""
        return next((name for name, word in self.steps.items() if word == "active"), None)

    @property
    def name(self) -> str:
        name = self.user.get("name") or {}
        return f"{name.get('given_name', '')} {name.get('family_name', '')}".strip()

    def lacks(self) -> list[str]:
        """The parts of the person that the applicant has to type in."""
        return [part for part in ("name", "date_of_birth") if not self.user.get(part)]

    def kyc(self) -> dict[str, Any]:
        """What the data sources say: they know the people of `idv_core.testing.PEOPLE`, and nobody's numbers."""
        known = next((person for person in PEOPLE.values() if person.name == self.name), None)
        born = known is not None and self.user.get("date_of_birth") == known.birthdate.isoformat()
        address = self.user.get("address") or {}
        where = "no_input" if not address.get("street") else "match" if known else "no_data"
        given = {part: "no_data" if self.user.get(part) else "no_input" for part in ("phone_number", "id_number")}
        name, day = _matched(known is not None), _matched(born)
        return {
            "status": "success" if known is not None and born else "failed",
            "address": {"summary": where, "po_box": "no_data", "type": "no_data"},
            "name": {"summary": name},
            "date_of_birth": {"summary": day},
            "id_number": {"summary": given["id_number"], "ssa_verification": None},
            "phone_number": {"summary": given["phone_number"], "area_code": given["phone_number"]},
        }

    def shown(self, base_url: str, store: Store, version: int) -> dict[str, Any]:
        """The object as the API answers it; pictures get new addresses each time."""
        stored = self.redacted_at is None
        return {
            "id": self.id,
            "client_user_id": self.client_user_id,
            "created_at": stamp(self.created_at),
            "completed_at": stamp(self.completed_at),
            "previous_attempt_id": self.previous_id,
            "shareable_url": f"{base_url}/verify/{self.id}?key={self.key}" if self.is_shareable else None,
            "template": {"id": self.template_id, "version": version},
            "user": {"ip_address": None, **{part: self._told(part) if stored else None for part in _USER}},
            "status": self.status,
            "steps": dict(self.steps),
            "documentary_verification": self._documentary(store),
            "selfie_check": self._selfie(store),
            "kyc_check": {**self.kyc(), "status": self.steps["kyc_check"]} if self._ran("kyc_check") else None,
            "risk_check": self._risk() if self._ran("risk_check") else None,
            "verify_sms": None,
            "watchlist_screening_id": f"scr_{self.id[4:]}" if self.steps["watchlist_screening"] not in OPEN else None,
            "beacon_user_id": None,
            "user_id": None,
            "redacted_at": stamp(self.redacted_at),
        }

    def _ran(self, step: str) -> bool:
        """Plaid tells the details of a step that has come to its end."""
        return self.steps[step] in ("success", "failed")

    def _told(self, part: str) -> Any:
        value = self.user.get(part)
        if part != "address" or value is None:
            return value
        return {name: value.get(name) for name in ("street", "street2", "city", "region", "postal_code", "country")}

    def _documentary(self, store: Store) -> dict[str, Any] | None:
        if not self._ran("documentary_verification"):
            return None
        documents = [self._document(number, document, store) for number, document in enumerate(self.documents, 1)]
        return {"status": self.steps["documentary_verification"], "documents": documents}

    def _document(self, attempt: int, document: Submission, store: Store) -> dict[str, Any]:
        printed, good = document.specimen.fields, document.is_genuine
        stored = self.redacted_at is None
        place = f"{self.id}/documents/{attempt}"
        pictures = {
            name: store(f"{place}/{name}.png", document.content) if stored else None
            for name in ("original_front", "cropped_front", "face")
        }
        word = "success" if good else "failed"
        return {
            "status": word,
            "attempt": attempt,
            "images": {"original_back": None, "cropped_back": None, **pictures},
            "extracted_data": self._extracted(document.specimen) if stored else None,
            "analysis": {
                "authenticity": "match" if good else "no_match",
                "image_quality": "high",
                "extracted_data": {
                    "name": _matched(_name_of(printed).casefold() == self.name.casefold()),
                    "date_of_birth": _matched(_date(_first(printed, _BIRTHDATES)) == self.user.get("date_of_birth")),
                    "expiration_date": "not_expired",
                    "issuing_country": "match",
                },
                "fraud_analysis_details": {
                    "type_supported": "success",
                    "portrait_presence_check": "success",
                    "portrait_details_check": "success",
                    "image_composition_check": "success",
                    "integrity_check": word,
                    "detail_check": word,
                    "issue_date_check": "no_data",
                },
                "image_quality_details": {
                    "glare_check": "success",
                    "dimensions_check": "success",
                    "blur_check": "success",
                },
                "aamva_verification": None,
            },
            "redacted_at": stamp(self.redacted_at),
        }

    def _extracted(self, specimen: Specimen) -> dict[str, Any]:
        given, _, family = _name_of(specimen.fields).partition(" ")
        return {
            "id_number": _first(specimen.fields, _NUMBERS),
            "category": _CATEGORIES.get(specimen.type, "id_card"),
            "expiration_date": _date(specimen.fields.get("date_of_expiry")),
            "issue_date": None,
            "issuing_country": _COUNTRIES.get(specimen.type) or (self.user.get("address") or {}).get("country") or "US",
            "issuing_region": None,
            "date_of_birth": _date(_first(specimen.fields, _BIRTHDATES)),
            "address": None,
            "name": {"given_name": given, "family_name": family or given},
        }

    def _selfie(self, store: Store) -> dict[str, Any] | None:
        if not self._ran("selfie_check"):
            return None
        selfies = []
        for attempt, selfie in enumerate(self.selfies, 1):
            live, same = selfie.is_genuine, self.is_same_face(selfie)
            video = store(f"{self.id}/selfie/{attempt}/liveness.webm", selfie.content)
            selfies.append(
                {
                    "status": "success" if live and same else "failed",
                    "attempt": attempt,
                    "capture": {"image_url": None, "video_url": video if self.redacted_at is None else None},
                    "analysis": {
                        "document_comparison": _matched(same),
                        "liveness_check": "success" if live else "failed",
                        "facial_analysis": None,
                    },
                }
            )
        return {"status": self.steps["selfie_check"], "selfies": selfies}

    def is_same_face(self, selfie: Submission) -> bool:
        return bool(self.documents) and self.documents[-1].specimen.face == selfie.specimen.face

    def _risk(self) -> dict[str, Any]:
        """Nothing that alarms. `name` (of the e-mail address) is in newer answers only."""
        unknown = ("breach_count", "first_breached_at", "last_breached_at", "domain_registered_at")
        no_data = (
            "is_deliverable",
            "domain_is_free_provider",
            "domain_is_custom",
            "domain_is_disposable",
            "top_level_domain_is_suspicious",
            "is_edu",
            "includes_date_of_birth",
            "name",
        )
        email: dict[str, Any] = {**dict.fromkeys(unknown), **dict.fromkeys(no_data, "no_data"), "linked_services": []}
        return {
            "status": self.steps["risk_check"],
            "behavior": {"user_interactions": "genuine", "fraud_ring_detected": "no", "bot_detected": "no"},
            "email": email,
            "phone": {"linked_services": []},
            "devices": [{"ip_proxy_type": "none_detected", "ip_spam_list_count": 0, "ip_timezone_offset": None}],
            "identity_abuse_signals": None,
            "facial_duplicates": [],
            "trust_index_score": None,
        }


def stamp(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None


def _matched(same: bool) -> str:
    return "match" if same else "no_match"


def _first(printed: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((printed[name] for name in names if name in printed), None)


def _name_of(printed: Mapping[str, Any]) -> str:
    given = printed.get("firstName", printed.get("name_as_per_pan", printed.get("name", "")))
    family = printed.get("lastName", printed.get("surname", ""))
    return f"{given} {family}".strip()


def _date(text: object) -> str | None:
    """Specimens print days first with slashes, or as ISO 8601."""
    parts = text.split("/") if isinstance(text, str) else []
    return "-".join(reversed(parts)) if len(parts) == 3 else text if isinstance(text, str) else None
