"""A flow: one applicant's verification at one vendor. It is a value; its reference is one short string."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import attrs

from .applicant import Applicant
from .document import Upload
from .document_types import DocumentType, document_types
from .explanation import Explanation
from .policy import Policy
from .redacted import not_pickled
from .secret import Secret
from .validation import (
    are_json_options,
    are_named_texts,
    as_tuple,
    if_mapping,
    is_aware,
    is_return_url,
    is_text,
    plain_mapping,
    text,
)


class FlowStatus(StrEnum):
    """How far a flow is, which says nothing about the person.

    `OPEN` waits for uploads, `AWAITING_APPLICANT` for the applicant at the hosted page, `PROCESSING` for the vendor. `FAILED`
    means that the vendor could not finish it, `ERASED` that it has no data of it any more.
    """

    OPEN = "open"
    AWAITING_APPLICANT = "awaiting_applicant"
    PROCESSING = "processing"
    FINISHED = "finished"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ERASED = "erased"

    @property
    def is_settled(self) -> bool:
        """There is nothing to wait for now. It may still change: see `Flow.may_reopen`."""
        return self in _SETTLED


_SETTLED = frozenset(
    {FlowStatus.FINISHED, FlowStatus.EXPIRED, FlowStatus.CANCELLED, FlowStatus.FAILED, FlowStatus.ERASED}
)


_LONGEST_REF = 1000

RETURN = "return"
"""The one purpose that is the applicant's browser. Every other word is for the vendor's server."""


def _secret(url: str | Secret) -> Secret:
    return Secret(url) if isinstance(url, str) else url


@attrs.frozen
class Link:
    """Where the applicant goes.

    Args:
        url: A secret: whoever has it can act as the applicant.
        expires_at: When it expires, with a time zone.
    """

    url: Secret = attrs.field(converter=_secret)
    expires_at: datetime | None = attrs.field(default=None, validator=is_aware)


@attrs.frozen(kw_only=True)
class SdkSession:
    """What the vendor's own SDK is started with in the applicant's app or page.

    Args:
        kind: Which SDK, in the vendor's words: `stripe_js`, `plaid_link`.
        token: A secret for this applicant's device alone.
        expires_at: The end of the token, with a time zone.
    """

    kind: str
    token: Secret
    expires_at: datetime | None = attrs.field(default=None, validator=is_aware)


@attrs.frozen
class FlowUrls:
    """The addresses that the core hands out for one flow, one for each purpose. An address is good for its purpose only.

    `sign` makes the address of a purpose. The same order always gets the same addresses.
    """

    sign: Callable[[str], Secret] = attrs.field(repr=False)

    def webhook(self, purpose: str) -> str:
        """The address for the vendor's server. It holds a secret: never let the applicant's browser see it.

        `purpose` is a word of a-z, 0-9, `_` and `-`, such as `events`. Raises ValueError for `return`.
        """
        if purpose == RETURN:
            raise ValueError("purpose: 'return' is for the applicant's browser; use return_url()")
        return self.sign(purpose).reveal()

    def return_url(self) -> str:
        """The address to which the applicant's browser comes back. It proves a visit and nothing else."""
        return self.sign(RETURN).reveal()


@not_pickled
@attrs.frozen(kw_only=True)
class FlowOrder:
    """A request to verify a person.

    Strings have at most 200 characters unless noted, and no control characters.

    Args:
        product: Your product, for routes.
        application_id: Your id of the application.
        applicant: The person.
        template: The template at the vendor, if not the account's default (Atlas `product_type`, Verifik project flow).
        tenant: Your tenant, for routes.
        documents: The expected document types (`DocumentType`).
        return_url: Where the applicant's browser returns to: https (http for localhost), ASCII, at most 2000 characters.
        metadata: Strings for routes; values of at most 2000 characters.
        vendor_options: JSON data for one vendor: `vendor_options["atlas"]`.
        urls: Set by the gateway.
        is_shadow: Set by the gateway. A plugin stores it with the flow if the vendor keeps metadata or an idempotency key.

    Raises ValueError that names the field.
    """

    product: str = attrs.field(validator=text())
    application_id: str = attrs.field(validator=text())
    applicant: Applicant = attrs.field()
    template: str | None = attrs.field(default=None, validator=text(optional=True))
    tenant: str | None = attrs.field(default=None, validator=text(optional=True))
    documents: tuple[DocumentType, ...] = attrs.field(default=(), converter=document_types)
    return_url: str | None = attrs.field(default=None, repr=False, validator=is_return_url)
    metadata: Mapping[str, str] = attrs.field(
        factory=dict, converter=if_mapping, validator=are_named_texts, repr=False, hash=False
    )
    vendor_options: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=dict, converter=if_mapping, validator=are_json_options, repr=False, hash=False
    )
    urls: FlowUrls | None = attrs.field(default=None, repr=False)
    is_shadow: bool = False

    @applicant.validator
    def _check_applicant(self, _: object, value: object) -> None:
        if not isinstance(value, Applicant):
            raise ValueError("applicant: must be an Applicant")


_SHADOW = "shadow:"
_ESCAPED = (("%", "%25"), (";", "%3B"))


