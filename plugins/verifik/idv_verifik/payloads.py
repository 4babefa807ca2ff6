"""What Verifik answers, as far as its shape is fixed (fact sheet section 3). Unknown keys are ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from idv_core.plugin import Exchange, Request, Response, UnexpectedResponse, structure

DUPLICATES = ("email_is_registered_already", "phone_is_registered_already")
ACCOUNT_TOKENS = (
    "PaymentRequired",
    "insufficient_credits",
    "ClientSmartEnrollPlan_not_found",
    "plan_not_found",
    "Project_not_found_or_featured_disabled",
    "Project_not_active",
    "collection_not_set",
    "Feature_not_available",
    "document_settings_not_set",
)
# Of calls that make something: what is missing is a setting of the project, not the flow (sections 3.4 and 3.6.1).
SETTING_TOKENS = ("project_not_found", "projectFlow_not_found", "security_not_set", "prompt_template_not_found")
UNREADABLE_TOKENS = (
    "could_not_compress_image",
    "image_is_required",
    "insecure_image_url",
    "failed_to_read",
    "failed_to_read_document",
    "document_type_not_detected",
    "document_number_is_not_extracted",
    "existing_document_validation_with_document_number",
)
# Of a selfie, in words whose status no page tells (section 3.7).
FACE_TEXTS = ("image is invalid for checking liveness", "the image has more than one face")
CALLER_TOKENS = ("MissingParameter", "PreconditionFailed", "BadRequest", "already_exists", "person_already_set")
# A score or a provider's word; what else stands behind an `@` may be half a mail address.
_WITH_DETAIL = re.compile(r"([A-Za-z_]+)@([0-9.]+|[A-Z][A-Z0-9_]*)?|([A-Za-z]+(?:_[A-Za-z]+)+)@([A-Za-z][A-Za-z0-9_]*)")
# A list that is longer is no list of one project's things; the operation must end.
_MOST_PAGES = 300
_STATUS_PREFIX = re.compile(r"^\d{3}:")


@attrs.frozen(kw_only=True)
class Said:
    """The words of an error body, whatever its shape (section 3.0.1): token, what stood behind `@`, code."""

    token: str = ""
    detail: str = ""
    code: str = ""
    body: Mapping[str, Any] = attrs.field(factory=dict)

    def names(self, *tokens: str) -> bool:
        """Whether token or code is one of these."""
        return self.token in tokens or self.code in tokens


def read_said(response: Response) -> Said:
    """Never raises: other types, an empty body or HTML give empty words."""
    body = response.json_object()
    if body is None:
        return Said()
    text = next((body[name] for name in ("message", "error") if isinstance(body.get(name), str)), "")
    token, detail = _STATUS_PREFIX.sub("", text.strip()).strip(), ""
    with_detail = _WITH_DETAIL.fullmatch(token)
    if with_detail is not None:
        token, detail = with_detail[1] or with_detail[3], with_detail[2] or with_detail[4] or ""
    code = body.get("code")
    return Said(token=token, detail=detail, code=code if isinstance(code, str) else "", body=body)


def unwrap(response: Response) -> Any:
    """What stands in `data`, or the body itself where there is no wrapper (section 1.7 rows 5 and 6)."""
    body = response.json()
    return body["data"] if isinstance(body, dict) and isinstance(body.get("data"), (dict, list)) else body


def read_object(response: Response) -> dict[str, Any]:
    """`unwrap`, but an object for certain."""
    return structure(unwrap(response), dict[str, Any], status=response.status)


def read_id(data: Mapping[str, Any], status: int | None = None) -> str:
    """`_id`, else `id` (section 1.7 row 7)."""
    id = data.get("_id") or data.get("id")
    if not isinstance(id, str) or not id:
        raise UnexpectedResponse("the answer has no _id", status=status)
    return id


def reference_id(value: object) -> str | None:
    """The id of a reference, which is a text or, populated, an object."""
    if isinstance(value, dict):
        value = value.get("_id") or value.get("id")
    return value if isinstance(value, str) and value else None


def read_list(path: str, query: Mapping[str, str]) -> Exchange[list[dict[str, Any]]]:
    """All pages, ended by one that brings nothing new.

    Servers give less than they are asked for, ignore `page`, or repeat the last page, and what they say of `total` and
    `pages` differs (section 1.7 row 27), so only what comes counts. A 404 or nothing past the first page ends the list, unless
    the page before said that there is more. Raises UnexpectedResponse for what is no list, and where new things never end.
    """
    more = True
    items: dict[str, dict[str, Any]] = {}
    for page in range(1, _MOST_PAGES + 1):
        paging = {"page": str(page), "limit": "100", "perPage": "100"}
        reply = yield Request.get(path, query={**query, **paging}, accept={404})
        body = reply.json_object() if reply.status == 404 else reply.json()
        data = body.get("data") if isinstance(body, dict) else body
        # an empty object holds nothing, and so does an empty list
        data = [] if data == {} and reply.is_success else data
        if not more and ((reply.status == 404 and body is not None) or (data is None and isinstance(body, dict))):
            return list(items.values())
        if reply.status == 404 or not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise UnexpectedResponse("the answer is no list, or the list broke off", status=reply.status)
        seen = len(items)
        for item in data:
            items.setdefault(reference_id(item) or json.dumps(item, sort_keys=True), item)
        if len(items) == seen:
            return list(items.values())
        more = _promises_more(body, page, len(items))
    raise UnexpectedResponse("the vendor's list does not end", status=reply.status)


def _promises_more(body: Any, page: int, seen: int) -> bool:
    said = body if isinstance(body, dict) else {}
    pages, total = said.get("pages"), said.get("total")
    return (isinstance(pages, int) and pages > page) or (isinstance(total, int) and total > seen)


@attrs.frozen(kw_only=True)
class SessionToken:
    """Answer of renewal, and of revoke-and-renew (section 2.4)."""

    accessToken: str | None = None
    token: str | None = None


@attrs.frozen(kw_only=True)
class RegistrationCreated:
    """Section 3.3.1. References are ids, or objects where they are populated."""

    appRegistration: Any
    token: str
    informationValidation: Any = None


@attrs.frozen(kw_only=True)
class Synced:
    """Section 3.3.4."""

    status: str
    token: str | None = None
    appRegistrationId: Any = None


@attrs.frozen(kw_only=True)
class LinkResent:
    """Section 3.3.5."""

    token: str
    status: Any = None
    expiresAt: Any = None
    appRegistrationId: Any = None
