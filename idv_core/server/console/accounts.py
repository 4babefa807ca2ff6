"""The accounts: how each is, what it can do, whether its credentials work."""

from __future__ import annotations

import attrs
from starlette.responses import Response

from ...errors import IdvError
from ...model import Coverage
from ..problems import NotFound
from ..wire import accounts_json
from .web import Visit, form_of


@attrs.frozen
class Answer:
    """What came of asking the vendor of one account."""

    account: str
    said: str
    coverage: Coverage | None = None


async def page(visit: Visit) -> Response:
    return _page(visit, None)


async def check(visit: Visit) -> Response:
    """Test the credentials of an account. Opens nothing."""
    name = await _named(visit)
    try:
        is_tested = await visit.service.gateway.check_credentials(account=name)
    except IdvError as error:
        return _page(visit, Answer(name, f"{type(error).__name__}: {error.message}"))
    return _page(
        visit, Answer(name, "The credentials work." if is_tested else "This vendor offers no test of credentials.")
    )


async def coverage(visit: Visit) -> Response:
    """Ask what the account can verify. Opens nothing."""
    name = await _named(visit)
    try:
        found = await visit.service.gateway.coverage(account=name)
    except IdvError as error:
        return _page(visit, Answer(name, f"{type(error).__name__}: {error.message}"))
    return _page(visit, Answer(name, "This is what it can verify.", found))


async def _named(visit: Visit) -> str:
    await form_of(visit)
    name = str(visit.request.path_params["name"])
    if name not in visit.service.gateway.accounts:
        raise NotFound("there is no account of that name")
    return name


def _page(visit: Visit, answer: Answer | None) -> Response:
    return visit.page("accounts.html", accounts=accounts_json(visit.service.gateway), answer=answer)
