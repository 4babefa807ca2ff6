"""What a project flow asks for, and so which checks there must be (sections 3.2 and 6.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Check, CheckKind, CheckOutcome

from .words import as_object, word_of

_STEPS = {"document": CheckKind.DOCUMENT, "liveness": CheckKind.LIVENESS}
_GATEWAYS = (("email", "emailGateway", CheckKind.EMAIL), ("phone", "phoneGateway", CheckKind.PHONE))


def document_settings(project_flow: Mapping[str, Any]) -> Mapping[str, Any]:
    """Which checks of the document a project flow asks for."""
    return section(project_flow, "documents")


def is_asked(setting: object) -> bool:
    """Whether a project flow asks for something: whatever stands there, unless it is no."""
    return setting not in (None, False)


def is_searched_for(documents: Mapping[str, Any]) -> bool:
    """Whether these settings ask for criminal records or lists."""
    return is_asked(documents.get("criminalHistoryVerification")) or is_asked(documents.get("screening"))


def are_settings(project_flow: object) -> bool:
    """Whether a project flow tells its settings. The pages populate it with `_id`, `type` and `target` only (3.3.2)."""
    flow = as_object(project_flow)
    return bool(section(flow, "steps")) and bool(section(flow, "documents"))


def wanted_checks(settings: Mapping[str, Any], checks: tuple[Check, ...]) -> set[CheckKind]:
    """The checks that must have passed. Where the steps cannot be read, document and liveness count as mandatory.

    The comparison is no step of its own, but a selfie proves nothing about a document without it.
    """
    steps = section(settings, "steps") or {"document": "mandatory", "liveness": "mandatory"}
    form = section(settings, "signUpForm")
    wanted = {kind for step, kind in _STEPS.items() if _is_mandatory(steps.get(step))}
    # Verifik's own pages take a form for mandatory unless the steps say otherwise
    if _is_mandatory(steps.get("signUpForm", "mandatory")):
        wanted |= {
            kind
            for asked, gateway, kind in _GATEWAYS
            if is_asked(form.get(asked)) and form.get(gateway) not in (None, "none")
        }
    if wanted.union(check.kind for check in checks).issuperset(_STEPS.values()):
        wanted.add(CheckKind.FACE_MATCH)
    return wanted


def _is_mandatory(step: object) -> bool:
    """A word that is neither optional nor skip is not understood, and counts as mandatory."""
    return step is not None and word_of(step) not in ("OPTIONAL", "SKIP")


def missing_checks(wanted: set[CheckKind], checks: tuple[Check, ...]) -> Iterator[Check]:
    there = {check.kind for check in checks}
    for kind in sorted(wanted - there):
        yield Check(kind=kind, outcome=CheckOutcome.NOT_DONE, reasons=("mandatory",))


def section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a project flow, in the new shape or under `onboardingSettings` (section 1.7 row 12)."""
    old = as_object(settings.get("onboardingSettings"))
    if name == "documents" and not settings.get(name) and old:
        document = as_object(old.get("document"))
        return {
            "informationVerification": document.get("verifyNames"),
            "criminalHistoryVerification": document.get("verifyCriminalHistory"),
        }
    return as_object(settings.get(name)) or as_object(old.get(name))
