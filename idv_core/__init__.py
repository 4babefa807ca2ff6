"""One typed API in front of every identity-verification (IDV, KYC) vendor.

from idv_core import Applicant, FlowOrder, Gateway

with Gateway.load("idv.toml") as idv:
    flow = idv.open(FlowOrder(product="wallet", application_id="APP-1", applicant=Applicant(reference="CUST-1")))
    result = idv.wait(flow)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Account, Circuit, Configuration, Limits, Retry, Webhooks
    from .errors import (
        AuthenticationFailed,
        ConfigError,
        DeadlineExceeded,
        DuplicateFlow,
        FlowNotFound,
        IdvError,
        InvalidOrder,
        NoRoute,
        OutcomeUnknown,
        PermissionDenied,
        PluginError,
        RateLimited,
        UnexpectedResponse,
        UnsupportedOperation,
        VendorError,
        VendorUnavailable,
        WebhookRejected,
    )
    from .gateway import AsyncGateway
    from .gateway.sync import Gateway
    from .model import (
        Applicant,
        Check,
        CheckKind,
        CheckOutcome,
        CheckRules,
        Decision,
        Document,
        DocumentRules,
        Explanation,
        Flow,
        FlowOrder,
        FlowStatus,
        Policy,
        Result,
        Secret,
        Template,
        Threshold,
        VendorVerdict,
        dump,
        load,
    )
    from .routing import Route, Shadow, When

# Looked through in this order when a name is first asked for, so that a program pays only for what it uses.
_PLACES = ("errors", "model", "routing", "config", "gateway")

__version__ = "0.1.0"

__all__ = [
    "Account",
    "Applicant",
    "AsyncGateway",
    "AuthenticationFailed",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "CheckRules",
    "Circuit",
    "ConfigError",
    "Configuration",
    "DeadlineExceeded",
    "Decision",
    "Document",
    "DocumentRules",
    "DuplicateFlow",
    "Explanation",
    "Flow",
    "FlowNotFound",
    "FlowOrder",
    "FlowStatus",
    "Gateway",
    "IdvError",
    "InvalidOrder",
    "Limits",
    "NoRoute",
    "OutcomeUnknown",
    "PermissionDenied",
    "PluginError",
    "Policy",
    "RateLimited",
    "Result",
    "Retry",
    "Route",
    "Secret",
    "Shadow",
    "Template",
    "Threshold",
    "UnexpectedResponse",
    "UnsupportedOperation",
    "VendorError",
    "VendorUnavailable",
    "VendorVerdict",
    "WebhookRejected",
    "Webhooks",
    "When",
    "dump",
    "load",
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
