"""Registrations: one applicant's session under a project flow, with a token of its own (fact sheet section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import attrs
import phonenumbers

from idv_core.errors import InvalidOrder, UnexpectedResponse
from idv_core.model import Flow, FlowOrder, Link, Secret
from idv_core.wire import Exchange, NotAccepted, Request, Response, structure

from . import mapping
from .credentials import bearer
from .payloads import LinkResent, RegistrationCreated, read_id, read_list, read_object, read_said, reference_id, unwrap
from .settings import VerifikSettings

_APPLICANT_TOKEN_LIFE = timedelta(minutes=120)
_POPULATES = (
    "projectFlow",
    "emailValidation",
    "phoneValidation",
    "biometricValidation",
    "documentValidation",
    "informationValidation",
    "compareFaceVerification",
)


@attrs.frozen
class Registrations:
    """Opening, reading, renewing, and speaking as the applicant."""

    settings: VerifikSettings

    def open(self, order: FlowOrder) -> Exchange[Flow]:
        person = order.applicant
        project_flow = self._project_flow(order)
        if not person.email and not person.phone_number:
            raise InvalidOrder("Verifik needs the applicant's e-mail or phone", fields=("applicant.email",))
        body: dict[str, Any] = {
            "project": self.settings.project,
            "projectFlow": project_flow,
            "language": person.locale,
        }
        body |= {"email": person.email.lower()} if person.email else {}
        body |= phone(person.phone_number) if person.phone_number else {}
        names = {"firstName": person.given_name, "lastName": person.family_name}
        body |= names if all(names.values()) else {"fullName": person.full_name} if person.full_name else {}
        reply = yield Request.post("/v2/app-registrations", json=body)
        created = structure(unwrap(reply), RegistrationCreated, status=reply.status)
        if not created.token:
            raise UnexpectedResponse("the answer has an empty token", status=reply.status)
        information = reference_id(created.informationValidation)
        return Flow(
            id=read_id(created.appRegistration, reply.status),
            status=mapping.read_status(created.appRegistration.get("status", "STARTED")),
            link=self._link(created.token, reply.received_at + _APPLICANT_TOKEN_LIFE),
            secrets={"token": Secret(created.token)},
            details={"information_validation": information} if information else {},
        )

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """A fresh link and token; never by registering again (sections 2.8 and 3.3.5)."""
        reply = yield Request.post("/v2/app-registrations/{}/resend-link", flow.id, json={}, repeatable=True)
        resent = structure(unwrap(reply), LinkResent, status=reply.status)
        if not resent.token:
            raise UnexpectedResponse("the answer has an empty token", status=reply.status)
        status = mapping.read_status(resent.status) if resent.status else flow.status
        secrets = {**flow.secrets, "token": Secret(resent.token)}
        return attrs.evolve(flow, status=status, secrets=secrets, link=self._link(resent.token, _utc(resent.expiresAt)))

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The newest registration of the contact that has not ended, with a fresh link; else a new one, which Verifik
        refuses if the contact is registered after all (section 7 row 6)."""
        flow = yield from self._lost(order)
        return flow if flow is not None else (yield from self.open(order))

    def _lost(self, order: FlowOrder) -> Exchange[Flow | None]:
        """Each one is looked at again, for a filter that the vendor does not know would give other people's."""
        person, project_flow = order.applicant, self._project_flow(order)
        contact: dict[str, str] = {}
        if person.email:
            contact = {"email": person.email.lower()}
        elif person.phone_number:
            contact = {"phone": phone(person.phone_number)["phone"]}
        for item in (yield from self._list(contact)):
            status = mapping.read_status(item.get("status"))
            known = all(item.get(name) == value for name, value in contact.items())
            if known and reference_id(item.get("projectFlow")) == project_flow and not status.is_final:
                return (yield from self.renew_link(Flow(id=read_id(item), status=status)))
        return None

    def find(self, email: str) -> Exchange[tuple[str, ...]]:
        """Ids of the registrations with this e-mail, newest first."""
        return tuple(read_id(item) for item in (yield from self._list({"email": email.lower()})))

    def _list(self, contact: Mapping[str, str]) -> Exchange[list[dict[str, Any]]]:
        if not contact:
            raise InvalidOrder("Verifik needs the applicant's e-mail or phone", fields=("applicant.email",))
        filters = {f"where_{name}": value for name, value in contact.items()}
        query = {**filters, "where_project": self.settings.project, "sort": "-createdAt"}
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
        reply = yield Request.get("/v2/app-registrations/{}", flow.id, query=query)
        registration = read_object(reply)
        if read_id(registration, reply.status) != flow.id:
            raise UnexpectedResponse("the answer is another registration", status=reply.status)
        return registration

    def as_applicant(self, flow: Flow, request: Request) -> Exchange[tuple[Flow, Response]]:
        """A call with the registration's own token; a missing or refused one is replaced, once (section 2.8)."""
        request = attrs.evolve(request, signed=False)
        if "token" in flow.secrets:
            asked = attrs.evolve(request, accept=(*request.accept, 401, 403))
            reply = yield asked.with_headers(bearer(self.settings, flow.secrets["token"]))
            if reply.status not in (401, 403):
                return flow, reply
            if reply.status == 403 and not read_said(reply).names("token_expired", "Forbidden", "access_denied"):
                raise NotAccepted(request, reply)
        flow = yield from self.renew_link(flow)
        reply = yield request.with_headers(bearer(self.settings, flow.secrets["token"]))
        return flow, reply

    def _link(self, token: str, expires_at: datetime | None) -> Link:
        project = quote(self.settings.project, safe="")
        return Link(Secret(f"{self.settings.hosted_url}/sign-up/{project}?token={quote(token, safe='')}"), expires_at)


def phone(number: str) -> dict[str, str]:
    """E.164 as dialling code and digits (section 3.3.1)."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise InvalidOrder("the phone number has no known country code", fields=("applicant.phone_number",)) from None
    return {
        "countryCode": f"+{parsed.country_code}",
        "phone": phonenumbers.national_significant_number(parsed),
    }


def _utc(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
