"""An emulator of Verigram after its fact sheet: API, hosted page, browser return. `[assumed]` points are settings."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import attrs
import httpx

from idv_core import Secret
from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Emulator,
    Handler,
    HasNow,
    Refused,
    Specimen,
    consent_field,
    file_field,
    form,
    html,
    page,
    paragraph,
    read_specimen,
    redirect,
)

from ..plugin import sign

_VENDOR = "Verigram"
_STEPS = ("consent", "document", "selfie")
_CODES = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 422: "VALIDATION_ERROR", 429: "TOO_MANY_REQUESTS"}


@attrs.define(kw_only=True)
class EmulatedFlow:
    """State of one flow. `document` and `selfie` are what the applicant handed in; `register` is a record planted for it;
    `signed` is what he signed, where its template has the step `esign`.
    """

    id: str
    person_id: str
    key: str
    callback_url: str | None
    locale: str
    step: int = 0
    failed_attempts: int = 0
    document: Specimen | None = None
    selfie: Specimen | None = None
    ended_at: datetime | None = None
    scripted: dict[str, Any] | None = None
    register: dict[str, Any] | None = None
    signed: bytes | None = None


@attrs.define(kw_only=True)
class Variants:
    """What the vendor's pages leave open (fact sheet sections 3.1, 3.9, 4, 5.2, 6.1, 7).

    `register` is how the file of the population register comes: as JSON, or as that in base64. With `names_flow` results
    carry `flow_id` and `person_id`; with `lists_attempts` a step that was tried again stands in them once for each attempt.
    `signs` puts `esign` into the default steps. `missing_file` is the status of a file that is not there.
    """

    while_open: Literal["null", "empty", "unknown", "404", "interrupter"] = "null"
    container: Literal["services", "keyed", "none"] = "services"
    names_flow: bool = True
    lists_attempts: bool = False
    register: Literal["json", "base64"] = "json"
    signs: bool = False
    missing_file: Literal[404, 200] = 404
    errors: Literal["code", "detail"] = "code"
    redirect_adds: bool = False
    notify_post: bool = False
    test_key_calls: int = 10
    test_key_window: timedelta = timedelta(seconds=10)
    signature_window: timedelta = timedelta(seconds=300)
    processing: timedelta = timedelta(seconds=2)


class VerigramEmulator(Emulator):
    """`test_key` works bare and is limited; each key of `keys` needs signatures made with its secret."""

    def __init__(
        self,
        clock: HasNow,
        *,
        test_key: str = "test-key-1",
        keys: Mapping[str, str] | None = None,
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.test_key = test_key
        self.keys = dict(keys or {"production-key-1": "s3cr3t-for-tests"})
        self.flows: dict[str, EmulatedFlow] = {}
        self.variants = variants or Variants()
        self.switched_off: set[str] = set()
        self.planted: dict[tuple[str, str], dict[str, Any]] = {}
        self._recent: deque[datetime] = deque()
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", "/flow", self._create),
            ("GET", "/flow/{flow_id}", self._details),
            ("GET", "/flow/{flow_id}/result", self._result),
            ("POST", "/liveness2/session", self._session),
            ("GET", "/resources/file", self._file),
            ("POST", "/mockery/result", self._mock),
            ("GET", "/hf2/{flow_id}/", self._show),
            ("POST", "/hf2/{flow_id}/", self._advance),
        ]

    def script(self, flow_id: str, answer: Mapping[str, Any]) -> None:
        """End the flow with just this result."""
        flow = self.flows[flow_id]
        flow.scripted, flow.ended_at = dict(answer), self.clock.now() - self.variants.processing

    def finish_session(self, flow_id: str, selfie: bytes) -> None:
        """What the SDK does at the end of a liveness session."""
        flow = self.flows[flow_id]
        flow.selfie, flow.ended_at = read_specimen(selfie), self.clock.now()

    def on_error(self, reply: EmulatedResponse) -> EmulatedResponse:
        if self.variants.errors == "detail" and isinstance(reply.data, dict) and "error_message" in reply.data:
            text = reply.data["error_message"]
            field = [{"loc": ["body", text.split()[0]], "msg": "field required", "type": "value_error.missing"}]
            return attrs.evolve(reply, data={"detail": field if reply.status == 422 else text})
        return reply

    def plant(self, flow_id: str, record: Mapping[str, Any]) -> None:
        """What the population register says of the person, as `POST /mockery/result` would plant it (section 3.8)."""
        self.flows[flow_id].register = dict(record)

    def _create(self, call: EmulatedRequest) -> EmulatedResponse:
        flow = self._new_flow(call)
        return EmulatedResponse(201, {"flow_id": flow.id, "vlink": f"{call.base_url}/hf2/{flow.id}/"})

    def _session(self, call: EmulatedRequest) -> EmulatedResponse:
        flow = self._new_flow(call)
        token = {"session_id": str(uuid4()), "access_token": f"tok_{secrets.token_hex(6)}"}
        return EmulatedResponse(201, {**token, "person_id": flow.person_id, "flow_id": flow.id})

    def _new_flow(self, call: EmulatedRequest) -> EmulatedFlow:
        key = self._authenticated(call)
        body = call.json()
        if not isinstance(body.get("person_id"), str) or not body["person_id"]:
            raise _error(422, "person_id is required")
        callback_url = body.get("callback_url")
        flow = EmulatedFlow(
            id=str(uuid4()),
            person_id=body["person_id"],
            key=key,
            callback_url=callback_url,
            locale=body.get("locale", "en"),
            signed=_envelope() if self._is_signed(body.get("template")) else None,
        )
        self.flows[flow.id] = flow
        return flow

    def _details(self, call: EmulatedRequest) -> EmulatedResponse:
        flow = self._owned(call)
        verdict = self._answer(flow) if self._is_over(flow) else {}
        return EmulatedResponse(
            200,
            {
                "flow_id": flow.id,
                "person_id": flow.person_id,
                "locale": flow.locale,
                "callback_url": flow.callback_url,
                "vlink": f"{call.base_url}/hf2/{flow.id}/",
                "flow_status": verdict.get("flow_status"),
                "end_cause": verdict.get("end_cause"),
            },
        )

    def _result(self, call: EmulatedRequest) -> EmulatedResponse:
        flow = self._owned(call)
        if self._is_over(flow):
            named = {"flow_id": flow.id, "person_id": flow.person_id} if self.variants.names_flow else {}
            return EmulatedResponse(200, {**named, **self._answer(flow)})
        match self.variants.while_open:
            case "404":
                raise _error(404, "no result yet")
            case "empty":
                return EmulatedResponse(200, {})
            case "unknown":
                return EmulatedResponse(200, {"flow_status": "in_review"})
            case "interrupter":
                paused = {"service_name": "esign", "service_status": "in_progress"}
                return EmulatedResponse(200, {"flow_status": None, "end_cause": None, "interrupter": paused})
            case _:
                return EmulatedResponse(200, {"flow_status": None, "end_cause": None})

    def _is_signed(self, template: object) -> bool:
        pipeline = template.get("pipeline") if isinstance(template, dict) else None
        if pipeline is None:
            return self.variants.signs
        return any(isinstance(step, dict) and step.get("service_name") == "esign" for step in pipeline)

    def _mock(self, call: EmulatedRequest) -> EmulatedResponse:
        """What `kisc` is to say of a person (section 3.8), in place of what the specimens say."""
        key, body = self._authenticated(call), call.json()
        person, result, files = (body.get(name) for name in ("person_id", "result", "files"))
        if not isinstance(person, str) or not isinstance(result, dict) or not isinstance(files, dict):
            raise _error(422, "person_id, result and files are required")
        self.planted[key, person] = {"result": result, "files": files}
        return EmulatedResponse(200, {})

    def _file(self, call: EmulatedRequest) -> EmulatedResponse:
        """What was signed, and the register's record (section 3.7): there once the flow is over."""
        key, flow = self._authenticated(call), self.flows.get(call.query.get("flow_id", ""))
        there = flow is not None and flow.key == key and self._is_over(flow)
        content = self._content(flow, call.query.get("label")) if there and flow is not None else None
        if content is None:
            refused = _error(404, "file not found")
            raise Refused(attrs.evolve(refused.reply, status=self.variants.missing_file))
        return EmulatedResponse(200, content=content, type="application/octet-stream")

    def _content(self, flow: EmulatedFlow, label: str | None) -> bytes | None:
        if label == "signed_doc":
            return flow.signed
        record = self._record(flow) if label == "kisc_pii" else None
        if record is None:
            return None
        content = json.dumps(record).encode()
        return base64.b64encode(content) if self.variants.register == "base64" else content

    def _record(self, flow: EmulatedFlow) -> dict[str, Any] | None:
        """The record that was planted for the flow or for its person, else that of whoever the document is of."""
        planted = self.planted.get((flow.key, flow.person_id), {}).get("files", {}).get("kisc_pii")
        if flow.register is None and planted:
            told: dict[str, Any] = json.loads(base64.b64decode(planted))
            return told
        return flow.register or (_record(flow.document) if flow.document is not None else None)

    def _is_over(self, flow: EmulatedFlow) -> bool:
        return flow.ended_at is not None and self.clock.now() >= flow.ended_at + self.variants.processing

    def _answer(self, flow: EmulatedFlow) -> dict[str, Any]:
        if flow.scripted is not None:
            return flow.scripted
        planted = self.planted.get((flow.key, flow.person_id), {}).get("result")
        services = list(_services(flow, planted))
        passed = all(service["service_status"] in ("pass", "success") for service in services)
        answer: dict[str, Any] = {"flow_status": "pass" if passed else "fail", "end_cause": "completed"}
        if self.variants.container == "services":
            attempts = flow.failed_attempts if self.variants.lists_attempts else 0
            answer["services"] = [{"service_name": "verilive", "service_status": "fail"}] * attempts + services
        elif self.variants.container == "keyed":
            answer |= {service.pop("service_name"): service for service in services}
        return answer

    def _show(self, call: EmulatedRequest) -> EmulatedResponse:
        return html(self._page(self._visited(call)))

    def _advance(self, call: EmulatedRequest) -> EmulatedResponse:
        flow = self._visited(call)
        error = self._take(flow, call)
        if error:
            return html(self._page(flow, error))
        if flow.ended_at is None and flow.step == len(_STEPS):
            flow.ended_at = self.clock.now()
            return self._send_back(flow)
        return redirect(call.path)

    def _take(self, flow: EmulatedFlow, call: EmulatedRequest) -> str:
        """One step of the applicant's; a text if it was not good enough."""
        if flow.step == len(_STEPS):
            return ""
        match _STEPS[flow.step]:
            case "consent":
                if call.form.get("consent") != "yes":
                    return "Please agree, or close this page."
            case "document":
                flow.document = read_specimen(call.form.get("document"))
                if flow.document is None or flow.document.type == "SELFIE":
                    return "This is not a document that we can read. Please take another picture."
            case _:
                flow.selfie = read_specimen(call.form.get("selfie"))
                if flow.selfie is None or flow.selfie.type != "SELFIE":
                    flow.failed_attempts += 1
                    return "We see no face. Please take another picture."
        flow.step += 1
        return ""

    def _send_back(self, flow: EmulatedFlow) -> EmulatedResponse:
        if flow.callback_url is None:
            return redirect(f"/hf2/{flow.id}/")
        url = flow.callback_url
        if self.variants.notify_post:
            self.notify(url, json.dumps({"flow_id": flow.id}).encode(), {"Content-Type": "application/json"})
        if self.variants.redirect_adds:
            url += f"{'&' if '?' in url else '?'}flow_id={flow.id}"
        return redirect(url)

    def _visited(self, call: EmulatedRequest) -> EmulatedFlow:
        flow = self.flows.get(call.params["flow_id"])
        if flow is None:
            raise Refused(html(page(_VENDOR, "This link is not valid", paragraph("Ask for a new one.")), 404))
        return flow

    def _page(self, flow: EmulatedFlow, error: str = "") -> str:
        if flow.step == len(_STEPS):
            return page(_VENDOR, "Thank you", paragraph("You are done and can close this page."))
        step = f"Step {flow.step + 1} of {len(_STEPS)}"
        match _STEPS[flow.step]:
            case "consent":
                agree = consent_field(
                    "consent", "I agree that my identity is verified and my data are processed for it."
                )
                return page(_VENDOR, "Verify your identity", form([agree], "Begin"), step=step, error=error)
            case "document":
                field = file_field("document", "Picture of your identity document")
                return page(_VENDOR, "Your document", form([field], "Continue"), step=step, error=error)
            case _:
                field = file_field("selfie", "Picture of your face")
                return page(_VENDOR, "Your face", form([field], "Finish"), step=step, error=error)

    def _authenticated(self, call: EmulatedRequest) -> str:
        key = call.headers.get("x-verigram-api-key", "")
        if call.headers.get("x-verigram-api-version") not in ("2.0", "2.0.0"):
            raise _error(401, "version header is missing or unknown")
        if key in self.keys:
            self._check_signature(call, Secret(self.keys[key]))
        elif key == self.test_key:
            self._check_rate()
        else:
            raise _error(401, "key is missing or unknown")
        if key in self.switched_off:
            raise _error(403, "account is switched off")
        return key

    def _check_signature(self, call: EmulatedRequest, secret: Secret) -> None:
        timestamp = call.headers.get("x-verigram-ts", "")
        given = call.headers.get("x-verigram-hmac-sha256", "")
        if not timestamp.isdigit() or not hmac.compare_digest(given, sign(secret, timestamp, call.target)):
            raise _error(401, "signature is missing or wrong")
        if abs(int(timestamp) - self.clock.now().timestamp()) > self.variants.signature_window.total_seconds():
            raise _error(401, "signature is too old")

    def _check_rate(self) -> None:
        now = self.clock.now()
        while self._recent and self._recent[0] <= now - self.variants.test_key_window:
            self._recent.popleft()
        if len(self._recent) >= self.variants.test_key_calls:
            refused = _error(429, "too many requests")
            raise Refused(attrs.evolve(refused.reply, headers={"retry-after": "1"}))
        self._recent.append(now)

    def _owned(self, call: EmulatedRequest) -> EmulatedFlow:
        key = self._authenticated(call)
        flow = self.flows.get(call.params["flow_id"])
        if flow is None or flow.key != key:
            raise _error(404, "flow not found")
        return flow


