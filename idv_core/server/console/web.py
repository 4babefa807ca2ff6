"""What all pages share: who is there, forms that come from our own pages, headers, templates."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import attrs
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ...errors import IdvError
from .. import api
from ..problems import BadRequest, Forbidden, NotFound, TooLarge, status_of, unexpected
from . import users
from .users import Guesses, User

_FOLDER = Path(__file__).parent
_MOST = 64_000
_SOME = "0" * 26
# with htmx a form exchanges the main part of the page; without, it loads the page
_SWAP = Markup('hx-boost="true" hx-push-url="false" hx-target="#main" hx-select="#main" hx-swap="outerHTML show:none"')
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # `no-referrer` would make browsers hide the origin of a form too
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@attrs.frozen(kw_only=True)
class ConsoleOptions:
    """How people come to the console.

    `is_secure` says that browsers reach it by TLS. `is_behind_proxy` says that all come from the address of a proxy, so that
    it tells nobody who guesses passwords. `user_header` is the header in which a proxy of yours names the user; it is
    believed of the addresses `trusted` alone, and there is no login then.
    """

    is_secure: bool = False
    is_behind_proxy: bool = False
    user_header: str | None = None
    trusted: frozenset[str] = frozenset({"127.0.0.1", "::1"})


@attrs.frozen
class Web:
    """The state of the console in this process."""

    options: ConsoleOptions
    guesses: Guesses = attrs.field(factory=Guesses)
    # argon2 takes 64 MB and a thread for each; the API needs threads too
    logins: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(2))
    # each reads all of a period, and key look-ups and commits need threads too
    reports: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(2))
    # each is held in memory while it passes
    pictures: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(4))
    templates: Environment = attrs.field(
        factory=lambda: Environment(
            loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
    )

    def cookie(self, name: str) -> str:
        return f"__Host-idv_{name}" if self.options.is_secure else f"idv_{name}"


@attrs.frozen
class Visit:
    """One request of somebody who is known (or not yet), with the secret that their forms are bound to."""

    web: Web
    service: api.Service
    request: Request
    user: User | None
    secret: str = attrs.field(repr=False)
    is_new: bool = False

    @property
    def id(self) -> str:
        """The verification that the address names."""
        return str(self.request.path_params["id"])

    @property
    def who(self) -> User:
        """The user, on a page that not everybody may see."""
        assert self.user is not None
        return self.user

    @property
    def is_swapped(self) -> bool:
        """Whether htmx asks, and takes a part of the page."""
        return _is_swapped(self.request)

    @property
    def is_poll(self) -> bool:
        """Whether a page asks by itself for what is new, with nobody at it perhaps."""
        return _is_poll(self.request)

    @property
    def csrf(self) -> str:
        """Stands in each form; who does not know the cookie cannot make it."""
        return sha256(b"csrf\0" + self.secret.encode("utf-8", "surrogatepass")).hexdigest()

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        roles = self.user.roles if self.user is not None else frozenset()
        common = {
            "user": self.user,
            "roles": roles,
            "csrf": self.csrf,
            "here": self.request.url.path,
            "is_swapped": self.is_swapped,
            "swap": _SWAP,
            "has_login": self.web.options.user_header is None,
        }
        made = self.web.templates.get_template(template).render(**common, **values)
        answer = HTMLResponse(made, status, HEADERS)
        if self.is_new:
            self.keep(answer, "form", self.secret)
        return answer

    def live(self, template: str, seen: str, **values: Any) -> Response:
        """A page that renews itself. Who has seen what it shows, told by the digest of `seen`, gets nothing new."""
        mark = sha256(seen.encode()).hexdigest()[:16]
        if self.is_poll and self.request.query_params["seen"] == mark:
            return Response(status_code=204, headers=HEADERS)
        return self.page(template, seen=mark, **values)

    def failed(self, status: int, message: str) -> Response:
        """The page of an error; with htmx it takes the place of the main part, whatever part was asked for."""
        answer = self.page("error.html", status, message=message)
        if self.is_swapped:
            answer.headers.update({"hx-retarget": "#main", "hx-reselect": "#main", "hx-reswap": "outerHTML"})
        return answer

    def keep(self, answer: Response, name: str, value: str, age: timedelta | None = None) -> None:
        """Give the browser a cookie. It ends with the browser, or at that age; is shown to no script, and sent by our own pages
        alone."""
        seconds = round(age.total_seconds()) if age is not None else None
        is_secure = self.web.options.is_secure
        answer.set_cookie(
            self.web.cookie(name), value, seconds, path="/", httponly=True, samesite="strict", secure=is_secure
        )

    def drop(self, answer: Response, name: str) -> None:
        is_secure = self.web.options.is_secure
        answer.delete_cookie(self.web.cookie(name), path="/", httponly=True, samesite="strict", secure=is_secure)

    def to(self, path: str) -> Response:
        """After a form: another page of ours."""
        return RedirectResponse(path, 303, HEADERS)


Page = Callable[[Visit], Awaitable[Response]]


def web_of(request: Request) -> Web:
    web: Web = request.app.state.console
    return web


def _is_swapped(request: Request) -> bool:
    return "hx-request" in request.headers


def _is_poll(request: Request) -> bool:
    return _is_swapped(request) and "seen" in request.query_params


async def visit_of(request: Request) -> Visit:
    web, service = web_of(request), api.service_of(request)
    store, options = service.ledger.store, web.options
    form = request.cookies.get(web.cookie("form"), "")
    secret, is_new = (form, False) if len(form) >= 32 else (secrets.token_urlsafe(32), True)
    if options.user_header is not None:
        peer = request.client.host if request.client is not None else ""
        names = request.headers.getlist(options.user_header) if peer in options.trusted else []
        # of two, one may be the browser's own
        name = _utf8(names[0]) if len(names) == 1 else None
        user = await asyncio.to_thread(users.named, store, name) if name is not None else None
        return Visit(web, service, request, user, secret, is_new)
    token = request.cookies.get(web.cookie("session"), "")
    # a page that renews itself keeps no session alive
    of_session = partial(users.of_session, store, token, is_visit=not _is_poll(request))
    user = await asyncio.to_thread(of_session) if token else None
    if user is not None:
        return Visit(web, service, request, user, token)
    return Visit(web, service, request, None, secret, is_new)


def _utf8(header: str) -> str | None:
    """A header as UTF-8, which proxies send and Starlette reads as Latin-1; None where it is no UTF-8."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return None


