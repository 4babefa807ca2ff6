"""An emulator of Atlas after its fact sheet. It really fetches each `file_url`, and what stands on the file decides.

Points that the vendor's pages leave open are `Variants`.
"""

from __future__ import annotations

import difflib
import io
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import httpx
from PIL import Image, ImageDraw

from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Emulator,
    Handler,
    HasNow,
    Outgoing,
    Refused,
    Specimen,
    read_specimen,
)

_PAIRS = (
    ("CUSTOMER_NAME", "DELIVERY_ORDER", "customer_name", "INVOICE", "customer_name", "customer_name"),
    ("DEALER_ADDRESS", "DELIVERY_ORDER", "dealer_address", "INVOICE", "dealer_address", "dealer_address"),
    (
        "CUSTOMER_DELIVERY_ADDRESS",
        "DELIVERY_ORDER",
        "customer_delivery_address",
        "INVOICE",
        "customer_address",
        "customer_address",
    ),
    (
        "CUSTOMER_MOBILE_NUMBER",
        "DELIVERY_ORDER",
        "customer_mobile_number",
        "INVOICE",
        "mobile_number",
        "customer_phone_number",
    ),
    ("APPLICANT_NAME", "PAN", "name_as_per_pan", "AADHAAR", "name", "name"),
)
_RETRIES = (1, 5, 25)
_ATLAS_TYPES = {"SELFIE": "ASSET_OPEN_BOX_IMAGE"}
_KNOWN_TYPES = {"PAN", "AADHAAR", "PASSPORT", "INVOICE", "DELIVERY_ORDER", "ASSET_OPEN_BOX_IMAGE"}


@attrs.define(kw_only=True)
class Variants:
    """What the pages leave open or contradict (fact sheet sections 1.5 and 4.5)."""

    stage: timedelta = timedelta(seconds=5)
    errors: Literal["error", "error_code"] = "error"
    upload_answer: Literal["array", "object"] = "array"
    docstream_upload_answer: Literal["array", "object"] = "object"
    status_spelling: str = "crossheck_status"
    unread: Literal["null", "empty"] = "null"
    equal_score: int = 90
    blank_document_ids: bool = False
    error_place: Literal["beside", "inside", "as an object"] = "beside"
    without_result: frozenset[str] = frozenset()
    unnamed_uploads: frozenset[str] = frozenset()
    extracts_name_flow: bool = True
    pages_say_next: bool = True
    master_word: str | None = None
    callback_header: Literal["token", "bearer", "bare", "none"] = "token"
    callback_times: int = 1
    auth_call: bool = True
    auth_at_upload: bool = False
    poll_distance: timedelta = timedelta(0)
    page_size: int = 50


@attrs.define(kw_only=True)
class EmulatedFile:
    document_id: str
    file_uuid: str = attrs.field(factory=lambda: str(uuid4()))
    signature: str = attrs.field(factory=lambda: secrets.token_hex(8))
    specimen: Specimen | None
    fetched: bool


@attrs.define(kw_only=True)
class EmulatedCase:
    """A flow (v3, v2) or a batch. `applicants` maps external reference to name, `coapplicants` Atlas's id to reference (v2)."""

    id: str
    request: Mapping[str, Any]
    files: list[EmulatedFile] = attrs.field(factory=list)
    uploaded_at: datetime | None = None
    applicants: dict[str, str] = attrs.field(factory=dict)
    coapplicants: dict[str, str] = attrs.field(factory=dict)
    deleted: set[str] = attrs.field(factory=set)
    closed: bool = False
    looked_at: datetime | None = None
    chat: list[dict[str, str]] = attrs.field(factory=list)