def _services(flow: EmulatedFlow, planted: Mapping[str, Any] | None = None) -> Any:
    """What the steps found: what stands on the specimens decides, and for `kisc` what was planted."""
    live = flow.selfie is not None and flow.selfie.type == "SELFIE" and flow.selfie.flaw is None
    if flow.document is not None:
        yield {"service_name": "consent", "service_status": "success"}
        good = flow.document.flaw is None
        yield {"service_name": "veridoc", "service_status": "pass" if good else "fail"}
    yield {"service_name": "verilive", "service_status": "pass" if live else "fail"}
    if flow.document is not None and flow.selfie is not None:
        same = flow.document.face == flow.selfie.face
        told = {"face_match": same, "similarity": 98.7 if same else 21.4, "vendor": "verigram", **(planted or {})}
        yield {**told, "service_name": "kisc", "service_status": "success" if told["face_match"] is True else "fail"}
    if flow.signed is not None:
        yield {"service_name": "esign", "service_status": "success"}


def _envelope() -> bytes:
    """Bytes that begin as a CMS signed-data envelope in DER does (RFC 5652), and are no text."""
    return b"\x30\x82\x40\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + secrets.token_bytes(16_384)


def _record(document: Specimen) -> dict[str, Any]:
    """The register's record (section 6.3) of whoever the specimen is of: what stands on it, and a passport that has ended."""
    names = {key: document.fields.get(key) for key in ("name", "surname", "birthDate")}
    country = {"code": "KZ", "nameRu": "КАЗАХСТАН"}
    papers: list[dict[str, Any]] = [
        {"type": "ПАСПОРТ ГРАЖДАНИНА РК", "number": "N00000000", "beginDate": "2012-06-01", "endDate": "2022-05-31"},
        {
            "type": "УДОСТОВЕРЕНИЕ ЛИЧНОСТИ",
            "number": document.fields.get("number"),
            "beginDate": "2024-06-01",
            "endDate": "2034-05-31",
            "status": {"nameRu": "ДОКУМЕНТ ДЕЙСТВИТЕЛЕН"},
        },
    ]
    listed = [{**names, **paper, "type": {"nameRu": paper["type"]}} for paper in papers]
    return {
        "person": {
            **names,
            "iin": document.fields.get("iin"),
            "citizenship": country,
            "regAddress": {"country": country, "region": {"nameRu": "АЛМАТЫ"}, "street": "УЛИЦА АБАЯ", "building": "5"},
            "documents": {"document": listed},
        }
    }


def _error(status: int, text: str) -> Refused:
    return Refused(EmulatedResponse(status, {"error_code": _CODES[status], "error_message": text}))
