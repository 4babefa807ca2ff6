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

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

# Looked through in this order when a name is first asked for, so that a program pays only for what it uses.
_PLACES = ("errors", "model", "gateway", "webhooks")

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


def __getattr__(name: str) -> Any:
    if name in __all__:
        for place in _PLACES:
            module = import_module(f"{__name__}.{place}")
            if hasattr(module, name):
                return globals().setdefault(name, getattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
