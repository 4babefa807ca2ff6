"""The vocabulary: frozen values and enumerations that mean the same for every vendor."""

from .applicant import Applicant
from .codec import dump, load
from .deferred import Deferred
from .document import Document, Upload, UploadKind
from .evidence import (
    Check,
    CheckKind,
    CheckOutcome,
    DocumentEvidence,
    ExtractedField,
    FieldPair,
    Score,
    VendorVerdict,
)
from .flow import CallbackUrls, Flow, FlowOrder, FlowRef, FlowStatus, Link
from .result import Decision, Reason, Result
from .secret import Secret
from .template import ProvisionedTemplate, Template

__all__ = [
    "Applicant",
    "CallbackUrls",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "Decision",
    "Deferred",
    "Document",
    "DocumentEvidence",
    "ExtractedField",
    "FieldPair",
    "Flow",
    "FlowOrder",
    "FlowRef",
    "FlowStatus",
    "Link",
    "ProvisionedTemplate",
    "Reason",
    "Result",
    "Score",
    "Secret",
    "Template",
    "Upload",
    "UploadKind",
    "VendorVerdict",
    "dump",
    "load",
]
