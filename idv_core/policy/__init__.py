"""Evidence to decision: `judge` applies a policy's rules. Pure, deterministic, and it says why."""

from ..model.policy import Action, CheckRules, DocumentRules, Policy, Threshold, VerdictRule
from .judging import DEFAULT_POLICY, judge, strictest

__all__ = [
    "DEFAULT_POLICY",
    "Action",
    "CheckRules",
    "DocumentRules",
    "Policy",
    "Threshold",
    "VerdictRule",
    "judge",
    "strictest",
]
