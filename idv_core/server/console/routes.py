"""The addresses of the console, each with the role that it needs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import accounts, actions, desk, figures, listing, pictures, routing, static, trouble, verification
from .web import HEADERS, Page, page

_ONE = "/console/verifications/{id}"


def routes() -> list[Route]:
    """All routes of the console."""

    def look(path: str, handler: Page, role: str | None = "look") -> Route:
        return Route(path, page(role, handler), methods=["GET"])

    def press(path: str, role: str | None, handler: Page) -> Route:
        return Route(path, page(role, handler), methods=["POST"])

    return [
        look("/console", figures.overview),
        look("/console/login", actions.login_page, None),
        press("/console/login", None, actions.login),
        press("/console/logout", "look", actions.logout),
        look("/console/verifications", listing.page),
        look(_ONE, verification.page),
        look(f"{_ONE}/pictures", pictures.page, "personal"),
        look(f"{_ONE}/pictures/{{key}}", pictures.picture, "personal"),
        press(f"{_ONE}/unmasked", "personal", actions.unmask),
        press(f"{_ONE}/claim", "review", desk.claim),
        press(f"{_ONE}/review", "review", desk.decide),
        press(f"{_ONE}/confirmation", "review", desk.confirm),
        press(f"{_ONE}/resolution", "operate", actions.resolve),
        press(f"{_ONE}/erasure", "operate", actions.erase),
        look("/console/review", desk.queue),
        look("/console/trouble", trouble.page),
        press("/console/redelivery", "operate", actions.redeliver),
        look("/console/accounts", accounts.page),
        press("/console/accounts/{name}/check", "operate", accounts.check),
        press("/console/accounts/{name}/coverage", "operate", accounts.coverage),
        look("/console/routes", routing.page),
        look("/console/performance", figures.report),
        look("/console/performance.csv", figures.report_csv),
        Route("/console/static/{name}", static.page, methods=["GET"]),
        Route("/favicon.ico", _no_icon, methods=["GET"]),
        Route("/", _home, methods=["GET"]),
    ]


async def _home(request: Request) -> Response:
    return RedirectResponse("/console", 303, HEADERS)


async def _no_icon(request: Request) -> Response:
    # browsers ask for one
    return Response(status_code=204, headers={**HEADERS, "cache-control": "public, max-age=86400"})
