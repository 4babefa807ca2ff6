"""Registrations: one applicant's session under a project flow, with a token of its own (fact sheet section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Never
from urllib.parse import quote

import attrs

from idv_core.plugin import (
    Applicant,
    DuplicateFlow,
    Exchange,
    Flow,
    FlowNotFound,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Link,
    NotAccepted,
    Request,
    Response,
    Secret,
    UnexpectedResponse,
    structure,
)

from . import mapping
from .credentials import bearer
from .facts import Likeness, asked_of, is_foreign, likeness, moment, person_of, small_letters
from .payloads import (
    DUPLICATES,
    LinkResent,
    RegistrationCreated,
    Said,
    read_id,
    read_list,
    read_object,
    read_said,
    reference_id,
    unwrap,
)
from .settings import VerifikSettings

_APPLICANT_TOKEN_LIFE = timedelta(minutes=120)
_CLOCKS_DIFFER = timedelta(minutes=1)
_POPULATES = (
    "project",
    "projectFlow",
    "emailValidation",
    "phoneValidation",
    "biometricValidation",
    "documentValidation",
    "informationValidation",
    "compareFaceVerification",
)
# Ids are 24 hex digits as a rule, and opaque (section 1.5); what is no printable ASCII came from elsewhere.
_ID = re.compile(r"[!-.0-~]{1,128}")
_TOKEN_WORDS = frozenset({"access forbidden", "access_denied", "forbidden", "token_expired"})
_CODE_WORD = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)+")
_IS_THERE = (
    "Verifik has a registration for this e-mail or phone already. Call recover(order): it finds the registration of this "
    "order, or says what to do. If it finds none, that contact is taken elsewhere at Verifik: use another e-mail or phone"
)
_NOT_THIS_ORDERS = (
    "Verifik has a registration for this e-mail or phone, and it is not known to be this order's: it was made earlier, under "
    "another project flow, or for somebody else. Verifik registers a contact once: use another e-mail or phone, or open "
    "again when that one has expired"
)


@attrs.frozen
class Registrations:
    """Opening, reading, renewing, and speaking as the applicant."""

    settings: VerifikSettings

    def open(self, order: FlowOrder) -> Exchange[Flow]:
        """Raises DuplicateFlow where the contact is registered, UnexpectedResponse for a registration of somebody else."""
        project_flow = self._project_flow(order)
        asked = asked_of(_with_contact(order.applicant))
        body = {
            "project": self.settings.project,
            "projectFlow": project_flow,
            "language": order.applicant.locale,
            **asked,
        }
        request = Request.post("/v2/app-registrations", json=body, accept={400, 409, 412, 422})
        reply = yield request
        if not reply.is_success:
            _refuse(request, reply)
        created = structure(unwrap(reply), RegistrationCreated, status=reply.status)
        if not created.token:
            raise UnexpectedResponse("the answer has an empty token", status=reply.status)
        registration = created.appRegistration if isinstance(created.appRegistration, dict) else {}
        id = read_id({"_id": reference_id(created.appRegistration)}, reply.status)
        self._is_asked_for(body, registration, created.informationValidation, reply.status)
        information = reference_id(created.informationValidation)
        return Flow(
            id=id,
            status=mapping.read_status(registration.get("status", "STARTED")),
            link=self._link(created.token, reply.received_at + _APPLICANT_TOKEN_LIFE),
            secrets={"token": Secret(created.token)},
            details={"information_validation": information} if information else {},
        )

    def _is_asked_for(
        self, body: Mapping[str, Any], registration: Mapping[str, Any], information: object, status: int
    ) -> None:
        """What comes back must be about the person and the project flow that were sent, and not over yet."""
        wrong = list(person_of(body).differs_from(person_of(registration, information)))
        wrong += [
            name
            for name in ("project", "projectFlow")
            if reference_id(registration.get(name)) not in (None, body[name])
        ]
        told = (registration, information if isinstance(information, dict) else {})
        if any(part.get("deleted") not in (None, False) for part in told):
            wrong.append("deleted")
        id, own = reference_id(dict(registration)), reference_id(registration.get("informationValidation"))
        if (id is not None and is_foreign(told[1], id)) or (
            own is not None and reference_id(information) not in (None, own)
        ):
            wrong.append("informationValidation")
        if mapping.read_status(registration.get("status", "STARTED")).is_settled:
            wrong.append("status")
        if wrong:
            raise UnexpectedResponse(
                f"the answer is another registration than the one asked for ({', '.join(wrong)} differ)", status=status
            )

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """A fresh link and token; never by registering again (sections 2.8 and 3.3.5)."""
        reply = yield Request.post("/v2/app-registrations/{}/resend-link", path_id(flow), json={}, idempotent=True)
        resent = structure(unwrap(reply), LinkResent, status=reply.status)
        if not resent.token:
            raise UnexpectedResponse("the answer has an empty token", status=reply.status)
        must_be(flow, resent.appRegistrationId, reply.status)
        if resent.status:
            flow = mapping.become(flow, mapping.read_status(resent.status), resent.status)
        secrets = {**flow.secrets, "token": Secret(resent.token)}
        return attrs.evolve(flow, secrets=secrets, link=self._link(resent.token, moment(resent.expiresAt)))

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The registration that this order was opened as, with a fresh link. It never registers.

        It is this order's if everything that Verifik tells of it agrees (contact, name, project flow) and it was made after
        `since`; without `since`, if a name or a phone agrees beside the contact. Raises FlowNotFound where the contact
        has none, DuplicateFlow where it has one that has ended, or that is not known to be this order's.
        """
        project_flow = self._project_flow(order)
        body = asked_of(_with_contact(order.applicant))
        asked = person_of(body)
        ended: str | None = None
        others = False
        for item in (yield from self._registered(body)):
            status = mapping.read_status(item.get("status"))
            if status is FlowStatus.EXPIRED or item.get("deleted") is True:
                continue
            information = item.get("informationValidation")
            alike = likeness(asked, person_of(item, information))
            if reference_id(item.get("projectFlow")) not in (None, project_flow) or item.get("deleted"):
                alike = Likeness.OTHER
            if status is FlowStatus.AWAITING_APPLICANT and _is_this_one(item, alike, since):
                details = {"information_validation": id} if (id := reference_id(information)) else {}
                return (yield from self.renew_link(Flow(id=read_id(item), status=status, details=details)))
            if status is FlowStatus.FINISHED and alike is Likeness.SAME:
                ended = ended or read_id(item)
            else:
                others = True
        if others:
            raise DuplicateFlow(_NOT_THIS_ORDERS, nothing_done=True)
        if ended is not None:
            raise _ended(ended)
        raise FlowNotFound("Verifik has no registration for this e-mail or phone", nothing_done=True)

    def _registered(self, body: Mapping[str, Any]) -> Exchange[list[dict[str, Any]]]:
        """The registrations that keep this contact from being registered, newest first, with names where they are told.

        Each one is looked at again, for a filter that the vendor does not know would give other people's.
        """
        asked = person_of(body)
        found: dict[str, dict[str, Any]] = {}
        for name in ("email", "phone"):
            if name not in body:
                continue
            for item in (yield from self._list({name: body[name]})):
                told = person_of(item)
                same = told.email == asked.email if name == "email" else asked.has_number(told)
                if same and reference_id(item.get("project")) in (None, self.settings.project):
                    found.setdefault(read_id(item), item)
        for id, item in found.items():
            if isinstance(item.get("informationValidation"), str):
                found[id] = yield from self._look_at(id)
        return list(found.values())

    def find(self, email: str) -> Exchange[tuple[str, ...]]:
        """Ids of the registrations with this e-mail, newest first. They may be of several people: look at their names."""
        return tuple(read_id(item) for item in (yield from self._list({"email": small_letters(email)})))

    def _list(self, contact: Mapping[str, str]) -> Exchange[list[dict[str, Any]]]:
        filters = {f"where_{name}": value for name, value in contact.items()}
        more = {"sort": "-createdAt", "populates[]": "informationValidation"}
        query = {**filters, "where_project": self.settings.project, **more}
        return (yield from read_list("/v2/app-registrations", query))

    def _project_flow(self, order: FlowOrder) -> str:
        project_flow = order.template or self.settings.project_flow
        if not project_flow:
            raise InvalidOrder(
                "Verifik needs a project flow: set it in the account, or as template", fields=("template",)
            )
        return project_flow

    def retrieve(self, flow: Flow) -> Exchange[dict[str, Any]]:
        """The registration with everything populated that the result is read from."""
        query = tuple(("populates[]", name) for name in _POPULATES)
        reply = yield Request.get("/v2/app-registrations/{}", path_id(flow), query=query)
        return _registration_of(flow, reply)

    def look_for(self, flow: Flow) -> Exchange[dict[str, Any] | None]:
        """`retrieve`, or None where Verifik has no such registration."""
        query = tuple(("populates[]", name) for name in _POPULATES)
        request = Request.get("/v2/app-registrations/{}", path_id(flow), query=query, accept={404})
        reply = yield request
        if reply.status != 404:
            return _registration_of(flow, reply)
        if reply.json_object() is None:
            raise NotAccepted(request, reply)
        return None

    def _look_at(self, id: str) -> Exchange[dict[str, Any]]:
        """`retrieve` of a registration that was just listed, so that a 404 says nothing about whether there is one."""
        registration = yield from self.look_for(Flow(id=id, status="open"))
        if registration is None:
            raise UnexpectedResponse("a registration is listed and cannot be read", status=404)
        return registration

    def as_applicant(self, flow: Flow, request: Request) -> Exchange[tuple[Flow, Response]]:
        """A call with the registration's own token; a missing or refused one is replaced, once (section 2.8)."""
        request = attrs.evolve(request, signed=False)
        if "token" in flow.secrets:
            asked = attrs.evolve(request, accept=(*request.accept, 401, 403))
            reply = yield asked.with_headers(bearer(self.settings, flow.secrets["token"]))
            if reply.status not in (401, 403):
                return flow, reply
            if reply.status not in request.accept and not _is_about_the_token(reply.status, read_said(reply)):
                raise NotAccepted(request, reply)
        flow = yield from self.renew_link(flow)
        reply = yield request.with_headers(bearer(self.settings, flow.secrets["token"]))
        return flow, reply

    def _link(self, token: str, expires_at: datetime | None) -> Link:
        project = quote(self.settings.project, safe="")
        return Link(Secret(f"{self.settings.hosted_url}/sign-up/{project}?token={quote(token, safe='')}"), expires_at)


