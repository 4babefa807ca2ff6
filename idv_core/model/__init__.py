"""The vocabulary: frozen values and enumerations that mean the same for every vendor."""

from typing import TYPE_CHECKING

from ..lazy import lazily
from .evidence_steps import EvidenceStep, evidence_steps

if TYPE_CHECKING:
    from .applicant import Applicant, IdentificationNumber
    from .assurance import verified_claims
    from .check_names import CheckKind
    from .claims import Claim, Claims, ClaimSource
    from .codec import from_json, to_json
    from .coverage import Coverage
    from .deferred import Deferred
    from .document import Document, Upload, UploadKind
    from .document_types import DocumentType
    from .evidence import Check, CheckOutcome, DocumentEvidence, FieldPair, Score, VendorVerdict
    from .explanation import Candidate, Condition, Explanation, RouteTried
    from .fields import Address, ExtractedField, FieldName, Place
    from .flow import Flow, FlowOrder, FlowRef, FlowStatus, FlowUrls, Link, SdkSession, subject_of
    from .lifecycle import Erasure, ErasureStatus, Review, ReviewOutcome
    from .media import Downloaded, Media, MediaKind
    from .policy import Action, CheckRules, DocumentRules, Policy, ReviewRules, Threshold, VerdictRule
    from .result import Decision, Reason, Result
    from .secret import Secret
    from .template import ProvisionedTemplate, Template

__all__ = [
    "Action",
    "Address",
    "Applicant",
    "Candidate",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "CheckRules",
    "Claim",
    "ClaimSource",
    "Claims",
    "Condition",
    "Coverage",
    "Decision",
    "Deferred",
    "Document",
    "DocumentEvidence",
    "DocumentRules",
    "DocumentType",
    "Downloaded",
    "Erasure",
    "ErasureStatus",
    "EvidenceStep",
    "Explanation",
    "ExtractedField",
    "FieldName",
    "FieldPair",
    "Flow",
    "FlowOrder",
    "FlowRef",
    "FlowStatus",
    "FlowUrls",
    "IdentificationNumber",
    "Link",
    "Media",
    "MediaKind",
    "Place",
    "Policy",
    "ProvisionedTemplate",
    "Reason",
    "Result",
    "Review",
    "ReviewOutcome",
    "ReviewRules",
    "RouteTried",
    "Score",
    "SdkSession",
    "Secret",
    "Template",
    "Threshold",
    "Upload",
    "UploadKind",
    "VendorVerdict",
    "VerdictRule",
    "evidence_steps",
    "from_json",
    "subject_of",
    "to_json",
    "verified_claims",
]

if not TYPE_CHECKING:
    __getattr__ = lazily(
        __name__,
        __all__,
        (
            ".secret",
            ".check_names",
            ".fields",
            ".document_types",
            ".evidence",
            ".applicant",
            ".document",
            ".explanation",
            ".policy",
            ".flow",
            ".result",
            ".deferred",
            ".lifecycle",
            ".media",
            ".coverage",
            ".template",
            ".claims",
            ".assurance",
            ".codec",
        ),
    )
