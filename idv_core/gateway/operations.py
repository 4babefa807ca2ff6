"""Operations on an open flow and on an account. Steps without I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .. import model
from ..engine.account import AccountSession
from ..engine.context import Trail
from ..engine.effects import Blocking, Lock, Steps
from ..engine.limiters import Slot
from ..engine.redaction import redact_check, redact_result
from ..errors import IdvError, InvalidOrder, UnsupportedOperation
from ..model import Flow, Result, Secret
from ..model.words import near, quoted
from ..plugin.http import Exchange
from ..plugin.protocols import (
    CredentialsProtocol,
    LinkProtocol,
    StreamedUploadProtocol,
    SubmitProtocol,
    TemplateProtocol,
    TokenProtocol,
    UploadProtocol,
    WebhookProtocol,
    status_of,
)
from .decision import decide
from .documents import check_documents, check_pictures, check_url, read_document
from .execution import SHADOW_SECONDS, check_granted, execute, execute_on_flow, flow_at, needs, once, unnoticed
from .state import GatewayState

if TYPE_CHECKING:
    from ..model import Document, ProvisionedTemplate, Template, Upload

T = TypeVar("T")


def check_credentials(state: GatewayState, account: str | None) -> Steps[bool]:
    """Whether they could be tried. Raises the error of the call if they are no good."""
    session = state.active.session(account)
    if isinstance(session.adapter, CredentialsProtocol):
        yield from execute(state, session, "check_credentials", lambda a: a.check_credentials())
    elif isinstance(session.adapter, TokenProtocol):
        yield from execute(state, session, "check_credentials", lambda a: a.obtain_token(None))
    else:
        return False
    return True


def upload(state: GatewayState, flow: Flow | str, documents: Sequence[Document]) -> Steps[Flow]:
    session, flow = flow_at(state, flow)
    needs(session, UploadProtocol, "upload", "the applicant uploads the documents on the vendor's page")
    documents = check_documents(documents)
    ids = [document.id for document in documents]
    known = {upload.document_id for upload in flow.uploads if upload.accepted}
    twice = [id for id in ids if ids.count(id) > 1 or id in known]
    if twice or not ids:
        raise InvalidOrder(
            f"document ids must be unique in the flow; {twice[0]!r} is already used"
            if twice
            else "documents must hold at least one Document",
            fields=tuple(dict.fromkeys(twice)),
            account=session.name,
            operation="upload",
        )
    if not session.limits.allow_private_urls:
        documents = [_checked(document) for document in documents]
    limit = session.limits.max_upload
    keeps_files = _keeps_files(session) and (flow.shadow is None or _keeps_files_at(state, flow.shadow))
    loaded = yield Blocking(
        lambda: tuple(read_document(document, limit, keeps_files) for document in documents), session.limits.operation
    )
    flow = yield from _upload(state, loaded, session, flow)
    return (yield from also(state, flow, "upload", UploadProtocol, partial(_upload, state, loaded)))


def _keeps_files(session: AccountSession) -> bool:
    return isinstance(session.adapter, StreamedUploadProtocol) and bool(session.adapter.streams_uploads)


def _keeps_files_at(state: GatewayState, shadow: Flow) -> bool:
    try:
        return _keeps_files(state.active.session_of_flow(shadow.account))
    except IdvError:
        return False


def _upload(
    state: GatewayState, loaded: tuple[Document, ...], session: AccountSession, flow: Flow, seconds: float | None = None
) -> Steps[Flow]:
    check_pictures(loaded, session.adapter)
    flow = yield from execute_on_flow(
        state, session, "upload", flow, lambda adapter: adapter.upload(flow, loaded), seconds
    )
    return attrs.evolve(flow, uploads=(_redacted(upload) for upload in flow.uploads))


def submit(state: GatewayState, flow: Flow | str) -> Steps[Flow]:
    session, before = flow_at(state, flow)
    key = ("submit", state.active.owner(before.account), before.id)
    limiter, slot = state.openings.line(key), Slot()
    try:
        if not limiter.take(slot):
            yield Lock(limiter, slot, session.limits.operation)
            check_granted(slot, "submit")
        after = yield from once(
            state, session, key, "submit", lambda trail: _submit(state, session, before, None, trail)
        )
    finally:
        limiter.give_back(slot)
    return (yield from also(state, after, "submit", SubmitProtocol, partial(_submit, state)))


def _submit(
    state: GatewayState, session: AccountSession, flow: Flow, seconds: float | None = None, trail: Trail | None = None
) -> Steps[Flow]:
    if not isinstance(session.adapter, SubmitProtocol):
        return flow
    return (
        yield from execute_on_flow(state, session, "submit", flow, lambda adapter: adapter.submit(flow), seconds, trail)
    )


def also(
    state: GatewayState,
    flow: Flow,
    operation: str,
    protocol: type,
    act: Callable[[AccountSession, Flow, float], Steps[Flow]],
) -> Steps[Flow]:
    """The same with the flow's shadow, where its vendor can; what goes wrong there changes nothing, and it takes no
    longer than a shadow may."""
    shadow = flow.shadow
    if shadow is None:
        return flow

    def steps() -> Steps[Flow]:
        session = state.active.session_of_flow(shadow.account)
        if not isinstance(session.adapter, protocol):
            return shadow
        return (yield from act(session, shadow, SHADOW_SECONDS))

    after = yield from unnoticed(shadow.account, operation, steps())
    return attrs.evolve(flow, shadow=after or shadow)


def status(state: GatewayState, flow: Flow | str) -> Steps[Flow]:
    session, flow = flow_at(state, flow)
    return (yield from execute_on_flow(state, session, "status", flow, lambda adapter: status_of(adapter, flow)))


def renew_link(state: GatewayState, flow: Flow | str) -> Steps[Flow]:
    session, flow = flow_at(state, flow)
    needs(session, LinkProtocol, "renew_link", "its links cannot be renewed")
    return (yield from execute_on_flow(state, session, "renew_link", flow, lambda adapter: adapter.renew_link(flow)))


def result(state: GatewayState, flow: Flow | str, seconds: float | None = None) -> Steps[Result]:
    session, flow = flow_at(state, flow)
    result = yield from execute(state, session, "result", lambda adapter: adapter.result(flow), Result, seconds=seconds)
    decided = decide(state, session, flow, redact_result(result))
    opened_at = decided.flow.created_at
    seconds = (state.clock.now() - opened_at).total_seconds() if opened_at is not None else None
    state.decisions.tell(state.observers, decided, seconds)
    return decided


def provision(state: GatewayState, template: Template, account: str | None) -> Steps[ProvisionedTemplate]:
    session = state.active.session(account)
    needs(session, TemplateProtocol, "provision", "the vendor's staff creates the templates, or the order carries them")
    receiver = state.active.receiver
    if receiver is not None and template.webhook_url is None and isinstance(session.adapter, WebhookProtocol):
        urls = receiver.urls(session.name, None)
        template = attrs.evolve(template, webhook_url=urls.webhook("events"))
    made = yield from execute(
        state, session, "provision", lambda adapter: adapter.provision(template), model.ProvisionedTemplate
    )
    return made


def vendor(state: GatewayState, name: str, call: Callable[[Any], Exchange[T]], account: str | None) -> Steps[T]:
    session = state.active.session(account)

    def begin(adapter: Any) -> Exchange[T]:
        try:
            return call(adapter)
        except AttributeError as error:
            if error.obj is not adapter:
                raise
            # what the caller wrote, so no bug of the plugin
            hint = near(error.name, [word for word in dir(adapter) if not word.startswith("_")])
            raise UnsupportedOperation(f"plugin {session.plugin!r} has no {quoted(error.name)}{hint}") from None

    return (yield from execute(state, session, name, begin))


def _checked(document: Document) -> Document:
    """With the address as it was read, where it has one."""
    return (
        attrs.evolve(document, url=Secret(check_url(document.id, document.url.reveal()))) if document.url else document
    )


def _redacted(upload: Upload) -> Upload:
    return upload if upload.check is None else attrs.evolve(upload, check=redact_check(upload.check))
