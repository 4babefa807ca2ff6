"""Reading JSON whose shape nobody promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_object(value: object) -> Mapping[str, Any]:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str | None:
    """The text, or None for anything else and for an empty one."""
    return value if isinstance(value, str) and value else None


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list; none for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def latest(submissions: object) -> Mapping[str, Any]:
    """The submission with the highest `attempt` (documents and selfies may be handed in again); else an empty object."""
    return max(objects(submissions), key=_attempt, default={})


def _attempt(submission: Mapping[str, Any]) -> int:
    attempt = submission.get("attempt")
    return attempt if isinstance(attempt, int) else 0
