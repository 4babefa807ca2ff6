"""Project flows for Smart Enroll, typed (fact sheet section 3.2; the seed page "Smart Enroll Project Flow")."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from idv_core.plugin import Template, as_tuple, is_unit

from .countries import country_name


class Step(StrEnum):
    MANDATORY = "mandatory"
    OPTIONAL = "optional"
    SKIP = "skip"


class SearchMode(StrEnum):
    FAST = "FAST"
    ACCURATE = "ACCURATE"


@attrs.frozen(kw_only=True)
class SignUpForm:
    """What the form asks for, and by which gateway codes are sent (`mailgun`/`none`; `whatsapp`/`sms`/`both`/`none`)."""

    full_name: bool = True
    full_name_style: str = "separate"
    email: bool = True
    email_gateway: str = "mailgun"
    phone: bool = False
    phone_gateway: str = "none"
    country_code: str = "US"
    show_terms_and_conditions: bool = True
    show_privacy_notice: bool = True


@attrs.frozen(kw_only=True)
class DocumentType:
    """Documents accepted of one country (ISO 3166-1 alpha-2)."""

    country: str
    categories: tuple[str, ...] = attrs.field(default=("government_id",), converter=as_tuple)


@attrs.frozen(kw_only=True)
class Documents:
    document_types: tuple[DocumentType, ...] = attrs.field(default=(), converter=as_tuple)
    attempt_limit: int = 3
    criminal_history_verification: bool = False
    information_verification: bool = False
    screening: bool = False
    verification_methods: tuple[str, ...] = attrs.field(default=("SCAN_PROMPT",), converter=as_tuple)


@attrs.frozen(kw_only=True)
class Liveness:
    """Thresholds of 0..1 are always sent, because the pages disagree on the defaults (section 1.7 row 17)."""

    attempt_limit: int = 3
    min_score: float = attrs.field(default=0.65, validator=is_unit)
    search_min_score: float = attrs.field(default=0.8, validator=is_unit)
    search_mode: SearchMode = SearchMode.FAST
    compare_min_score: float | None = None


@attrs.frozen(kw_only=True)
class Steps:
    document: Step = Step.MANDATORY
    liveness: Step = Step.MANDATORY
    sign_up_form: Step | None = None


@attrs.frozen(kw_only=True)
class SmartEnroll:
    """A project flow for onboarding. `template("name")` gives what `Gateway.provision` takes."""

    target: str = "personal"
    sign_up_form: SignUpForm = attrs.field(factory=SignUpForm)
    documents: Documents = attrs.field(factory=Documents)
    liveness: Liveness = attrs.field(factory=Liveness)
    steps: Steps = attrs.field(factory=Steps)
    redirect_url: str | None = None

    def template(self, name: str) -> Template:
        return Template(name=name, settings=self.payload())

    def payload(self) -> dict[str, Any]:
        """The vendor's shape, in camel case and with country names."""
        documents = _camel(attrs.asdict(self.documents, recurse=False, filter=_not_types))
        documents["documentTypes"] = [
            {
                "country": country_name(kind.country),
                "configurations": [
                    {"active": True, "documentCategory": category, "documentTemplates": []}
                    for category in kind.categories
                ],
            }
            for kind in self.documents.document_types
        ]
        payload = {
            "target": self.target,
            "signUpForm": _camel(attrs.asdict(self.sign_up_form)),
            "documents": documents,
            "liveness": _camel(attrs.asdict(self.liveness)),
            "steps": _camel(attrs.asdict(self.steps)),
        }
        if self.redirect_url is not None:
            payload["integrations"] = {"redirectUrl": self.redirect_url}
        return payload


def _not_types(attribute: attrs.Attribute[Any], _: object) -> bool:
    return attribute.name != "document_types"


def _camel(data: Mapping[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in data.items():
        if value is not None:
            first, *rest = name.split("_")
            plain = str(value) if isinstance(value, StrEnum) else value
            renamed[first + "".join(part.title() for part in rest)] = list(plain) if isinstance(plain, tuple) else plain
    return renamed
