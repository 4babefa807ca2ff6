"""The adapter. Sections in comments are those of the fact sheet `shared/vendors/verigram.md`."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs

from idv_core.plugin import (
    CheckKind,
    Coverage,
    Exchange,
    Flow,
    FlowNotFound,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Link,
    Media,
    Polling,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    SdkSession,
    Secret,
    UnexpectedResponse,
    VendorUnavailable,
    VendorVerdict,
    subject_of,
    trusted_link,
)

from .files import SIMULATIONS, answered, download_file, known_coverage, list_files, plant_result
from .mapping import KINDS, read_answer
from .register import LABEL, read_register
from .settings import Journey, VerigramSettings

_PERSON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A flow may be unknown to the result call for as long as this after it was made (section 5.2).
_SETTLING = timedelta(minutes=1)
_ID = re.compile(r"[!-~]{1,255}")
_NOBODY = "00000000-0000-4000-8000-000000000000"


@attrs.frozen(kw_only=True)
class FlowCreated:
    """Answer of `POST /flow` (section 3.1)."""

    flow_id: str
    vlink: str
    person_id: str | None = None


@attrs.frozen(kw_only=True)
class SessionCreated:
    """Answer of `POST /liveness2/session` (section 3.4)."""

    session_id: str
    access_token: str
    flow_id: str
    person_id: str | None = None


@attrs.frozen
class Verigram:
    """Flow, result and the browser's return. Uploads happen on the hosted page; there is no template kept at the vendor."""

    settings: VerigramSettings
    simulations = tuple(SIMULATIONS)
    polling = Polling(first=timedelta(seconds=10), ceiling=timedelta(minutes=5))

    @property
    def result_capabilities(self) -> ResultCapabilities:
        """Documents only with the register's record."""
        kinds = set(KINDS.values())
        return ResultCapabilities(
            checks=kinds, scored={CheckKind.FACE_MATCH}, documents=self.settings.read_register, verdict=True
        )

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        """Key and version on every call; with a secret also a signature over time and path (section 2.3)."""
        headers: dict[str, str | Secret] = {
            "X-Verigram-Api-Key": self.settings.api_key,
            "X-Verigram-Api-Version": self.settings.api_version,
        }
        if self.settings.secret is not None:
            prefix = urlsplit(self.base_url).path if self.settings.sign_path_prefix else ""
            timestamp = str(int(now.timestamp()))
            headers["X-Verigram-Ts"] = timestamp
            headers["X-Verigram-Hmac-SHA256"] = sign(self.settings.secret, timestamp, prefix + request.target)
        return request.with_headers(headers)

    def read_error(self, request: Request, response: Response) -> Refusal:
        """Decided by status alone; the body only gives words for the log (section 3.9)."""
        body = response.json_object()
        if body is None:
            return Refusal()
        detail = body.get("detail")
        fields = tuple(
            str(item["loc"][-1])
            for item in (detail if isinstance(detail, list) else ())
            if isinstance(item, dict) and isinstance(item.get("loc"), list) and item["loc"]
        )
        return Refusal(
            code=_first_text(body, "error_code", "code", "error"),
            message=_first_text(body, "error_message", "message", "detail", "errors"),
            fields=fields,
        )

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        person = order.applicant.reference
        if not _PERSON_ID.fullmatch(person):
            raise InvalidOrder(
                "the applicant's reference must be 1 to 64 letters, digits, '-' or '_' for Verigram",
                fields=("applicant.reference",),
            )
        options = order.vendor_options.get("verigram", {})
        if self._journey(order, options) is Journey.SDK:
            return (yield from self._open_session(person))
        body: dict[str, Any] = {"person_id": person, "locale": order.applicant.locale}
        if order.urls is not None:
            body["callback_url"] = order.urls.return_url()
        elif order.return_url is not None:
            body["callback_url"] = order.return_url
        template = options.get("template") or order.template or self.settings.template
        input_data = options.get("input_data") or self.settings.input_data
        body |= {key: value for key, value in (("template", template), ("input_data", input_data)) if value}
        reply = yield Request.post("/flow", json=body)
        created = reply.structure(FlowCreated)
        _check_created(created, person, reply)
        return Flow(
            id=created.flow_id,
            status=FlowStatus.AWAITING_APPLICANT,
            link=Link(trusted_link(created.vlink, self.base_url, self.settings.link_hosts)),
            details={"person_id": person},
            subject=subject_of(person),
        )

    def _journey(self, order: FlowOrder, options: Mapping[str, Any]) -> Journey:
        """Raises InvalidOrder for a journey that there is not, and for steps that a liveness session cannot have."""
        word = options.get("journey", self.settings.journey)
        if not isinstance(word, str) or word not in [*Journey]:
            raise InvalidOrder(
                "vendor_options: Verigram's journey is 'hosted' or 'sdk'", fields=("vendor_options.verigram.journey",)
            )
        asked = [name for name in ("template", "input_data") if options.get(name)]
        if word == Journey.SDK and (asked or order.template):
            raise InvalidOrder(
                "a liveness session (journey 'sdk') has no template and no input data: ask for the journey 'hosted'",
                fields=tuple(f"vendor_options.verigram.{name}" for name in asked) or ("template",),
            )
        return Journey(word)

    def _open_session(self, person: str) -> Exchange[Flow]:
        """Journey B: the caller's app runs the SDK with session, token, person and flow (section 1.4).

        How long the token lives is not documented.
        """
        reply = yield Request.post("/liveness2/session", json={"person_id": person})
        created = reply.structure(SessionCreated)
        if not (created.access_token and created.session_id):
            raise UnexpectedResponse("the answer has an empty id or token", status=reply.status)
        _check_created(created, person, reply)
        return Flow(
            id=created.flow_id,
            status=FlowStatus.AWAITING_APPLICANT,
            details={"person_id": person},
            sdk=SdkSession(kind="verilive", token=Secret(created.access_token)),
            secrets={"session_id": Secret(created.session_id)},
            subject=subject_of(person),
        )

    def status(self, flow: Flow) -> Exchange[Flow]:
        return (yield from self._verdict(flow)).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        """The verdict; with `read_register` also what the register says of a person who was not turned down."""
        result = yield from self._verdict(flow)
        over = result.status is FlowStatus.FINISHED and result.verdict is not VendorVerdict.NEGATIVE
        if not (self.settings.read_register and over):
            return result
        query = {"label": LABEL, "flow_id": flow.id}
        reply = yield from answered(Request.get("/resources/file", query=query, accept={404}))
        if not reply.is_success:
            return attrs.evolve(result, notes=(*result.notes, "Verigram has no record of the register for this flow"))
        register = read_register(reply.content, reply.received_at.date())
        return attrs.evolve(
            result,
            fields=register.fields,
            documents=register.documents,
            notes=(*result.notes, *register.notes),
            doubts=(*result.doubts, *register.doubts),
        )

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        """One call, that of the result: its steps tell which files there are."""
        result = yield from self._verdict(flow)
        return tuple(list_files(result, self.settings.read_register))

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        """`media.id` is the file's label at Verigram."""
        _check_id(flow)
        yield from download_file(flow, media.id, self.settings.read_register)

    def simulate(self, flow: Flow, outcome: str) -> Exchange[Flow]:
        return (yield from plant_result(flow, outcome))

    def coverage(self) -> Exchange[Coverage]:
        yield from ()
        return known_coverage()

    def _verdict(self, flow: Flow) -> Exchange[Result]:
        _check_id(flow)
        reply = yield from answered(Request.get("/flow/{}/result", flow.id, accept={404, 409, 422, 425}))
        if not reply.is_success:
            return Result(flow=self._unfinished(flow, reply))
        return self._read(flow, reply)

    def check_credentials(self) -> Exchange[None]:
        """Asks for a flow that nobody made: 404 means that the key works (section 7)."""
        yield from answered(Request.get("/flow/{}/result", _NOBODY, accept={404}))

    def _unfinished(self, flow: Flow, reply: Response) -> Flow:
        """The answers that mean "not yet", and the 404 that means "lost" (section 5.2)."""
        if reply.status != 404:
            return attrs.evolve(flow, status=FlowStatus.AWAITING_APPLICANT)
        if flow.created_at is None:
            raise FlowNotFound("Verigram does not know this flow (for this key)", status=404)
        young = reply.received_at - flow.created_at < _SETTLING
        return attrs.evolve(flow, status=FlowStatus.AWAITING_APPLICANT if young else FlowStatus.FAILED)

    def _read(self, flow: Flow, reply: Response) -> Result:
        answer = reply.json_object()
        if answer is None:
            raise VendorUnavailable("the result is not a JSON object", status=reply.status, safe_to_retry=True)
        named, person = answer.get("flow_id"), answer.get("person_id")
        if named not in (None, flow.id) or _is_somebody_else(flow, person):
            which = "person_id" if named in (None, flow.id) else "flow_id"
            raise UnexpectedResponse(f"the result is of another flow: its {which} is not ours", status=reply.status)
        result = read_answer(flow, answer, reply.received_at.date())
        unnamed = tuple(self._unnamed(flow, named, person))
        return attrs.evolve(result, doubts=(*result.doubts, *unnamed)) if unnamed else result

    def _unnamed(self, flow: Flow, named: object, person: object) -> Iterator[Reason]:
        """An answer that does not say whose it is may be another's: of a proxy that caches, say."""
        if named is None and self.settings.results_name_flow:
            yield Reason("flow.unnamed", "the result does not name its flow (results_name_flow = false lets it)")
        if person is not None and flow.subject is None and "person_id" not in flow.details:
            text = "the result names a person, and whose flow it is, is not known: go on with flow.ref as it was stored"
            yield Reason("flow.person_unknown", text)


