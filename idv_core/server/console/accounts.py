"""The accounts: how each is, what it can do, whether its credentials work."""

from __future__ import annotations

from starlette.responses import Response

from ..wire import accounts_json
from .web import Visit


async def page(visit: Visit, checked: str | None = None, said: str | None = None) -> Response:
    shown = accounts_json(visit.service.gateway)
    return visit.page("accounts.html", accounts=shown, checked=checked, said=said)
