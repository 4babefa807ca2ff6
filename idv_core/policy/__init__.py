"""Evidence to decision: `evaluate` applies the rules of a policy. Pure and deterministic, with reasons."""

from ..model.policy import Action, CheckRules, DocumentRules, Policy, ReviewRules, Threshold, VerdictRule
from .evaluation import DEFAULT_POLICY, evaluate, strictest

__all__ = [
    "DEFAULT_POLICY",
    "Action",
    "CheckRules",
    "DocumentRules",
    "Policy",
    "ReviewRules",
    "Threshold",
    "VerdictRule",
    "evaluate",
    "strictest",
]
