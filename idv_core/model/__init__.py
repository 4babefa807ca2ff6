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
from .explanation import Candidate, Condition, Explanation, RouteTried
from .flow import Flow, FlowOrder, FlowRef, FlowStatus, FlowUrls, Link, subject_of
from .policy import Action, CheckRules, DocumentRules, Policy, Threshold, VerdictRule
from .result import Decision, Reason, Result
from .secret import Secret
from .template import ProvisionedTemplate, Template

__all__ = [
    "Action",
    "Applicant",
    "Candidate",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "CheckRules",
    "Condition",
    "Decision",
    "Deferred",
    "Document",
    "DocumentEvidence",
    "DocumentRules",
    "Explanation",
    "ExtractedField",
    "FieldPair",
    "Flow",
    "FlowOrder",
    "FlowRef",
    "FlowStatus",
    "FlowUrls",
    "Link",
    "Policy",
    "ProvisionedTemplate",
    "Reason",
    "Result",
    "RouteTried",
    "Score",
    "Secret",
    "Template",
    "Threshold",
    "Upload",
    "UploadKind",
    "VendorVerdict",
    "VerdictRule",
    "dump",
    "load",
    "subject_of",
]
