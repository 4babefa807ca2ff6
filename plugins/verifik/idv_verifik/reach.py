"""What the project's flows can verify at all (fact sheet section 3.2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Coverage, DocumentType, Exchange

from . import asked
from .countries import country_code
from .payloads import read_id
from .project_flows import ProjectFlows
from .words import as_object, word_of

_CATEGORIES = {
    "government_id": DocumentType.IDCARD,
    "passport": DocumentType.PASSPORT,
    "license": DocumentType.DRIVING_PERMIT,
}
CHECKS = frozenset(
    {
        "document",
        "liveness",
        "face_match.selfie_to_document",
        "name_match",
        "screening.background",
        "email.possession",
        "phone.possession",
    }
)

Allowed = tuple[str | None, DocumentType | None]


def coverage(project_flows: ProjectFlows) -> Exchange[Coverage]:
    """Documents and countries of all active flows together; None where one of them names none, or a word is not known."""
    flows = [flow for flow in (yield from project_flows.list()) if word_of(flow.get("status")) == "ACTIVE"]
    countries: set[str | None] = set()
    types: set[DocumentType | None] = set()
    for flow in flows:
        allowed = list(_allowed(flow))
        countries |= {country for country, _ in allowed}
        types |= {type_ for _, type_ in allowed}
    return Coverage(
        document_types=None if None in types or not types else [type_ for type_ in types if type_],
        countries=None if None in countries or not countries else [country for country in countries if country],
        checks=CHECKS,
        templates=[read_id(flow) for flow in flows],
    )


def _allowed(flow: Mapping[str, Any]) -> Iterator[Allowed]:
    """Country and type of each document that a flow takes. Nothing where it takes none."""
    if word_of(asked.section(flow, "steps").get("document")) == "SKIP":
        return
    listed = asked.document_settings(flow).get("documentTypes")
    for entry in listed if isinstance(listed, list) and listed else ({},):
        configurations = as_object(entry).get("configurations")
        for configuration in configurations if isinstance(configurations, list) and configurations else ({},):
            if as_object(configuration).get("active") is not False:
                category = as_object(configuration).get("documentCategory")
                yield country_code(as_object(entry).get("country")), _CATEGORIES.get(str(category))