class AtlasEmulator(Emulator):
    """One customer of Atlas, with `client_id` and `client_secret`. Files are fetched from `fetch_hosts` only."""

    def __init__(
        self,
        clock: HasNow,
        *,
        client_id: str = "atlas-client-1",
        client_secret: str = "atlas-secret-1",  # noqa: S107, an emulator's
        client: Callable[[], httpx.Client] | None = None,
        fetch_hosts: Iterable[str] = ("127.0.0.1", "localhost"),
        variants: Variants | None = None,
    ) -> None:
        self.credentials = (client_id, client_secret)
        self.cases: dict[str, EmulatedCase] = {}
        self.variants = variants or Variants()
        self.account_callback: tuple[str, str] | None = None
        self.deliveries: list[int] = []
        self.refused_looks = 0
        self._fetch_hosts = set(fetch_hosts)
        self._tokens: dict[str, datetime] = {}
        self._refresh_tokens: set[str] = set()
        self.pictures_url = ""
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        tokens: list[tuple[str, str, Handler]] = [
            ("POST", f"/{path}/authtoken", self._authtoken)
            for path in ("v1/verification", "v3/verification", "v1/docstream", "v1/bulk")
        ]
        return [
            *tokens,
            ("POST", "/v1/verification/refresh-token", self._refresh),
            ("POST", "/v3/verification/flow/init", self._init_v3),
            ("POST", "/v3/verification/multiupload", self._upload),
            ("GET", "/v3/verification/status", self._status_v3),
            ("GET", "/v3/verification/extracts", self._extracts_v3),
            ("POST", "/v1/flow/init", self._init_v2),
            ("POST", "/v1/verification/multiupload", self._upload),
            ("POST", "/v2/verification/flow/init", self._init_v2),
            ("POST", "/v2/verification/multiupload", self._upload),
            ("GET", "/{version}/verification/status", self._status_v2),
            ("GET", "/{version}/verification/docs", self._checklist),
            ("POST", "/{version}/verification/flow/coapplicant", self._add_coapplicant),
            ("DELETE", "/{version}/verification/flow/coapplicant", self._delete_coapplicant),
            ("POST", "/{version}/verification/flow/submit", self._submit),
            ("POST", "/{version}/verification/chat", self._chat),
            ("GET", "/{version}/verification/chat-history", self._chat_history),
            ("POST", "/v1/docstream/multiupload", self._upload_batch),
            ("POST", "/v1/bulk/multiupload", self._upload_batch),
            ("GET", "/v1/docstream/extracts", self._extracts_batch),
            ("GET", "/v1/bulk/extracts", self._extracts_batch),
            ("POST", "/v1/address/match/batch", self._match_addresses),
            ("GET", "/redacted/{file_uuid}", self._redacted),
        ]

    def expire_tokens(self) -> None:
        """Make every token too old, as if an hour had passed."""
        self._tokens.clear()

    def on_error(self, reply: EmulatedResponse) -> EmulatedResponse:
        if self.variants.errors == "error_code" and isinstance(reply.data, dict) and "error" in reply.data:
            return attrs.evolve(reply, data={"error_code": str(reply.status), "error_message": reply.data["error"]})
        return reply

    # Tokens (section 2)

    def _authtoken(self, call: EmulatedRequest) -> EmulatedResponse:
        given = (call.headers.get("client-id"), call.headers.get("client-secret"))
        if not all(given):
            raise _error(400, "Missing Client-Id or Client-Secret")
        if given != self.credentials:
            raise _error(401, "Invalid credentials")
        answer: dict[str, Any] = self._granted()
        if call.path == "/v1/verification/authtoken":
            answer["refresh_token"] = _jwt()
            self._refresh_tokens.add(answer["refresh_token"])
        return EmulatedResponse(201, answer)

    def _refresh(self, call: EmulatedRequest) -> EmulatedResponse:
        token = call.headers.get("token")
        if not token:
            raise _error(400, "Missing Token")
        if token not in self._refresh_tokens:
            self._authenticated(call)
        return EmulatedResponse(201, self._granted())

    def _granted(self) -> dict[str, Any]:
        token = _jwt()
        self._tokens[token] = self.clock.now() + timedelta(seconds=3600)
        return {"access_token": token, "expires_in": 3600}

    def _authenticated(self, call: EmulatedRequest) -> None:
        self.pictures_url = self.pictures_url or call.base_url
        until = self._tokens.get(call.headers.get("token", ""))
        if until is None or self.clock.now() >= until:
            raise _error(401, "Invalid or expired token")

    # Verification v3 (sections 3.1 to 3.4)

    def _init_v3(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        body = _body(call, "product_type", "application_id", "auth_url", "callback_url")
        case = EmulatedCase(id=f"LOS-{uuid4()}", request=body)
        self.cases[case.id] = case
        return EmulatedResponse(201, {"flow_uuid": case.id})

    def _status_v3(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._case(call, "flow_uuid")
        self._check_distance(case)
        upload, processing, crosscheck, master = self._stages(case)
        return EmulatedResponse(
            200,
            {
                "upload_status": upload,
                "processing_status": processing,
                self.variants.status_spelling: crosscheck,
                "master_status": self.variants.master_word or master,
            },
        )

    def _extracts_v3(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._case(call, "flow_uuid")
        return EmulatedResponse(200, self._results_v3(case))

    def _results_v3(self, case: EmulatedCase) -> dict[str, Any]:
        done = self._stage_number(case) >= 4
        return {
            **({"flow_uuid": case.id} if self.variants.extracts_name_flow else {}),
            "ocr_data": [self._entry(file, "data") for file in self._with_result(case)] if done else [],
            "cross_checks": list(self._cross_checks(case)) if done else [],
        }

    def _stage_number(self, case: EmulatedCase) -> int:
        if case.uploaded_at is None:
            return -1
        return min(4, int((self.clock.now() - case.uploaded_at) / self.variants.stage))

    def _stages(self, case: EmulatedCase) -> tuple[str, str, str, str]:
        """The roll-up of section 5.3."""
        stage = self._stage_number(case)
        if stage >= 1 and not any(file.fetched for file in case.files):
            return "FAILED", "NOT_STARTED", "NOT_STARTED", "FAILED"
        return {
            -1: ("NOT_STARTED", "NOT_STARTED", "NOT_STARTED", "NOT_STARTED"),
            0: ("IN_PROGRESS", "NOT_STARTED", "NOT_STARTED", "IN_PROGRESS"),
            1: ("SUCCESS", "PENDING", "NOT_STARTED", "IN_PROGRESS"),
            2: ("SUCCESS", "IN_PROGRESS", "PENDING", "IN_PROGRESS"),
            3: ("SUCCESS", "SUCCESS", "PENDING", "IN_PROGRESS"),
            4: ("SUCCESS", "SUCCESS", "COMPLETED", "SUCCESS"),
        }[stage]

    # Onboarding (sections 3.5 to 3.12)

    def _init_v2(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        body = _body(call, "product_type", "application_id", "external_reference_id", "username")
        pair = (body["application_id"], body["external_reference_id"])
        if any(
            (c.request.get("application_id"), c.request.get("external_reference_id")) == pair
            for c in self.cases.values()
        ):
            raise _error(409, "Flow already exists for this application")
        case = EmulatedCase(id=str(uuid4()), request=body)
        case.applicants[body["external_reference_id"]] = body["username"]
        self.cases[case.id] = case
        echoed = {name: body[name] for name in ("application_id", "external_reference_id", "username")}
        return EmulatedResponse(201, {"flow_id": case.id, **echoed})

    def _status_v2(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._applicant(call)
        self._check_distance(case)
        stage, (_, _, _, master) = self._stage_number(case), self._stages(case)
        words = {0: "UPLOAD_SUCCESS", 1: "UPLOAD_SUCCESS", 2: "PROCESSING", 3: "PROCESSING"}
        files = [
            {
                "file_uuid": file.file_uuid,
                "document_id": file.document_id,
                "status": words.get(stage, "PROCESSING_SUCCESS" if self._type(file) else "FAILED"),
            }
            for file in case.files
        ]
        return EmulatedResponse(200, {"file_statuses": files, "master_status": self.variants.master_word or master})

    def _checklist(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._applicant(call)
        there = {self._type(file) for file in case.files} if self._stage_number(case) >= 4 else set()
        return EmulatedResponse(
            200, {name: name in there for name in case.request.get("user_docs", ["PAN", "AADHAAR"])}
        )

    def _applicant(self, call: EmulatedRequest) -> EmulatedCase:
        case = self._case(call, "flow_id", "external_reference_id")
        reference = call.query["external_reference_id"]
        if reference in case.deleted:
            raise _error(410, "Applicant was deleted")
        if reference not in case.applicants:
            raise _error(409, "Applicant not found in this flow")
        return case

    def _add_coapplicant(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._case_of_body(call, "flow_id")
        people = call.json().get("co_applicants")
        if not people:
            raise _error(400, "co_applicants list cannot be empty")
        created, failed = [], []
        for person in people:
            reference = person.get("external_reference_id")
            if not reference or not person.get("username") or reference in case.applicants:
                failed.append({"external_reference_id": reference, "error": "already there, or incomplete"})
                continue
            case.applicants[reference] = person["username"]
            id = str(uuid4())
            case.coapplicants[id] = reference
            created.append({"co_applicant_id": id, "external_reference_id": reference})
        return EmulatedResponse(201, {"created": created, "failed": failed})

    def _delete_coapplicant(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._case_of_body(call, "flow_id")
        body = call.json()
        named, id = (str(body.get(name) or "") for name in ("external_reference_id", "co_applicant_id"))
        reference = named or case.coapplicants.get(id, "")
        if not named and not id:
            raise _error(400, "Missing or empty required parameters: ['external_reference_id']")
        if reference in case.deleted:
            raise _error(410, "Applicant was deleted")
        # only co-applicants can be deleted (section 3.10)
        if reference not in case.coapplicants.values():
            raise _error(409, "Applicant not found")
        del case.applicants[reference]
        case.deleted.add(reference)
        return EmulatedResponse(204)

    def _submit(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        asked = {**call.query, **call.json()}
        case = self.cases.get(asked.get("flow_id", ""))
        if case is None:
            raise _error(400, "flow_id is missing or invalid")
        case.closed = case.closed or asked.get("close_flow") == "yes"
        reference = case.request.get("external_reference_id", "")
        data = []
        for file in self._with_result(case) if self._stage_number(case) >= 4 else []:
            known = self._type(file) and not (file.specimen and file.specimen.flaw)
            content = self._content(file) if known else {"processing_error": "PROCESSING_FAILED"}
            data.append(
                {
                    "document_id": file.document_id,
                    "external_reference_id": reference if known else "",
                    "file_uuid": file.file_uuid,
                    "data": content,
                }
            )
        return EmulatedResponse(
            200, {"flow_id": case.id, "flow_params": case.request.get("flow_params", {}), "data": data}
        )

    def _chat(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._case_of_body(call, "flow_id", "message")
        now = self.clock.now().replace(tzinfo=None).isoformat(timespec="seconds")
        reply = "Please send a picture of your PAN card."
        for sender, text in (("user", call.json()["message"]), ("system", reply)):
            case.chat.append({"message": text, "sender": sender, "external_document_id": "", "created_at": now})
        return EmulatedResponse(200, {"message": reply, "message_id": str(uuid4()), "created_at": now})

    def _chat_history(self, call: EmulatedRequest) -> EmulatedResponse:
        case = self._case(call, "flow_id")
        return EmulatedResponse(200, _paged(case.chat, call, int(call.query.get("per_page", "10"))))

    # Batches (sections 3.13 and 3.14)

    def _upload_batch(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        body = _body(call, "product_type", "file_urls")
        listed = _files_of(body)
        batch = _batch_id(self.clock.now())
        case = EmulatedCase(id=batch, request=body)
        self.cases[batch] = case
        self._take(case, listed)
        is_idp = "docstream" in call.path
        if is_idp and self.account_callback is not None:
            self._schedule_callback(case, *self.account_callback)
        if is_idp and self.variants.docstream_upload_answer == "object":
            return EmulatedResponse(201, {"batch_id": batch})
        return EmulatedResponse(201, self._named(case.files, batch))

    def _extracts_batch(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        case = self.cases.get(call.query.get("batch_id", ""))
        if case is None:
            raise _error(400, "batch_id is required")
        return EmulatedResponse(200, self._results_batch(case, call))

    def _results_batch(self, case: EmulatedCase, call: EmulatedRequest | None) -> dict[str, Any]:
        files = self._with_result(case)
        ready = files[: max(0, self._stage_number(case)) * len(files) // 4]
        page = _paged([self._entry(file, "file_data") for file in ready], call, self.variants.page_size)
        if not self.variants.pages_say_next:
            del page["has_next"]
        return page

    # Address match (section 3.15)

    def _match_addresses(self, call: EmulatedRequest) -> EmulatedResponse:
        if (call.headers.get("client_id"), call.headers.get("client_secret")) != self.credentials:
            raise _address_error(401, "Authentication Error: unknown credentials")
        body = call.json()
        missing = [name for name in ("application_id", "source_address", "target_addresses") if not body.get(name)]
        if missing:
            raise _address_error(400, f"Bad Request: missing {missing}")
        source, targets = body["source_address"], body["target_addresses"]
        if not _is_address(source):
            raise _address_error(422, "Unprocessable Entity: source address could not be normalised")
        return EmulatedResponse(200, {"match_data": [_match(source, target) for target in targets]})

    # Files, evidence, webhooks

    def _upload(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        key = "flow_uuid" if "/v2/" not in call.path else "flow_id"
        body = _body(call, key, "file_urls")
        case = self.cases.get(body[key])
        if case is None or case.closed:
            raise _error(409, "Flow not found or closed")
        listed = _files_of(body)
        auth_url = case.request.get("auth_url") or case.request.get("auth_token_url")
        if self.variants.auth_at_upload and auth_url and not self._token_from(auth_url):
            raise _error(422, "The authentication URL could not be reached")
        new = self._take(case, listed)
        if case.request.get("callback_url"):
            self._schedule_callback(case, case.request["callback_url"], auth_url)
        batch = _batch_id(self.clock.now())
        if self.variants.upload_answer == "object":
            return EmulatedResponse(201, {"batch_id": batch})
        more = {"file_url": "https://bucket.example/atlas/Image_1.jpeg"} if "/v2/" in call.path else {}
        return EmulatedResponse(201, [{**taken, **more} for taken in self._named(new, batch)])

    def _named(self, files: Iterable[EmulatedFile], batch: str) -> list[dict[str, str]]:
        """What an upload is answered with; files of `unnamed_uploads` are left out, and never get a result."""
        return [
            {"batch_id": batch, "document_id": file.document_id, "file_uuid": file.file_uuid}
            for file in files
            if file.document_id.rpartition("/")[2] not in self.variants.unnamed_uploads
        ]

    def _with_result(self, case: EmulatedCase) -> list[EmulatedFile]:
        lost = self.variants.without_result | self.variants.unnamed_uploads
        return [file for file in case.files if file.document_id.rpartition("/")[2] not in lost]

    def _take(self, case: EmulatedCase, listed: Iterable[Mapping[str, Any]]) -> list[EmulatedFile]:
        new = []
        for item in listed:
            url, id = str(item.get("file_url", "")), str(item.get("document_id", ""))
            allowed = urlsplit(url).hostname in self._fetch_hosts
            content = self.fetch(url) if allowed else None
            specimen = read_specimen(content) if content else None
            new.append(EmulatedFile(document_id=id, specimen=specimen, fetched=content is not None))
        case.files += new
        case.uploaded_at = self.clock.now()
        return new

    def _type(self, file: EmulatedFile) -> str | None:
        if file.specimen is None:
            return None
        type_ = _ATLAS_TYPES.get(file.specimen.type, file.specimen.type)
        return type_ if type_ in _KNOWN_TYPES else None

    def _entry(self, file: EmulatedFile, container: str) -> dict[str, Any]:
        code, reason = "", ""
        if not file.fetched:
            code, reason = "UNRECOGNISED", "file could not be fetched"
        elif self._type(file) is None:
            code, reason = "UNRECOGNISED", "document not in list"
        elif file.specimen and file.specimen.flaw:
            code, reason = "INVALID_DOC", file.specimen.flaw
        content = {} if code == "UNRECOGNISED" else self._content(file)
        id = "" if self.variants.blank_document_ids else file.document_id
        entry = {container: content, "document_id": id}
        if self.variants.error_place == "beside":
            return entry | {"error_code": code, "error_reason": reason}
        if code:
            is_object = self.variants.error_place == "as an object"
            content["processing_error"] = {"code": code, "message": reason} if is_object else code
        return entry

    def _content(self, file: EmulatedFile) -> dict[str, Any]:
        specimen = file.specimen
        if specimen is None:
            return {}
        content: dict[str, Any] = {"document_type": self._type(file)}
        for name, value in specimen.fields.items():
            if name == "mrz":
                continue
            unread = None if self.variants.unread == "null" else ""
            content[name] = {"value": value or unread, "confidence_score": 0.97 if value else 0.0}
            if name == "aadhaar_number":
                content[name]["redact_url"] = (
                    f"{self.pictures_url}/redacted/{file.file_uuid}?X-Amz-Signature={file.signature}"
                )
        if "address" in specimen.fields:
            parts = {
                "state": "",
                "postcode": "682001",
                "address_line_1": "14 hill road",
                "address_line_2": "",
                "city": "kochi",
            }
            content["formatted_address"] = {key: {"value": part, "confidence_score": 1} for key, part in parts.items()}
        return content

    def _redacted(self, call: EmulatedRequest) -> EmulatedResponse:
        """The card with its number masked, behind a pre-signed address: no token, a signature in its place."""
        signed = {file.file_uuid: file for case in self.cases.values() for file in case.files}
        file = signed.get(call.params["file_uuid"])
        if file is None or call.query.get("X-Amz-Signature") != file.signature:
            return EmulatedResponse(403, content=b"<Error><Code>AccessDenied</Code></Error>", type="application/xml")
        return EmulatedResponse(200, content=masked_card(file.specimen), type="image/jpeg")

    def _cross_checks(self, case: EmulatedCase) -> Iterable[dict[str, Any]]:
        usable = {self._type(file): file.specimen for file in case.files if file.specimen and not file.specimen.flaw}
        for name, source, source_field, target, target_field, printed in _PAIRS:
            left, right = usable.get(source), usable.get(target)
            if left is None or right is None:
                continue
            ours, theirs = str(left.fields.get(source_field, "")), str(right.fields.get(printed, ""))
            yield {
                "source_doc": source,
                "source_field_name": source_field,
                "source_value": ours,
                "target_doc": target,
                "target_field_name": target_field,
                "target_value": theirs,
                "similarity_score": _similarity(ours, theirs, self.variants.equal_score),
                "name": name,
            }

    def _schedule_callback(self, case: EmulatedCase, url: str, auth_url: str | None) -> None:
        uploaded_at = case.uploaded_at or self.clock.now()

        def attempt(client: httpx.Client, retries: tuple[int, ...] = _RETRIES) -> Outgoing | None:
            if case.uploaded_at != uploaded_at:
                return None
            status = self._call_back(client, case, url, auth_url)
            self.deliveries.append(status)
            if 200 <= status < 300 or not retries:
                return None
            again = self.clock.now() + timedelta(seconds=retries[0])
            return Outgoing(again, lambda next_client: attempt(next_client, retries[1:]))

        for _ in range(self.variants.callback_times):
            self.later(uploaded_at + 4 * self.variants.stage, attempt)

    def _call_back(self, client: httpx.Client, case: EmulatedCase, url: str, auth_url: str | None) -> int:
        """First a token from the auth URL, then the results (section 4.5). The HTTP status, 0 for no answer."""
        is_batch = "flow_uuid" not in case.request and case.id.startswith("BATCH")
        body = self._results_batch(case, None) if is_batch else self._results_v3(case)
        headers = {}
        try:
            if auth_url and self.variants.auth_call:
                granted = client.post(auth_url, json={})
                token = str(granted.json()["access_token"]) if granted.is_success else ""
                if not token:
                    return granted.status_code
                headers = {
                    "token": {"Token": token},
                    "bearer": {"Authorization": f"Bearer {token}"},
                    "bare": {"Authorization": token},
                    "none": {},
                }[self.variants.callback_header]
            return client.post(url, json=body, headers=headers).status_code
        except (httpx.HTTPError, ValueError, KeyError):
            return 0

    def _token_from(self, auth_url: str) -> str:
        """Atlas asks for a token when documents come, too (section 1.5 row 42); empty where nobody gives one."""
        try:
            with self._client() as client:
                granted = client.post(auth_url, json={})
            return str(granted.json()["access_token"]) if granted.is_success else ""
        except (httpx.HTTPError, ValueError, KeyError):
            return ""

    def _check_distance(self, case: EmulatedCase) -> None:
        """Not more often than that for each flow (section 1.5 row 32)."""
        now, looked_at = self.clock.now(), case.looked_at
        case.looked_at = now
        if looked_at is not None and now - looked_at < self.variants.poll_distance:
            self.refused_looks += 1
            raise _error(429, "polled too often")

    def _case(self, call: EmulatedRequest, *names: str) -> EmulatedCase:
        self._authenticated(call)
        for name in names:
            if not call.query.get(name):
                raise _error(400, f"Missing required ['{name}'] parameters")
        case = self.cases.get(call.query[names[0]])
        if case is None:
            raise _error(409, "Flow not found")
        return case

    def _case_of_body(self, call: EmulatedRequest, *names: str) -> EmulatedCase:
        self._authenticated(call)
        body = _body(call, *names)
        case = self.cases.get(body["flow_id"])
        if case is None:
            raise _error(409, "Flow not found")
        return case


def masked_card(specimen: Specimen | None) -> bytes:
    """A JPEG of an Aadhaar card with the last four digits of its number only."""
    number = str(specimen.fields.get("aadhaar_number", "")) if specimen else ""
    picture = Image.new("RGB", (420, 160), "white")
    ImageDraw.Draw(picture).text((20, 20), f"SPECIMEN\nXXXX XXXX {number[-4:]}", fill="black")
    content = io.BytesIO()
    picture.save(content, "JPEG")
    return content.getvalue()


def _body(call: EmulatedRequest, *required: str) -> dict[str, Any]:
    body = call.json()
    missing = [name for name in required if not body.get(name)]
    if missing:
        raise _error(400, f"Missing or empty required parameters: {missing}")
    return body


def _files_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each file needs its address and its id (sections 3.2, 3.6 and 3.13)."""
    listed: list[Mapping[str, Any]] = body["file_urls"]
    for name in ("file_url", "document_id"):
        if not isinstance(listed, list) or not all(isinstance(item, dict) and item.get(name) for item in listed):
            raise _error(400, f"Missing or empty required parameters: ['{name}']")
    return listed


def _paged(items: list[Any], call: EmulatedRequest | None, size: int) -> dict[str, Any]:
    asked = call.query.get("page", "1") if call else "1"
    if not (asked.isascii() and asked.isdigit()) or int(asked) < 1:
        raise _error(400, "page must be an integer")
    page = int(asked)
    pages = max(1, -(-len(items) // size))
    return {
        "data": items[(page - 1) * size : page * size],
        "page": page,
        "per_page": size,
        "total_pages": pages,
        "total_items": len(items),
        "has_next": page < pages,
        "has_prev": page > 1,
    }


def _similarity(left: str, right: str, equal: int) -> int:
    left, right = left.casefold(), right.casefold()
    if left == right:
        return equal
    if left and right and (set(left.split()) <= set(right.split()) or set(right.split()) <= set(left.split())):
        return equal
    return round(difflib.SequenceMatcher(None, left, right).ratio() * 100)


def _is_address(text: str) -> bool:
    return sum(char.isalnum() for char in text) >= 5


def _match(source: str, target: Mapping[str, Any]) -> dict[str, Any]:
    address, index = target.get("address"), target.get("index")
    answer: dict[str, Any] = {"source_address": source, "target_address": address, "index": index}
    if not address or index is None:
        problem = ("400", "Bad Request: address and index are needed")
    elif not _is_address(address):
        problem = ("422", "Unprocessable Entity: not an address")
    else:
        score = difflib.SequenceMatcher(None, source.casefold(), address.casefold()).ratio()
        scores = {"similarity_score": round(score * 100, 2), "same_person_score": round(score * 10)}
        return answer | scores | {"error_code": None, "error_message": None}
    return answer | {
        "similarity_score": None,
        "same_person_score": None,
        "error_code": problem[0],
        "error_message": problem[1],
    }


def _batch_id(now: datetime) -> str:
    letters = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(5))
    return f"BATCH-{secrets.randbelow(90000) + 10000}-{letters}-{now:%Y%m%d%H%M%S}"


def _jwt() -> str:
    return f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(24)}"


def _error(status: int, text: str) -> Refused:
    return Refused(EmulatedResponse(status, {"error": text}))


def _address_error(status: int, text: str) -> Refused:
    return Refused(EmulatedResponse(status, {"error_code": str(status), "error_message": text}))