def _check_id(flow: Flow) -> None:
    if not _ID.fullmatch(flow.id):
        raise InvalidOrder(
            "the flow's id is none of Verigram's: at most 255 ASCII characters without blanks", fields=("flow",)
        )


def _is_somebody_else(flow: Flow, person: object) -> bool:
    if person is None:
        return False
    known = flow.details.get("person_id")
    if not isinstance(person, str) or (known is not None and person != known):
        return True
    return flow.subject is not None and subject_of(person) != flow.subject


def _check_created(created: FlowCreated | SessionCreated, person: str, reply: Response) -> None:
    if not created.flow_id:
        raise UnexpectedResponse("the answer has an empty flow_id", status=reply.status)
    if not _ID.fullmatch(created.flow_id):
        raise UnexpectedResponse("the answer has a flow_id that is none", status=reply.status)
    if created.person_id not in (None, person):
        raise UnexpectedResponse("the flow is of another person: its person_id is not ours", status=reply.status)


def sign(secret: Secret, timestamp: str, path: str) -> str:
    """HMAC-SHA256 over timestamp and path with query, lower-case hex (section 2.3)."""
    return hmac.digest(secret.reveal().encode(), f"{timestamp}{path}".encode(), "sha256").hex()


def _first_text(body: Mapping[str, Any], *names: str) -> str | None:
    return next((body[name] for name in names if isinstance(body.get(name), str) and body[name]), None)
