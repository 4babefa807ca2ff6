"""The name of an order at Plaid: its `client_user_id`.

Plaid keeps one verification for each `client_user_id` and template, and gives that one again. So the name must be as particular
as the order: two people with one application id, or a shadow and its flow, are never one verification.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256

import attrs

from idv_core.plugin import FlowOrder, subject_of

_SHADOW = ".shadow"
_FORM = re.compile(r"(?P<application>.+)\.(?P<subject>[0-9a-f]{12})\.(?P<mark>[0-9a-f]{12})(?P<shadow>\.shadow)?", re.S)


@attrs.frozen(kw_only=True)
class UserId:
    """What a `client_user_id` of ours tells: the application, whose it is (`Flow.subject`), and whether a shadow opened it."""

    application_id: str
    subject: str
    is_shadow: bool


def user_id(order: FlowOrder) -> str:
    """`APP-1.6b86b273ff34.d4735e3a265e`: application, applicant, and what else the order is named by; `.shadow` behind it.

    The application id is legible in Plaid's dashboard; the applicant's reference, tenant and product are hashes.
    """
    mark = sha256(json.dumps([order.tenant, order.product]).encode()).hexdigest()[:12]
    shadow = _SHADOW if order.is_shadow else ""
    return f"{order.application_id}.{subject_of(order.applicant.reference)}.{mark}{shadow}"


def read_user_id(text: str) -> UserId | None:
    """What `user_id` wrote; None for one that somebody else made (a dashboard, another program)."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    return UserId(application_id=found["application"], subject=found["subject"], is_shadow=bool(found["shadow"]))
