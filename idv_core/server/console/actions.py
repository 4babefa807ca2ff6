"""What is done by pressing a button. Each is a form of our own page, an event with the name of who pressed, and a redirect."""

from __future__ import annotations

import asyncio
import re
from functools import partial

from starlette.responses import Response

from ...errors import IdvError, UnsupportedOperation
from ...ledger import Verification
from ...ledger.verification import News
from ...model import Review as VendorReview
from ...model import ReviewOutcome
from ...tracker.turns import told
from .. import api, reviews
from ..problems import BadRequest, Forbidden, NotFound, TooManyAttempts
from . import pages, users
from .web import Visit, form_of

_NEXT = re.compile(r"/console(?:/[\w.-]+)*/?", re.ASCII)
_VENDORS_WORD = {"approved": ReviewOutcome.APPROVE, "declined": ReviewOutcome.DECLINE}


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
    has_address = not (is_known or visit.web.options.is_secure)
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


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _who(visit: Visit) -> users.User:
    assert visit.user is not None
    return visit.user


async def unmask(visit: Visit) -> Response:
    """The page with personal data, this once. The event is written before."""
    await form_of(visit)
    ledger = visit.service.ledger
    if await asyncio.to_thread(ledger.find, _id(visit)) is None:
        raise NotFound("there is no verification of that id")
    news = News("unmasked", {"what": "page"}, _who(visit).actor)
    await asyncio.to_thread(api.note_event, ledger, _id(visit), news)
    return await pages.shown(visit, is_unmasked=True)


async def claim(visit: Visit) -> Response:
    await form_of(visit)
    await asyncio.to_thread(reviews.claim, visit.service.ledger, _id(visit), _who(visit).name)
    return visit.to(f"/console/verifications/{_id(visit)}#review")


async def decide(visit: Visit) -> Response:
    fields = await form_of(visit)
    outcome, reason, name = fields.get("outcome", ""), fields.get("reason", ""), _who(visit).name
    ledger = visit.service.ledger
    before = await asyncio.to_thread(ledger.find, _id(visit))
    if outcome == "another_document":
        document = fields.get("document", "")
        await asyncio.to_thread(reviews.ask, ledger, _id(visit), name, document, reason)
        word = ReviewOutcome.RESUBMIT
    else:
        await asyncio.to_thread(reviews.decide, ledger, _id(visit), name, outcome, reason)
        word = _VENDORS_WORD[outcome]
    if before is not None and before.flow is not None:
        await asyncio.shield(
            _tell_vendor(visit, before, VendorReview(outcome=word, author=name, reason=reason.strip()))
        )
    return visit.to(f"/console/verifications/{_id(visit)}#review")


async def _tell_vendor(visit: Visit, verification: Verification, review: VendorReview) -> None:
    """Hand a person's decision to the vendor, where it has such a call. That it did not work is an event, and changes nothing
    here."""
    assert verification.flow is not None
    news = News("vendor_told", {"account": verification.account, "outcome": review.outcome.value}, _who(visit).actor)
    try:
        await visit.service.gateway.review(verification.flow, review)
    except UnsupportedOperation:
        return
    except IdvError as error:
        news = News("vendor_not_told", told(error), _who(visit).actor)
    await asyncio.to_thread(api.note_event, visit.service.ledger, verification.id, news)


async def resolve(visit: Visit) -> Response:
    fields = await form_of(visit)
    what, flow = fields.get("what", ""), fields.get("flow", "").strip()
    if what == "adopt" and not api.is_flow_id(flow):
        raise BadRequest("to adopt a flow, give its id at the vendor")
    said = {"adopt": flow} if what == "adopt" else {what: True} if what in ("reopen", "give_up") else None
    if said is None:
        raise BadRequest("say what it is to become: adopt, reopen or give_up")
    ledger = visit.service.ledger
    await asyncio.to_thread(partial(ledger.resolve, _id(visit), **said, actor=_who(visit).actor))
    return visit.to(f"/console/verifications/{_id(visit)}")


async def redeliver(visit: Visit) -> Response:
    fields = await form_of(visit)
    message = fields.get("message", "")
    if not message:
        raise BadRequest("say which message is to be sent again")
    ledger = visit.service.ledger
    count = await asyncio.to_thread(partial(ledger.redeliver, message_id=message, actor=_who(visit).actor))
    if not count:
        raise NotFound("there is no such message")
    ledger._tell()
    return visit.to("/console/trouble")


async def check(visit: Visit) -> Response:
    """Test the credentials of an account. Opens nothing."""
    await form_of(visit)
    name = str(visit.request.path_params["name"])
    if name not in visit.service.gateway.accounts:
        raise NotFound("there is no account of that name")
    try:
        is_tested = await visit.service.gateway.check_credentials(account=name)
    except IdvError as error:
        said = f"{type(error).__name__}: {error.message}"
    else:
        said = "The credentials work." if is_tested else "This vendor offers no test of credentials."
    return await pages.accounts(visit, name, said)


async def erase(visit: Visit) -> Response:
    fields = await form_of(visit)
    if "personal" not in _who(visit).roles:
        raise Forbidden("your roles do not allow this: the role 'personal' is needed too")
    if fields.get("sure") != "yes":
        raise BadRequest("tick the box that says that it cannot be undone")
    await asyncio.to_thread(partial(visit.service.ledger.erase, _id(visit), actor=_who(visit).actor))
    return visit.to(f"/console/verifications/{_id(visit)}")
