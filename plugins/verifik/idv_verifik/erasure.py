"""Deleting a registration and what was made of it (fact sheet sections 3.3.6, 3.6.3, 3.7 and 7 row 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import (
    Erasure,
    ErasureStatus,
    Exchange,
    Flow,
    FlowNotFound,
    NotAccepted,
    Request,
    UnexpectedResponse,
)

from .payloads import reference_id
from .registrations import Registrations, path_id

_LEFT = (
    "the registration, its documents and its selfies are deleted. Whether the pictures, the name and search results, and the "
    "person in the face collection are gone too, Verifik's pages do not say: ask Verifik in writing"
)
_GONE = (
    "Verifik has no such registration: it was deleted, or there never was one of this id. Whether pictures and the person in "
    "the face collection are gone too, Verifik's pages do not say: ask Verifik in writing"
)
_VALIDATIONS = (
    ("documentValidation", "failedDocumentValidations", "/v2/document-validations/{}"),
    ("biometricValidation", "failedBiometricValidations", "/v2/biometric-validations/{}"),
)


def erase(registrations: Registrations, flow: Flow) -> Exchange[Erasure]:
    """Documents and selfies first, the registration, which names them, last: what breaks off can be done again.

    It never says `done`, for no page tells what becomes of the pictures. Raises FlowNotFound for a bare reference of which
    Verifik knows nothing: it may be wrong.
    """
    registration = yield from registrations.look_for(flow)
    if registration is None:
        if flow.created_at is None:
            raise FlowNotFound(_GONE, status=404)
        return Erasure(status=ErasureStatus.REQUESTED, reason=_GONE)
    for path, id in _parts(registration):
        yield from _delete(path, id)
    yield from _delete("/v2/app-registrations/{}", path_id(flow))
    return Erasure(status=ErasureStatus.REQUESTED, reason=_LEFT)


def _parts(registration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for current, earlier, path in _VALIDATIONS:
        failed = registration.get(earlier)
        for told in (registration.get(current), *(failed if isinstance(failed, list) else ())):
            id = reference_id(told)
            if id is not None:
                yield path, id


def _delete(path: str, id: str) -> Exchange[None]:
    """What is gone already is fine, if it is Verifik that says so and not some page on the way."""
    request = Request.delete(path, id, accept={404})
    reply = yield request
    if reply.status == 404 and reply.json_object() is None:
        raise NotAccepted(request, reply)
    if (reply.json_object() or {}).get("success") is False and reply.is_success:
        raise UnexpectedResponse("Verifik answered that it deleted nothing", status=reply.status)
