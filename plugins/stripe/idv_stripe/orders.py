"""What of an order is sent when a session is made, and what a session says of the order that it was made for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from idv_core.plugin import FlowOrder

from .mapping import as_object
from .same import same
from .settings import StripeSettings

# What tells the tenants of a platform, and shadows, apart.
_MARKS = ("tenant", "is_shadow")
_OPTIONS = ("require_matching_selfie", "require_live_capture", "require_id_number")
NAMING = ("application_id", "product", "client_reference_id", "verification_flow", *_MARKS)
"""The facts by which an order's sessions are told from others."""


def form_of(order: FlowOrder, settings: StripeSettings) -> Iterator[tuple[str, str]]:
    """The form of `POST /v1/identity/verification_sessions`.

    Of the applicant Stripe takes a mail address and a phone number (docs.stripe.com/api/identity/verification_sessions/create).
    """
    person, template = order.applicant, _template(order, settings)
    if template:
        yield "verification_flow", template
    else:
        yield "type", "document"
        for name in _OPTIONS:
            yield f"options[document][{name}]", "true" if getattr(settings, name) else "false"
        for index, type_ in enumerate(settings.allowed_types):
            yield f"options[document][allowed_types][{index}]", type_.value
    yield "client_reference_id", person.reference
    yield "metadata[application_id]", order.application_id
    yield "metadata[product]", order.product
    for name, value in _marks(order).items():
        yield f"metadata[{name}]", value
    if person.email:
        yield "provided_details[email]", person.email
    if person.phone_number:
        yield "provided_details[phone]", person.phone_number
    return_url = order.urls.return_url() if order.urls else order.return_url
    if return_url:
        yield "return_url", return_url


def idempotency_key(order: FlowOrder, settings: StripeSettings, number: int) -> str:
    """The key of an order's session; `number` counts those that take the place of a dead one, from 0."""
    known: list[Any] = [
        order.product,
        order.application_id,
        order.applicant.reference,
        _template(order, settings) or "",
    ]
    known += [*filter(None, (_marks(order), number))]
    return sha256(json.dumps(known).encode()).hexdigest()


def facts_of(order: FlowOrder, settings: StripeSettings) -> dict[str, Any]:
    """What a session of this order says of itself."""
    person, template = order.applicant, _template(order, settings)
    return {
        "application_id": order.application_id,
        "product": order.product,
        **{name: _marks(order).get(name, "") for name in _MARKS},
        "client_reference_id": person.reference,
        "verification_flow": template,
        "email": person.email,
        "phone": person.phone_number,
        **({} if template else {name: getattr(settings, name) for name in _OPTIONS}),
    }


def facts_in(session: Mapping[str, Any]) -> dict[str, Any]:
    """What a session says of the order that it was made for; None for what it does not say."""
    metadata, details = as_object(session.get("metadata")), as_object(session.get("provided_details"))
    options = as_object(as_object(session.get("options")).get("document"))
    # a session of ours without a mark says that it has none
    is_marked = "application_id" in metadata
    return {
        "application_id": metadata.get("application_id"),
        "product": metadata.get("product"),
        **{name: metadata.get(name, "" if is_marked else None) for name in _MARKS},
        "client_reference_id": session.get("client_reference_id"),
        "verification_flow": session.get("verification_flow"),
        "email": details.get("email"),
        "phone": details.get("phone"),
        **{name: options.get(name) for name in _OPTIONS},
    }


def differing(wanted: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """The names of what is told and is not what was asked for."""
    return [name for name, value in wanted.items() if told[name] is not None and not same(name, value, told[name])]


def _marks(order: FlowOrder) -> dict[str, str]:
    """What an order is named by beyond product, application and applicant. Most orders have none of it."""
    return {
        **({"tenant": order.tenant} if order.tenant is not None else {}),
        **({"is_shadow": "true"} if order.is_shadow else {}),
    }


def _template(order: FlowOrder, settings: StripeSettings) -> str | None:
    return order.template or settings.verification_flow