def page(role: str | None, handler: Page) -> Callable[[Request], Awaitable[Response]]:
    """The handler for those who have the role; None: for everybody. Errors become a page."""

    async def endpoint(request: Request) -> Response:
        visit: Visit | None = None
        try:
            visit = await visit_of(request)
            if role is not None and visit.user is None:
                return _stranger(visit)
            if not api.is_id(request.path_params.get("id", _SOME)):
                raise NotFound("there is no verification of that id")
            if role is not None and visit.user is not None and role not in visit.user.roles:
                raise Forbidden(f"your roles do not allow this: the role {role!r} is needed")
            return await handler(visit)
        except IdvError as error:
            assert visit is not None
            return visit.failed(status_of(error), error.message)
        except Exception as error:
            answer = unexpected(request, error)
            if visit is None:
                return answer
            text = "The service failed; its log says where. Load the page again: it shows what was done before."
            return visit.failed(answer.status_code, text)

    return endpoint


def _stranger(visit: Visit) -> Response:
    if visit.web.options.user_header is not None:
        text = "The proxy names no user whom this console knows. Make one: idv server user add NAME --no-password"
        return visit.failed(403, text)
    path = visit.request.url.path if visit.request.method == "GET" else "/console"
    login = f"/console/login?next={quote(path, safe='/')}"
    # a part of a page cannot become the login: the whole page goes there
    return Response(status_code=401, headers={**HEADERS, "hx-redirect": login}) if visit.is_swapped else visit.to(login)


async def form_of(visit: Visit) -> dict[str, str]:
    """The fields of a form that stood on our own page. Raises Forbidden for any other, TooLarge."""
    request = visit.request
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST:
            raise TooLarge("the form is too large")
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if not all(text.isprintable() for text in fields.values()):
        raise BadRequest("a field has a character that is not allowed, such as a line break")
    origin = request.headers.get("origin")
    is_ours = origin is None or origin.partition("://")[2] == request.headers.get("host")
    is_ours = is_ours and request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    if not is_ours or visit.is_new or not hmac.compare_digest(fields.pop("csrf", "").encode(), visit.csrf.encode()):
        raise Forbidden("this form is too old, or does not come from this console: load the page again and repeat it")
    return fields
