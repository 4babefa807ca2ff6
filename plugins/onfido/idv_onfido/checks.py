"""Checks: documents and live photos are handed in by API, then a check is asked for. An applicant is our flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    JPEG,
    PDF,
    PNG,
    Check,
    CheckKind,
    CheckOutcome,
    Coverage,
    Document,
    Erasure,
    Exchange,
    FilePart,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Media,
    MediaKind,
    NotAccepted,
    Polling,
    Reason,
    Request,
    Response,
    Result,
    ResultCapabilities,
    UnexpectedResponse,
    Upload,
    UploadKind,
    VendorVerdict,
    failures_in,
    picture_type,
)

from .account import OnfidoAccount, id_of, moment, new_id, sdk_session
from .applicants import COUNTRY_CODES, Created
from .mapping import (
    DOCUMENT_TYPES,
    KINDS,
    SCORED,
    SENT_TYPES,
    Report,
    as_object,
    as_text,
    checks_of,
    public,
    read_reports,
)
from .media import captures, download_capture

# What is read of a check, or is about the check itself.
_CHECK = frozenset(
    {
        "id", "applicant_id", "applicant_provides_data", "created_at", "form_uri", "href", "privacy_notices_read_consent_given",
        "redirect_uri", "report_ids", "result", "results_uri", "sandbox", "status", "tags", "version", "webhook_ids",
    }
)  # fmt: skip
_STATUS = {
    "in_progress": FlowStatus.PROCESSING,
    "awaiting_applicant": FlowStatus.AWAITING_APPLICANT,
    "paused": FlowStatus.PROCESSING,
    "reopened": FlowStatus.PROCESSING,
    "complete": FlowStatus.FINISHED,
    "withdrawn": FlowStatus.CANCELLED,
}


# Of a token that was asked for (documentation.onfido.com/api/latest#generate-sdk-token).
_TOKEN_LIFE = timedelta(minutes=90)


@attrs.frozen(kw_only=True)
class SdkToken:
    token: str


@attrs.frozen(kw_only=True)
class OneCheck:
    """A check as it is listed."""

    id: str
    applicant_id: str
    status: str | None = None
    result: str | None = None
    report_ids: tuple[str, ...] | None = None
    created_at: str | None = None
    sandbox: bool | None = None


@attrs.frozen(kw_only=True)
class ListedChecks:
    checks: tuple[OneCheck, ...]


@attrs.frozen(kw_only=True)
class ListedReports:
    reports: tuple[dict[str, Any], ...]


@attrs.frozen
class OnfidoChecks(OnfidoAccount):
    """Family `checks`. There is no `recover`: an applicant carries nothing of ours by which it could be found."""

    polling = Polling(first=timedelta(seconds=10), ceiling=timedelta(minutes=5))
    result_capabilities = ResultCapabilities(checks=KINDS, scored=SCORED, documents=True, verdict=True)
    accepts = {UploadKind.DOCUMENT: frozenset({JPEG, PNG, PDF}), UploadKind.SELFIE: frozenset({JPEG, PNG})}  # noqa: RUF012

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        id = yield from self.create_applicant(order, idempotent=False)
        flow = Flow(id=id, status=FlowStatus.OPEN)
        told = {"referrer": self.settings.sdk_referrer, "application_id": self.settings.sdk_application_id}
        asked = {name: value for name, value in told.items() if value}
        if not asked:
            return flow
        reply = yield Request.post("/sdk_token", json={"applicant_id": id, **asked}, idempotent=True)
        token = reply.structure(SdkToken).token
        return attrs.evolve(flow, sdk=sdk_session(token, reply.received_at + _TOKEN_LIFE))

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        """One call for each picture. A second copy does no harm: the check is told which ones it is about."""
        uploads: list[Upload] = []
        for document in documents:
            if document.kind is UploadKind.SELFIE:
                uploads.append((yield from self._live_photo(flow, document)))
            else:
                uploads.append((yield from self._document(flow, document)))
        return attrs.evolve(flow, uploads=(*flow.uploads, *uploads))

    def submit(self, flow: Flow) -> Exchange[Flow]:
        """Ask for the check, unless there is one already."""
        last, _ = yield from self._last(flow)
        if last is None:
            ids = [id for upload in flow.uploads for name, id in upload.vendor_ids.items() if name in ("front", "back")]
            body: dict[str, Any] = {"applicant_id": flow.id, "report_names": list(self.settings.report_names)}
            reply = yield Request.post("/checks", json=body | ({"document_ids": ids} if ids else {}))
            made = reply.structure(OneCheck)
            if made.applicant_id != flow.id:
                raise UnexpectedResponse("the check is of another applicant", status=reply.status)
            new_id(made.id, reply)
            return attrs.evolve(flow, status=FlowStatus.PROCESSING)
        return attrs.evolve(flow, status=_status(last))

    def status(self, flow: Flow) -> Exchange[Flow]:
        last, _ = yield from self._last(flow)
        return _become(flow, last)

    def result(self, flow: Flow) -> Exchange[Result]:
        """The applicant's last check with its reports."""
        last, doubts = yield from self._last(flow)
        flow = _become(flow, last)
        if last is None or flow.status is not FlowStatus.FINISHED:
            return Result(flow=flow, vendor_word=last.status[:40] if last and last.status else None)
        reply = yield Request.get("/reports", query={"check_id": last.id})
        found = reply.structure(ListedReports).reports
        if any(report.get("check_id") not in (None, last.id) for report in found):
            raise UnexpectedResponse("a report is of another check", status=reply.status)
        if any(report.get("applicant_id") not in (None, flow.id) for report in found):
            raise UnexpectedResponse("a report is of another applicant", status=reply.status)
        reports = tuple(Report(str(report.get("name")), report) for report in found)
        ours = {id: upload.document_id for upload in flow.uploads for id in upload.vendor_ids.values()}
        checks, documents = read_reports(reports, ours)
        whole = {*(last.report_ids or ())} <= {report.get("id") for report in found}
        good = last.result == "clear" and whole and all(check.outcome is CheckOutcome.PASSED for check in checks)
        return Result(
            flow=flow,
            checks=checks,
            documents=documents,
            verdict=VendorVerdict.POSITIVE if good and checks else VendorVerdict.DOUBTFUL,
            vendor_word=(last.result or last.status or "")[:40] or None,
            doubts=(*doubts, *self._doubts(last, found)),
            is_test=self.settings.key_mode == "test"
            or any(told not in (None, False) for told in (last.sandbox, *(report.get("sandbox") for report in found))),
            raw=public({"id": last.id, "status": last.status, "result": last.result}, reports),
        )

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        return (yield from self.erase_applicant(id_of(flow), is_known=False))

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        """What the applicant handed in, and the last check as PDF once it has ended."""
        found = yield from captures(id_of(flow))
        last, _ = yield from self._last(flow)
        if last is None or not _status(last).is_settled:
            return found
        return (*found, Media(id=f"checks/{last.id}", kind=MediaKind.REPORT, content_type=PDF))

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        last, _ = (yield from self._last(flow)) if media.id.startswith("checks/") else (None, ())
        if last is not None and media.id == f"checks/{last.id}":
            yield Request.get("/checks/{}/download", last.id, streamed=True)
        else:
            yield from download_capture(id_of(flow), media)

    def coverage(self) -> Exchange[Coverage]:
        """Onfido's types, and what the reports of the settings check. Which countries it reads no call tells."""
        yield from ()
        return Coverage(document_types=DOCUMENT_TYPES.values(), checks=checks_of(self.settings.report_names))

    def _doubts(self, check: OneCheck, reports: tuple[dict[str, Any], ...]) -> Iterator[Reason]:
        """What the check could have said of its reports, and they of it."""
        if any(report.get("check_id") is None for report in reports):
            yield Reason("report.unnamed", "a report does not say which check it is of")
        if check.report_ids is None:
            for name in sorted({*self.settings.report_names} - {str(report.get("name")) for report in reports}):
                yield Reason("report.missing", f"there is no report {name}, and the check does not say which it has")

    def flow_of(self, payload: Mapping[str, Any]) -> str | None:
        """Only some events name the applicant."""
        return as_text(as_object(payload.get("resource")).get("applicant_id"))

    def _document(self, flow: Flow, document: Document) -> Exchange[Upload]:
        country = document.country and COUNTRY_CODES[document.country]
        fields = {"applicant_id": id_of(flow), "type": _sent_type(document)}
        if country:
            fields["issuing_country"] = country
        ids: dict[str, str] = {}
        for side, content in (("front", document.content), ("back", document.back_content)):
            if side == "front" or content is not None:
                form = {**fields, "side": side, "file": _file(document, content)}
                reply = yield Request.post("/documents", form=form, idempotent=True)
                ids[side] = _stored(flow, reply)
        return Upload(document_id=document.id, vendor_ids=ids)

    def _live_photo(self, flow: Flow, photo: Document) -> Exchange[Upload]:
        """A photo without exactly one face is refused; that is evidence, not an error of ours."""
        request = Request.post(
            "/live_photos",
            form={"applicant_id": id_of(flow), "file": _file(photo, photo.content)},
            idempotent=True,
            accept={422},
        )
        reply = yield request
        if reply.is_success:
            return Upload(document_id=photo.id, vendor_ids={"live_photo": _stored(flow, reply)})
        if "face_detection" not in self.read_error(request, reply).fields:
            raise NotAccepted(request, reply)
        check = Check(
            kind=CheckKind.FACE_MATCH,
            name="other",
            vendor_name="face_detection",
            outcome=CheckOutcome.INCONCLUSIVE,
            reasons=("face_detection",),
            document_id=photo.id,
        )
        return Upload(document_id=photo.id, accepted=False, check=check)

    def _last(self, flow: Flow) -> Exchange[tuple[OneCheck | None, tuple[Reason, ...]]]:
        """The applicant's last check, and a doubt where it is not certain that it is the last."""
        reply = yield Request.get("/checks", query={"applicant_id": id_of(flow)})
        checks = reply.structure(ListedChecks).checks
        if any(check.applicant_id != flow.id for check in checks):
            raise UnexpectedResponse("a check is of another applicant", status=reply.status)
        for check in checks:
            self.check_mode(sandbox=check.sandbox, reply=reply)
        made = [(moment(check.created_at), check) for check in checks]
        last = max(made, key=lambda one: one[0].timestamp() if one[0] else 0.0, default=(None, None))[1]
        doubts = []
        if len(made) > 1 and not all(when for when, _ in made):
            doubts.append(Reason("check.order_unknown", "which of several checks was the last is not known"))
        listed = as_object(reply.json()).get("checks", [])
        told = [one for one in listed if last is not None and one.get("id") == last.id]
        rest = [{key: value for key, value in one.items() if key not in _CHECK} for one in told]
        if failed := failures_in(rest):
            doubts.append(Reason("check.failure", f"the check tells of a failure: {', '.join(failed)}"))
        return last, tuple(doubts)


