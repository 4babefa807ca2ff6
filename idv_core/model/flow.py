"""A flow: one applicant's verification at one vendor. It is a value; its reference is one short string."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from .applicant import Applicant
from .dark import not_pickled
from .document import Upload
from .explanation import Explanation
from .policy import Policy
from .secret import Secret
from .values import as_tuple, is_aware, is_text, plain_mapping


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


def _secret(url: str | Secret) -> Secret:
    return Secret(url) if isinstance(url, str) else url


@attrs.frozen
class Link:
    """Where the applicant goes. The address is a secret: who has it is the applicant."""

    url: Secret = attrs.field(converter=_secret)
    expires_at: datetime | None = attrs.field(default=None, validator=is_aware)


@attrs.frozen
class CallbackUrls:
    """The addresses that the core hands out for one flow, one for each purpose. An address is good for its purpose only.

    `sign` makes the address of a purpose. The same order always gets the same addresses.
    """

    sign: Callable[[str], Secret] = attrs.field(repr=False)

    def url(self, purpose: str) -> str:
        """The address for `purpose`, a word of a-z, 0-9, `_` and `-`. It holds a secret.

        `return` is the one word for the applicant's browser: its address proves a visit and nothing else. Every other word
        (`events`, `results`, `auth`, ...) is for the vendor's server: never let the browser see its address.
        """
        return self.sign(purpose).reveal()


@not_pickled
@attrs.frozen(kw_only=True)
class FlowOrder:
    """What a platform asks for.

    `product` and `application_id` are yours; `template` names the steps at the vendor where the account's default does
    not serve (Atlas `product_type`, Verifik project flow). `documents` are the document types expected. The applicant's
    browser comes back to `return_url`. `tenant` and `metadata` are yours, for routes. `vendor_options["atlas"]` holds what
    only that vendor knows.
    """

    product: str = attrs.field(validator=is_text)
    application_id: str = attrs.field(validator=is_text)
    applicant: Applicant
    template: str | None = None
    tenant: str | None = None
    documents: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    return_url: str | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    vendor_options: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=dict, converter=plain_mapping, repr=False, hash=False
    )
    callbacks: CallbackUrls | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class FlowRef:
    """Names a flow in any process: `str(ref)` is `account/vendor-id`."""

    account: str = attrs.field(validator=is_text)
    id: str = attrs.field(validator=is_text)

    def __str__(self) -> str:
        return f"{self.account}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> FlowRef:
        """Read `account/vendor-id`. Raises ValueError for anything else."""
        account, slash, id = text.partition("/")
        if not slash or not account or not id:
            raise ValueError("a flow reference looks like 'account/vendor-id'")
        return cls(account=account, id=id)


@not_pickled
@attrs.frozen(kw_only=True)
class Flow:
    """One verification, as far as it has come.

    `secrets` (a token of the flow's own, say) and `link` are dark and leave only by `dump(flow, secrets=True)`; a plugin
    can go on without them from the reference alone. `details` are the vendor's further ids. `opened_at` is aware.
    `policy` is the one that the flow began with and keeps, `explanation` says why it is with this account. `shadow` is a flow
    of the same order at a second vendor, for comparison; `is_shadow` marks that one, whose result decides nothing.
    """

    id: str = attrs.field(validator=is_text)
    status: FlowStatus = attrs.field(converter=FlowStatus)
    account: str = ""
    application_id: str | None = None
    link: Link | None = None
    uploads: tuple[Upload, ...] = attrs.field(default=(), converter=as_tuple)
    details: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    secrets: Mapping[str, Secret] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    opened_at: datetime | None = attrs.field(default=None, validator=is_aware)
    policy: Policy | None = attrs.field(default=None, repr=lambda policy: repr(policy and policy.name))
    explanation: Explanation | None = attrs.field(default=None, repr=False)
    shadow: Flow | None = attrs.field(default=None, repr=False)
    is_shadow: bool = False

    @property
    def ref(self) -> str:
        """`account/vendor-id`: store it, and any process can go on with the flow."""
        return str(FlowRef(account=self.account, id=self.id))
