"""What is sent of an order, and what an inquiry tells of the order that it was made for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from idv_core.plugin import FlowOrder

from .json_api import as_object, as_text, attributes_of, related
from .settings import TEMPLATES, PersonaSettings, kind_of_template

_CLOCKS_DIFFER = timedelta(minutes=1)
# What names an order at Persona.
_NAMING = ("application_id", "product", "tenant", "is_shadow", "reference", "template")
# Fewer digits than this name nobody.
_LEAST = 7


def template_of(order: FlowOrder, settings: PersonaSettings) -> str:
    return order.template or settings.template_id


def key_of(order: FlowOrder, settings: PersonaSettings, *more: object) -> str:
    """The idempotency key: a function of the order, the template and what else tells two creations apart."""
    known = [order.applicant.reference, template_of(order, settings), _marks(order), *more]
    return sha256(json.dumps(known).encode()).hexdigest()


def key_of_action(inquiry: Mapping[str, Any], *more: object) -> str:
    """The idempotency key of what is done with an inquiry as it is."""
    known = [inquiry.get("id"), attributes_of(inquiry).get("updated-at"), *more]
    return sha256(json.dumps(known).encode()).hexdigest()


def body_of(
    order: FlowOrder, settings: PersonaSettings, attempt: int = 1, previous: str | None = None
) -> dict[str, Any]:
    """The body of a creation: the same for the same order (docs.withpersona.com/api-reference/inquiries/create-an-inquiry).

    A further attempt names the inquiry before it.
    """
    template = template_of(order, settings)
    marks = {**_marks(order), **({"attempt": attempt, "previous": previous} if previous else {})}
    fields = dict(_fields(order)) if settings.prefill else {}
    return_url = order.urls.return_url() if order.urls else order.return_url
    attributes = {
        f"{kind_of_template(template)}-id": template,
        "note": json.dumps(marks, separators=(",", ":")),
        **({"fields": fields} if fields else {}),
        **({"redirect-uri": return_url} if return_url else {}),
    }
    return {
        "data": {"attributes": attributes},
        "meta": {"auto-create-account-reference-id": order.applicant.reference},
    }


def told_of_order(inquiry: Mapping[str, Any]) -> dict[str, Any]:
    """What an inquiry says of its order; None for what it does not say."""
    marks = _read_marks(attributes_of(inquiry).get("note"))
    return {
        "application_id": marks.get("application_id"),
        "product": marks.get("product"),
        # a note of ours without a mark says that there is none
        "tenant": marks.get("tenant", "" if marks else None),
        "is_shadow": marks.get("is_shadow", False if marks else None),
        "reference": attributes_of(inquiry).get("reference-id"),
        "template": {id for name in TEMPLATES.values() if (id := as_text(related(inquiry, name).get("id")))} or None,
    }


def attempt_of(inquiry: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Which attempt it is, and the id of the inquiry before; None for what it does not say."""
    marks = _read_marks(attributes_of(inquiry).get("note"))
    attempt, previous = marks.get("attempt"), as_text(marks.get("previous"))
    return (attempt, previous) if type(attempt) is int and attempt > 1 and previous else (None, None)


def is_of_order(inquiry: Mapping[str, Any], order: FlowOrder, settings: PersonaSettings) -> bool:
    """Whether the inquiry says of itself, in all that names an order, that it is this one's."""
    told = told_of_order(inquiry)
    return None not in (told[name] for name in _NAMING) and not differing(inquiry, order, settings)


def differing(inquiry: Mapping[str, Any], order: FlowOrder, settings: PersonaSettings) -> list[str]:
    """The names of what the inquiry tells and is not the order's."""
    told = told_of_order(inquiry)
    wanted = {
        "tenant": "",
        "is_shadow": False,
        **_marks(order),
        "reference": order.applicant.reference,
    }
    names = [name for name, value in wanted.items() if told[name] is not None and told[name] != value]
    if told["template"] is not None and template_of(order, settings) not in told["template"]:
        names.append("template")
    return names


def differing_details(inquiry: Mapping[str, Any], order: FlowOrder, settings: PersonaSettings) -> list[str]:
    """Which of mail address and phone number the inquiry tells and are not the order's.

    The applicant may change what was filled in, so only an inquiry that nobody has begun is asked.
    """
    if not settings.prefill or attributes_of(inquiry).get("status") != "created":
        return []
    fields = as_object(attributes_of(inquiry).get("fields"))
    told = {name: as_object(fields.get(name)).get("value") for name in ("email-address", "phone-number")}
    email, phone = order.applicant.email, order.applicant.phone_number
    wrong = {
        "email-address": email is not None and _plain(told["email-address"]) != _plain(email),
        "phone-number": phone is not None and not _is_same_phone(phone, told["phone-number"]),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong and told[name] is not None]


def is_older(inquiry: Mapping[str, Any], moment: datetime | None) -> bool:
    """Whether it was made more than a minute before that moment, or does not say when."""
    if moment is None:
        return False
    try:
        created = datetime.fromisoformat(str(attributes_of(inquiry).get("created-at")))
    except ValueError:
        return True
    return created.tzinfo is None or created < moment - _CLOCKS_DIFFER


def _marks(order: FlowOrder) -> dict[str, Any]:
    """What an order is named by beyond applicant and template. It stands in the inquiry's note."""
    return {
        "application_id": order.application_id,
        "product": order.product,
        **({"tenant": order.tenant} if order.tenant is not None else {}),
        **({"is_shadow": True} if order.is_shadow else {}),
    }


def _read_marks(note: object) -> Mapping[str, Any]:
    """The marks in a note of ours; none in one that somebody else wrote."""
    try:
        marks = as_object(json.loads(note)) if isinstance(note, str) else {}
    except (ValueError, RecursionError):
        return {}
    return marks if "application_id" in marks else {}


def _fields(order: FlowOrder) -> Iterator[tuple[str, str]]:
    person = order.applicant
    known = {
        "name-first": person.given_name,
        "name-last": person.family_name,
        "birthdate": person.birthdate.isoformat() if person.birthdate else None,
        "email-address": person.email,
        "phone-number": person.phone_number,
    }
    if person.address:
        street, _, more = (person.address.street_address or "").partition("\n")
        known |= {
            "address-street-1": street,
            "address-street-2": more.replace("\n", ", "),
            "address-city": person.address.locality,
            "address-subdivision": person.address.region,
            "address-postal-code": person.address.postal_code,
            "address-country-code": person.address.country,
        }
    return ((name, value) for name, value in known.items() if value)


def _plain(text: object) -> str:
    return "".join(str(text).casefold().split())


def _is_same_phone(ours: str, told: object) -> bool:
    """`told` may lack the country's prefix, or have zeros in its place."""
    sent, shown = ("".join(char for char in str(text) if char.isdecimal()) for text in (ours, told))
    shown = shown.lstrip("0")
    return sent == shown or (len(shown) >= _LEAST and sent.endswith(shown) and not str(told).lstrip().startswith("+"))
