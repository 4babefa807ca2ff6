"""What is done by pressing a button. Each is a form of our own page, an event with the name of who pressed, and a redirect."""

from __future__ import annotations

import asyncio
import re
from functools import partial

from starlette.responses import Response

from ...ledger.verification import News
from .. import api
from ..problems import BadRequest, Forbidden, NotFound, TooManyAttempts
from . import users, verification
from .web import Visit, form_of

_NEXT = re.compile(r"/console(?:/[\w.-]+)*/?", re.ASCII)


async def login_page(visit: Visit) -> Response:
    if visit.web.options.user_header is not None:
        raise NotFound("there is no login here: a proxy says who you are")
    given = visit.request.query_params.get("next", "")
    return visit.page("login.html", next=given if _NEXT.fullmatch(given) else "/console", wrong=None)


async def login(visit: Visit) -> Response:
    if visit.web.options.user_header is not None:
        raise NotFound("there is no login here: a proxy says who you are")
    fields = await form_of(visit)
    name, store, guesses = fields.get("name", ""), visit.service.ledger.store, visit.web.guesses
    # a browser in which they have logged in before waits for its own guesses alone, so that nobody can lock them out of it
    is_known = users.is_known(store, name, visit.request.cookies.get(visit.web.cookie("known"), ""))
    address = visit.request.client.host if visit.request.client is not None else ""
    # behind a proxy all come from one address
    has_address = not (is_known or visit.web.options.is_behind_proxy)
    whose = (f"{'known' if is_known else 'name'} {name}", *([f"address {address}"] if has_address else []))
    async with visit.web.logins:
        # in here, for those who wait at the door have not been counted yet
        if guesses.are_too_many(*whose):
            raise TooManyAttempts("too many wrong passwords: wait a minute")
        user = await asyncio.to_thread(users.with_password, store, name, fields.get("password", ""))
        if user is None:
            guesses.note(*whose)
    given = fields.get("next", "")
    goal = given if _NEXT.fullmatch(given) else "/console"
    if user is None:
        return visit.page("login.html", 401, next=goal, wrong="The name or the password is wrong.")
    # a new secret for the session, whatever cookie there was
    answer = visit.to(goal)
    await asyncio.to_thread(users.end, store, visit.secret)
    visit.keep(answer, "session", await asyncio.to_thread(users.begin, store, user))
    visit.keep(answer, "known", users.known(store, user.name), users.KNOWN)
    visit.drop(answer, "form")
    return answer


async def logout(visit: Visit) -> Response:
    await form_of(visit)
    await asyncio.to_thread(users.end, visit.service.ledger.store, visit.secret)
    answer = visit.to("/console/login")
    visit.drop(answer, "session")
    return answer


async def unmask(visit: Visit) -> Response:
    """The page with personal data, this once. The event is written before."""
    await form_of(visit)
    ledger = visit.service.ledger
    if await asyncio.to_thread(ledger.find, visit.id) is None:
        raise NotFound("there is no verification of that id")
    news = News("unmasked", {"what": "page"}, visit.who.actor)
    await asyncio.to_thread(api.note_event, ledger, visit.id, news)
    return await verification.shown(visit, is_unmasked=True)


async def resolve(visit: Visit) -> Response:
    fields = await form_of(visit)
    what, flow = fields.get("what", ""), fields.get("flow", "").strip()
    if what == "adopt" and not api.is_flow_id(flow):
        raise BadRequest("to adopt a flow, give its id at the vendor")
    said = {"adopt": flow} if what == "adopt" else {what: True} if what in ("reopen", "give_up") else None
    if said is None:
        raise BadRequest("say what it is to become: adopt, reopen or give_up")
    ledger = visit.service.ledger
    await asyncio.to_thread(partial(ledger.resolve, visit.id, **said, actor=visit.who.actor))
    return visit.to(f"/console/verifications/{visit.id}")


async def redeliver(visit: Visit) -> Response:
    fields = await form_of(visit)
    message = fields.get("message", "")
    if not message:
        raise BadRequest("say which message is to be sent again")
    ledger = visit.service.ledger
    count = await asyncio.to_thread(partial(ledger.redeliver, message_id=message, actor=visit.who.actor))
    if not count:
        raise NotFound("there is no such message")
    ledger._tell()
    return visit.to("/console/trouble")


async def erase(visit: Visit) -> Response:
    fields = await form_of(visit)
    if "personal" not in visit.who.roles:
        raise Forbidden("your roles do not allow this: the role 'personal' is needed too")
    if fields.get("sure") != "yes":
        raise BadRequest("tick the box that says that it cannot be undone")
    await asyncio.to_thread(partial(visit.service.ledger.erase, visit.id, actor=visit.who.actor))
    return visit.to(f"/console/verifications/{visit.id}")
