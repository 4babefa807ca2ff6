"""Verification v3: one flow for each application, documents by URL, extraction, cross-checks (sections 3.1 to 3.4)."""

from __future__ import annotations

import attrs

from idv_core.errors import InvalidOrder, UnexpectedResponse
from idv_core.model import CheckKind, Deferred, Document, Flow, FlowOrder, FlowStatus, Result
from idv_core.protocols import Evidence
from idv_core.wire import Exchange, Request, structure

from .account import AtlasAccount, file_urls, read_uploads
from .mapping import public, read_cross_checks, read_documents, read_master_status
from .payloads import Extracts, FlowCreated, VerificationStatus


@attrs.frozen
class AtlasVerification(AtlasAccount):
    """Family `verification`."""

    evidence = Evidence(checks={CheckKind.CROSS_CHECK}, scored={CheckKind.CROSS_CHECK}, documents=True, verdict=False)

    def _path(self, call: str) -> str:
        return f"/{self.settings.api_version}/verification/{call}"

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        options = order.vendor_options.get("atlas", {})
        urls = order.callbacks
        auth_url = urls.url("auth") if urls else options.get("auth_url")
        callback_url = urls.url("results") if urls else options.get("callback_url")
        if not auth_url or not callback_url:
            raise InvalidOrder(
                "Atlas verification needs addresses to call back: give the gateway Callbacks(url, key)",
                fields=("callbacks",),
            )
        body = {
            "product_type": self.product_type(order),
            "application_id": order.application_id,
            "auth_url": auth_url,
            "callback_url": callback_url,
            "flow_params": dict(options.get("flow_params", {})),
        }
        reply = yield Request.post(self._path("flow/init"), json=body)
        id = reply.structure(FlowCreated).id
        if not id:
            raise UnexpectedResponse("the answer has no flow_uuid", status=reply.status)
        return Flow(id=id, status=FlowStatus.OPEN)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        body = {"flow_uuid": flow.id, "file_urls": file_urls(documents)}
        reply = yield Request.post(self._path("multiupload"), json=body)
        uploads = flow.uploads + read_uploads(reply, documents)
        return attrs.evolve(flow, status=FlowStatus.PROCESSING, uploads=uploads)

    def status(self, flow: Flow) -> Exchange[Flow]:
        reply = yield Request.get(self._path("status"), query={"flow_uuid": flow.id})
        return attrs.evolve(flow, status=read_master_status(reply.structure(VerificationStatus).master_status))

    def result(self, flow: Flow) -> Exchange[Result]:
        """A FAILED flow is failed technically; what could be read is reported all the same (section 5.4)."""
        flow = yield from self.status(flow)
        if not flow.status.is_final:
            return Result(flow=flow)
        reply = yield Request.get(self._path("extracts"), query={"flow_uuid": flow.id})
        answer = reply.json()
        extracts = structure(answer, Extracts, status=reply.status)
        if extracts.flow_uuid not in (None, flow.id):
            raise UnexpectedResponse("the extracts are of another flow", status=reply.status)
        sent = [upload.document_id for upload in flow.uploads]
        documents, checks = read_documents(extracts.ocr_data, "data", sent)
        cross_checks = tuple(read_cross_checks(extracts.cross_checks or ()))
        return Result(
            flow=flow, documents=documents, checks=checks + cross_checks, raw=Deferred(lambda: public(answer))
        )
