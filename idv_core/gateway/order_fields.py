"""The fields of an order as keyword arguments: `idv.open(product="wallet", application_id="APP-1", applicant=...)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Required, TypedDict

from ..model import Applicant, FlowOrder
from ..model.document_types import DocumentType


class OrderFields(TypedDict, total=False):
    """The fields of a `FlowOrder` that a platform sets."""

    product: Required[str]
    application_id: Required[str]
    applicant: Required[Applicant]
    template: str | None
    tenant: str | None
    documents: Iterable[DocumentType | str]
    return_url: str | None
    metadata: Mapping[str, str]
    vendor_options: Mapping[str, Mapping[str, Any]]


def as_order(order: Any, fields: Mapping[str, Any]) -> FlowOrder:
    """The order, or a `FlowOrder` of the fields. Raises TypeError for both, an unknown or a missing field; else ValueError."""
    if not fields:
        given: FlowOrder = order
        return given
    if order is not None:
        raise TypeError(
            f"open() takes either an order or its fields; with an order, leave out {', '.join(sorted(fields))}"
        )
    return FlowOrder(**fields)
