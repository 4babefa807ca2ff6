"""The list of verifications, with its filters. Ids sort by time, so a page begins behind the last id of the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

import attrs
from starlette.responses import Response

from ...ledger import State
from ...ledger.store import Store
from ...model import Decision
from .. import search
from ..api import read_filter
from ..problems import BadRequest
from ..reviews import ReviewState
from .web import Visit

_CHOICES = {"state": tuple(State), "decision": tuple(Decision), "review_state": tuple(ReviewState)}
_NAMES = tuple(field.name for field in attrs.fields(search.Filter))
_MOST = 50


async def page(visit: Visit) -> Response:
    asked = visit.request.query_params
    given = {name: asked[name].strip() for name in _NAMES if asked.get(name, "").strip()}
    lines: list[search.Line] = []
    wrong, older, newer = None, None, None
    try:
        lines, older, newer = await asyncio.to_thread(_found, visit.service.ledger.store, given)
    except BadRequest as error:
        wrong = error.message
    return visit.page(
        "list.html",
        200 if wrong is None else 400,
        lines=lines,
        older=_address(given, before=older) if older else None,
        newer=_address(given, after=newer) if newer else None,
        given=given,
        wrong=wrong,
        choices=_CHOICES,
        accounts=visit.service.gateway.accounts,
    )


def _found(store: Store, given: Mapping[str, str]) -> tuple[list[search.Line], str | None, str | None]:
    """The lines, the id that older ones stand before, and the one that newer ones stand after."""
    query = {name: f"{value}T00:00:00+00:00" if name in ("since", "until") else value for name, value in given.items()}
    wanted = read_filter(query)
    lines, before = search.find(store, wanted, _MOST)
    if wanted.after is not None and len(lines) < _MOST:
        # nothing newer is left: the first page
        lines, before = search.find(store, attrs.evolve(wanted, after=None), _MOST)
        return lines, before, None
    is_first = wanted.before is None and wanted.after is None
    return lines, before, None if is_first or not lines else lines[0].id


def _address(given: Mapping[str, str], **page: str) -> str:
    kept = {name: value for name, value in given.items() if name not in ("before", "after")}
    return f"/console/verifications?{urlencode({**kept, **page})}"