@attrs.frozen(kw_only=True)
class FlowRef:
    """The reference of a flow, for any process. It holds what the decision depends on.

    The string is `account/vendor-id`, then, where they apply, `;policy=lending.1a2b3c4d` (name and fingerprint of the policy)
    and `;for=0a1b2c3d4e5f` (see `subject_of`). The reference of a shadow begins with `shadow:`. For `account/vendor-id` alone
    the strictest policy decides.
    """

    account: str = attrs.field(validator=is_text)
    id: str = attrs.field(validator=is_text)
    policy: str | None = None
    subject: str | None = None
    is_shadow: bool = False

    def __str__(self) -> str:
        id = self.id
        for char, code in _ESCAPED:
            id = id.replace(char, code)
        marks = {"policy": self.policy, "for": self.subject}
        more = "".join(f";{name}={value}" for name, value in marks.items() if value)
        return f"{_SHADOW if self.is_shadow else ''}{self.account}/{id}{more}"

    @classmethod
    def parse(cls, text: str) -> FlowRef:
        """Read a reference. Raises ValueError."""
        if not isinstance(text, str):
            raise ValueError("must be a Flow or its reference, such as 'account/vendor-id'")
        if len(text) > _LONGEST_REF or not text.isprintable():
            raise ValueError("a flow reference must be one line of at most 1000 printable characters")
        account, slash, rest = text.removeprefix(_SHADOW).partition("/")
        id, *marks = rest.split(";")
        if not slash or not account.strip() or not id.strip():
            raise ValueError("a flow reference must look like 'account/vendor-id'")
        for char, code in reversed(_ESCAPED):
            id = id.replace(code, char)
        read = dict(mark.partition("=")[::2] for mark in marks)
        if len(read) < len(marks) or not read.keys() <= {"policy", "for"} or not all(read.values()):
            raise ValueError(
                "the part after ';' in the flow reference is not valid; pass the reference exactly as it was stored"
            )
        is_shadow = text.startswith(_SHADOW)
        return cls(account=account, id=id, policy=read.get("policy"), subject=read.get("for"), is_shadow=is_shadow)


def subject_of(reference: str) -> str:
    """Tells two applicants apart without telling who they are: the first 12 hexadecimal digits of the reference's SHA-256.

    A plugin whose vendor names the person in its answers keeps it in `Flow.subject` and compares; it is part of the reference.
    """
    return sha256(reference.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@not_pickled
@attrs.frozen(kw_only=True)
class Flow:
    """One verification.

    Args:
        id: The vendor's id.
        status: How far it is.
        account: The account.
        application_id: Your id of the application.
        link: Where the applicant goes. A secret.
        uploads: The vendor's response to each document.
        details: Further ids of the vendor.
        secrets: Secrets of this flow, such as a token. A plugin can work without them, from the reference alone.
        created_at: When it was opened, with a time zone.
        policy: The policy that it began with and keeps.
        policy_mark: The policy of a reference, if it is not known here.
        subject: The person that results must be about (see `subject_of`); None if the vendor does not say or it is unknown.
        explanation: Why it went to this account.
        sdk: What the vendor's SDK is started with, if the vendor has one. A secret.
        attempt: Which attempt of the same verification this is, from 1 on.
        previous_id: The vendor's id of the attempt before.
        may_reopen: Whether the vendor may still change it although it is settled: a person's decision, a resubmission.
        valid_until: When its approval ends, with a time zone. After that moment nothing is approved by it.
        shadow: The flow of the same order at a second vendor, for comparison.
        is_shadow: Whether it is such a flow. Its result decides nothing.

    `to_json(flow)` leaves out `link`, `sdk` and `secrets`; `to_json(flow, secrets=True)` keeps them.
    """

    id: str = attrs.field(validator=is_text)
    status: FlowStatus = attrs.field(converter=FlowStatus)
    account: str = ""
    application_id: str | None = None
    link: Link | None = None
    uploads: tuple[Upload, ...] = attrs.field(default=(), converter=as_tuple)
    details: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    secrets: Mapping[str, Secret] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    created_at: datetime | None = attrs.field(default=None, validator=is_aware)
    policy: Policy | None = attrs.field(default=None, repr=lambda policy: repr(policy and policy.name))
    policy_mark: str | None = attrs.field(default=None, repr=False)
    subject: str | None = attrs.field(default=None, repr=False)
    explanation: Explanation | None = attrs.field(default=None, repr=False)
    sdk: SdkSession | None = None
    attempt: int = 1
    previous_id: str | None = None
    may_reopen: bool = False
    valid_until: datetime | None = attrs.field(default=None, validator=is_aware)
    shadow: Flow | None = attrs.field(default=None, repr=False)
    is_shadow: bool = False

    @property
    def ref(self) -> str:
        """The reference (see `FlowRef`): store it. Any process can continue with it; the decision is never milder."""
        policy = self.policy.mark if self.policy is not None else self.policy_mark
        ref = FlowRef(account=self.account, id=self.id, policy=policy, subject=self.subject, is_shadow=self.is_shadow)
        return str(ref)
