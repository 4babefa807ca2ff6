"""Acme's answers, as far as they are needed; what is missing and needed is UnexpectedResponse."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Created:
    """Answer to `POST /verifications`."""

    id: str
    url: str


@attrs.frozen(kw_only=True)
class Checked:
    """One check of a verification."""

    name: str
    outcome: str


@attrs.frozen(kw_only=True)
class Verification:
    """Answer to `GET /verifications/{id}`."""

    id: str
    status: str
    checks: list[Checked] = attrs.field(factory=list)