def _registration_of(flow: Flow, reply: Response) -> dict[str, Any]:
    registration = read_object(reply)
    must_be(flow, read_id(registration, reply.status), reply.status)
    return registration


def path_id(flow: Flow) -> str:
    """The id for a path. Raises InvalidOrder for a reference that can be no registration's."""
    if not _ID.fullmatch(flow.id):
        raise InvalidOrder(
            "the reference names no registration of Verifik: up to 128 printable ASCII characters without a slash are needed",
            fields=("flow",),
        )
    return flow.id


def must_be(flow: Flow, id: object, status: int) -> None:
    """Raises UnexpectedResponse when an answer names another registration."""
    if reference_id(id) not in (None, flow.id):
        raise UnexpectedResponse("the answer is another registration", status=status)


def _with_contact(person: Applicant) -> Applicant:
    if not person.email and not person.phone_number:
        raise InvalidOrder("Verifik needs the applicant's e-mail or phone", fields=("applicant.email",))
    return person


def _refuse(request: Request, reply: Response) -> Never:
    said = read_said(reply)
    if not said.names(*DUPLICATES):
        raise NotAccepted(request, reply)
    word = said.token if said.token in DUPLICATES else said.code
    raise DuplicateFlow(_IS_THERE, status=reply.status, code=said.code or None, vendor_message=word, nothing_done=True)


def _is_this_one(item: Mapping[str, Any], alike: Likeness, since: datetime | None) -> bool:
    if since is None:
        return alike is Likeness.SAME
    made = moment(item.get("createdAt"))
    return alike is not Likeness.OTHER and made is not None and made >= since - _CLOCKS_DIFFER


def _ended(id: str) -> DuplicateFlow:
    shown = id if _ID.fullmatch(id) else "..."
    return DuplicateFlow(
        f"this applicant has a registration that has ended, {shown}, and Verifik registers a contact once: read it with "
        f"result('<account>/{shown}'), or open with another e-mail or phone",
        nothing_done=True,
    )


def _is_about_the_token(status: int, said: Said) -> bool:
    """Whether a 401 or 403 refuses the applicant's token. `Forbidden` is the code of every 403: the token in the words
    comes first (section 1.7 rows 36 and 37)."""
    if _CODE_WORD.fullmatch(said.token) and said.token.lower() not in _TOKEN_WORDS:
        return status == 401 and "otp" not in said.token
    return status == 401 or said.token.lower() in _TOKEN_WORDS or said.code.lower() in _TOKEN_WORDS
