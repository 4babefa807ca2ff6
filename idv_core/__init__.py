"""One typed API in front of every identity-verification (IDV, KYC) vendor.

from idv_core import Applicant, Gateway

with Gateway.load("idv.toml") as idv:
    flow = idv.open(product="wallet", application_id="APP-1", applicant=Applicant(reference="CUST-1"))
    result = idv.wait(flow)
    if result.approved:
        print(result.claims.given_name.value, result.claims.birthdate.value)

Errors are in `idv_core.errors`, accounts and limits in `idv_core.config`, routes in `idv_core.routing`, policies in
`idv_core.policy`. Authors of plugins import `idv_core.plugin`.
"""

from typing import TYPE_CHECKING

from .lazy import lazily

if TYPE_CHECKING:
    from .errors import ConfigError, IdvError, OutcomeUnknown, VendorError
    from .gateway import AsyncGateway, Gateway
    from .model import (
        Applicant,
        Check,
        CheckKind,
        CheckOutcome,
        Claim,
        Claims,
        Decision,
        Document,
        DocumentEvidence,
        DocumentType,
        Flow,
        FlowOrder,
        FlowStatus,
        Link,
        Reason,
        Result,
        Secret,
        Upload,
        from_json,
        to_json,
    )
    from .webhooks import Received, WebhookApp

__version__ = "0.1.0"

__all__ = [
    "Applicant",
    "AsyncGateway",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "Claim",
    "Claims",
    "ConfigError",
    "Decision",
    "Document",
    "DocumentEvidence",
    "DocumentType",
    "Flow",
    "FlowOrder",
    "FlowStatus",
    "Gateway",
    "IdvError",
    "Link",
    "OutcomeUnknown",
    "Reason",
    "Received",
    "Result",
    "Secret",
    "Upload",
    "VendorError",
    "WebhookApp",
    "from_json",
    "to_json",
]

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, __all__, (".errors", ".model", ".gateway", ".webhooks"))


def __dir__() -> list[str]:
    return sorted(__all__)
