"""Verification v3: one flow for each application, documents by URL, extraction, cross-checks (sections 3.1 to 3.4)."""

from __future__ import annotations

from typing import Any

import attrs

from idv_core.plugin import (
    CheckKind,
    Deferred,
    Document,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Request,
    Result,
    ResultCapabilities,
    structure,
)

from .account import AtlasAccount, check_id, opened_id, options_of, same_case, unnamed
from .mapping import answer_doubts, read_cross_checks, read_documents, read_id, read_master_status
from .masking import public
from .payloads import Extracts, VerificationStatus
from .uploads import file_urls, knows_uploads, read_uploads, refuse_twice, upload_doubts
from .vocabulary import CROSS_CHECKS


@attrs.frozen
class AtlasVerification(AtlasAccount):
    """Family `verification`."""

    result_capabilities = ResultCapabilities(
        checks={CheckKind.CROSS_CHECK}, scored={CheckKind.CROSS_CHECK}, documents=True, verdict=False
    )
    covered_checks = frozenset(f"cross_check.{name}" for name in CROSS_CHECKS.values())

    def _path(self, call: str) -> str:
        return f"/{self.settings.api_version}/verification/{call}"

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        options = options_of(order)
        urls = order.urls
        auth_url = urls.webhook("auth") if urls else options.get("auth_url")
        callback_url = urls.webhook("results") if urls else options.get("callback_url")
        if not isinstance(auth_url, str) or not isinstance(callback_url, str) or not auth_url or not callback_url:
            raise InvalidOrder(
                "Atlas verification needs addresses to call back: give the gateway Webhooks(url, key)",
                fields=("webhooks",),
            )
        body = {
            "product_type": self.product_type(order),
            "application_id": order.application_id,
            "auth_url": auth_url,
            "callback_url": callback_url,
            "flow_params": options["flow_params"],
        }
        reply = yield Request.post(self._path("flow/init"), json=body)
        id = opened_id(reply, application_id=order.application_id, product_type=body["product_type"])
        return Flow(id=id, status=FlowStatus.OPEN)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        id = check_id(flow.id)
        body = {"flow_uuid": id, "file_urls": file_urls(documents)}
        if not knows_uploads(flow):
            extracts, _ = yield from self._extracts(id)
            refuse_twice(documents, {read_id(entry.get("document_id")) or "" for entry in extracts.ocr_data})
        reply = yield Request.post(self._path("multiupload"), json=body)
        uploads = flow.uploads + read_uploads(reply, documents)
        return attrs.evolve(flow, status=FlowStatus.PROCESSING, uploads=uploads)

    def status(self, flow: Flow) -> Exchange[Flow]:
        id = check_id(flow.id)
        reply = yield Request.get(self._path("status"), query={"flow_uuid": id})
        answer = reply.json()
        same_case(answer, id, "flow_uuid", "flow_id", status=reply.status)
        status = structure(answer, VerificationStatus, status=reply.status)
        return attrs.evolve(flow, status=read_master_status(status.master_status))

    def result(self, flow: Flow) -> Exchange[Result]:
        """A FAILED flow is failed technically; what could be read is reported all the same (section 5.4)."""
        flow = yield from self.status(flow)
        if not flow.status.is_settled:
            return Result(flow=flow)
        extracts, answer = yield from self._extracts(flow.id)
        is_named = same_case(answer, flow.id, "flow_uuid", "flow_id") or not self.settings.extracts_name_flow
        sent = [upload.document_id for upload in flow.uploads]
        reading = read_documents(extracts.ocr_data, "data", sent)
        return Result(
            flow=flow,
            documents=reading.documents,
            checks=reading.checks + tuple(read_cross_checks(extracts.cross_checks or ())),
            doubts=(
                *reading.doubts,
                *answer_doubts(answer, "ocr_data", "cross_checks"),
                *unnamed(is_named),
                *upload_doubts(flow, reading.ids),
            ),
            raw=Deferred(lambda: public(answer)),
        )

    def _extracts(self, id: str) -> Exchange[tuple[Extracts, Any]]:
        reply = yield Request.get(self._path("extracts"), query={"flow_uuid": id})
        answer = reply.json()
        same_case(answer, id, "flow_uuid", "flow_id", status=reply.status)
        return structure(answer, Extracts, status=reply.status), answer