def _stored(flow: Flow, reply: Response) -> str:
    """The id of a file that was handed in for the flow's applicant."""
    stored = reply.structure(Created)
    if stored.applicant_id not in (None, flow.id):
        raise UnexpectedResponse("the file was stored for another applicant", status=reply.status)
    return new_id(stored.id, reply)


def _become(flow: Flow, check: OneCheck | None) -> Flow:
    """A check that is complete may be reopened at Onfido (status `reopened`)."""
    status = FlowStatus.OPEN if check is None else _status(check)
    return attrs.evolve(flow, status=status, may_reopen=status is FlowStatus.FINISHED)


def _status(check: OneCheck) -> FlowStatus:
    return _STATUS.get(check.status or "", FlowStatus.PROCESSING)


def _sent_type(document: Document) -> str:
    """Onfido's word for the type; `unknown` lets Onfido find out."""
    if document.type is None:
        return "unknown"
    word = SENT_TYPES.get(document.type)
    if word is None:
        takes = ", ".join(SENT_TYPES)
        raise InvalidOrder(
            f"document {document.id!r}: Onfido has no word for type {document.type.value!r}; leave type out or give {takes}",
            fields=("documents",),
        )
    return word


_SUFFIXES = {JPEG: "jpg", PNG: "png", PDF: "pdf"}


def _file(document: Document, content: object) -> FilePart:
    """Onfido takes JPEG, PNG and PDF; the gateway lets nothing else through."""
    if not isinstance(content, bytes):
        raise InvalidOrder(f"document {document.id!r}: Onfido takes files, not addresses", fields=("documents",))
    kind = picture_type(content)
    return FilePart(f"picture.{_SUFFIXES.get(kind or '', 'bin')}", content, kind or "application/octet-stream")
