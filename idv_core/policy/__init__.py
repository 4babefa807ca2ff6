"""Evidence to decision: `evaluate` applies a policy's rules. Pure, deterministic, and it says why."""

from ..model.policy import Action, CheckRules, DocumentRules, Policy, Threshold, VerdictRule
from .evaluation import DEFAULT_POLICY, evaluate, strictest

__all__ = [
    "DEFAULT_POLICY",
    "Action",
    "CheckRules",
    "DocumentRules",
    "Policy",
    "Threshold",
    "VerdictRule",
    "evaluate",
    "strictest",
]
