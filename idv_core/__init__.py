"""One typed API in front of every identity-verification (IDV, KYC) vendor.

from idv_core import Applicant, FlowOrder, Gateway

with Gateway.load("idv.toml") as idv:
    flow = idv.open(FlowOrder(product="wallet", application_id="APP-1", applicant=Applicant(reference="CUST-1")))
    result = idv.wait(flow)
"""

from .config import Account, Callbacks
from .errors import (
    AuthenticationFailed,
    CallbackRejected,
    ConfigError,
    DeadlineExceeded,
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    PluginError,
    RateLimited,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorError,
    VendorUnavailable,
    WaitCancelled,
)
from .gateway import AsyncGateway, Gateway
from .model import (
    Applicant,
    Check,
    CheckKind,
    CheckOutcome,
    Decision,
    Document,
    Flow,
    FlowOrder,
    FlowStatus,
    Result,
    Secret,
    Template,
    VendorVerdict,
    dump,
    load,
)
from .policy import Policy, Threshold

__version__ = "0.1.0"

__all__ = [
    "Account",
    "Applicant",
    "AsyncGateway",
    "AuthenticationFailed",
    "CallbackRejected",
    "Callbacks",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "ConfigError",
    "DeadlineExceeded",
    "Decision",
    "Document",
    "DuplicateFlow",
    "Flow",
    "FlowNotFound",
    "FlowOrder",
    "FlowStatus",
    "Gateway",
    "IdvError",
    "InvalidOrder",
    "OutcomeUnknown",
    "PermissionDenied",
    "PluginError",
    "Policy",
    "RateLimited",
    "Result",
    "Secret",
    "Template",
    "Threshold",
    "UnexpectedResponse",
    "UnsupportedOperation",
    "VendorError",
    "VendorUnavailable",
    "VendorVerdict",
    "WaitCancelled",
    "dump",
    "load",
]
