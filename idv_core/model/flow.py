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
    OPEN = "open"
    AWAITING_APPLICANT = "awaiting_applicant"
    PROCESSING = "processing"
    FINISHED = "finished"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Nothing more will come from the vendor by itself."""
        return self in _FINAL


_FINAL = frozenset({FlowStatus.FINISHED, FlowStatus.EXPIRED, FlowStatus.CANCELLED, FlowStatus.FAILED})


_LONGEST_REF = 1000

RETURN = "return"
"""The one purpose that is the applicant's browser. Every other word is for the vendor's server."""


def _secret(url: str | Secret) -> Secret:
    return Secret(url) if isinstance(url, str) else url


@attrs.frozen
class Link:
    """Where the applicant goes. The address is a secret: who has it is the applicant."""

    url: Secret = attrs.field(converter=_secret)
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
    """What a platform asks for.

    `product` and `application_id` are yours; `template` names the steps at the vendor where the account's default does
    not serve (Atlas `product_type`, Verifik project flow). `documents` are the types expected (`DocumentType`). The applicant's
    browser comes back to `return_url`: https (http to this very machine), printable ASCII, 2000 characters at most.
    `tenant` and `metadata` are yours, for routes. `vendor_options["atlas"]` holds what only that vendor knows, as JSON
    data. Texts have 200 characters at most, values of `metadata` 2000, and no control characters. Raises ValueError that
    names the field.

    `urls` and `is_shadow` are the gateway's to set. A plugin whose vendor keeps marks with a flow (metadata, tags, an
    idempotency key) keeps `is_shadow` there too, so that what was opened as a shadow is never found as anything else.
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
    """Names a flow in any process, with what its decision depends on, so that it is judged as the flow itself would be.

    `str(ref)` is `account/vendor-id`; behind it stand, where they apply, `;policy=lending.1a2b3c4d` (the policy's name and the
    fingerprint of its rules) and `;for=0a1b2c3d4e5f` (the `subject`, see `subject_of`). The reference of a shadow begins with
    `shadow:`. `account/vendor-id` alone is read too: it is judged by the strictest policy there is.
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
        """Read what `str(ref)` wrote. Raises ValueError for anything else."""
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
    """One verification, as far as it has come.

    `secrets` (a token of the flow's own, say) and `link` are dark and leave only by `dump(flow, secrets=True)`; a plugin
    can go on without them from the reference alone. `details` are the vendor's further ids. `created_at` is aware.
    `policy` is the one that the flow began with and keeps, `explanation` says why it is with this account. `shadow` is a flow
    of the same order at a second vendor, for comparison; `is_shadow` marks that one, whose result decides nothing. `subject`
    is the person that an answer must be about (see `subject_of`), None where the vendor names nobody or that is not known.
    `policy_mark` is what a reference said of a policy that is not known here.
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
    shadow: Flow | None = attrs.field(default=None, repr=False)
    is_shadow: bool = False

    @property
    def ref(self) -> str:
        """One short text (see `FlowRef`): store it, and any process can go on with the flow, and decides no milder."""
        policy = self.policy.mark if self.policy is not None else self.policy_mark
        ref = FlowRef(account=self.account, id=self.id, policy=policy, subject=self.subject, is_shadow=self.is_shadow)
        return str(ref)
