"""The routes, and where an order would go. Nothing is opened, and nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import attrs
from starlette.responses import Response

from ...errors import InvalidOrder
from ...model import Applicant, DocumentType, Explanation, FlowOrder
from ...routing import Route, When
from .web import Visit

# routes ask whether such a thing is known, never what it is
_INVENTED = {"email": "a@platform.example", "phone_number": "+573005550101", "name": "A Person"}
_KINDS = tuple(kind.value for kind in DocumentType)


@attrs.frozen
class Line:
    """One route: what it wants, where it leads, and how it came out for the order."""

    route: Route
    wants: str
    leads: str
    outcome: str


async def page(visit: Visit) -> Response:
    """The routes; with a product in the address also where such an order would go."""
    given = {name: value.strip() for name, value in visit.request.query_params.items() if value.strip()}
    has = [name for name in visit.request.query_params.getlist("has") if name in _INVENTED]
    active = visit.service.gateway._state.active
    wrong, explanation = None, None
    if "product" in given:
        try:
            explanation = visit.service.gateway.explain(order_of(given, has), at=_moment(given))
        except (ValueError, InvalidOrder) as error:
            wrong = str(error)
    routes = active.table.routes
    return visit.page(
        "routes.html",
        200 if wrong is None else 400,
        given=given,
        has=has,
        known=_INVENTED,
        kinds=_KINDS,
        lines=[Line(route, _wants(route.when), _leads(route), how) for route, how in _outcomes(routes, explanation)],
        accounts=visit.service.gateway.accounts,
        explanation=explanation,
        wrong=wrong,
    )


def order_of(given: Mapping[str, str], has: list[str]) -> FlowOrder:
    """An order with an invented person, as `idv route explain` makes it. Raises ValueError that names the field."""
    applicant = Applicant(
        reference="-",
        country=given.get("country", "").upper() or None,
        locale=given.get("locale", "en"),
        birthdate=_born(given["age"]) if "age" in given else None,
        **{name: _INVENTED[name] for name in has},  # type: ignore[arg-type]
    )
    return FlowOrder(
        product=given["product"],
        application_id=given.get("application_id", "APP-1"),
        applicant=applicant,
        tenant=given.get("tenant"),
        documents=(given["document"],) if "document" in given else (),
        metadata=dict(_pairs(given.get("metadata", ""))),
    )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError("metadata: write it as channel=branch, more of them behind commas")
        yield name.strip(), value.strip()


def _born(age: str) -> date:
    """Somebody who is that old today."""
    if not age.isdecimal() or not 0 <= int(age) <= 120:
        raise ValueError("age: must be whole years, 0 to 120")
    today = datetime.now(UTC).date()
    # who was born on 29 February has grown older on 1 March
    return today.replace(year=today.year - int(age), day=min(today.day, 28) if today.month == 2 else today.day)


def _moment(given: Mapping[str, str]) -> datetime | None:
    if "at" not in given:
        return None
    try:
        read = datetime.fromisoformat(given["at"])
        # in the first and the last year some zones have no such time
        if read.tzinfo is not None or not 1 < read.year < 9999:
            raise ValueError
    except ValueError:
        raise ValueError("time: must be like 2026-11-30T10:00, in UTC") from None
    return read.replace(tzinfo=UTC)


def _outcomes(routes: tuple[Route, ...], explanation: Explanation | None) -> Iterator[tuple[Route, str]]:
    """Each route with how it came out: routes are tried in their order, up to the first that matches."""
    tried = {one.name: one for one in explanation.tried} if explanation is not None else {}
    is_over = False
    for route in routes:
        if explanation is None:
            yield route, ""
        elif route.name == explanation.route:
            is_over = True
            yield route, "takes it"
        elif is_over:
            yield route, "not reached"
        else:
            one = tried.get(route.name)
            conditions = one.conditions if one is not None else ()
            unmet = [f"{each.name} = {each.value}, wanted {each.wanted}" for each in conditions if not each.holds]
            yield route, f"does not match: {', '.join(unmet) or 'its first condition'}"


def _wants(when: When) -> str:
    set_ = {name: value for name, value in attrs.asdict(when, recurse=False).items() if value not in (None, (), {})}
    if "hours" not in set_:
        set_.pop("zone", None)
    return "; ".join(f"{name.replace('_', ' ')}: {_said(value)}" for name, value in set_.items()) or "everything"


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_said(one)}" for name, one in value.items())
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _leads(route: Route) -> str:
    if route.refuse:
        return f"refused: {route.refuse}"
    split = ", ".join(f"{name} {share:g} %" for name, share in route.split.items())
    text = route.to or split or f"the cheapest of {', '.join(route.cheapest)}"
    text += f"; then {', '.join(route.fallback)}" if route.fallback else ""
    return text + (f"; shadow {route.shadow.account} {route.shadow.share:g} %" if route.shadow else "")
