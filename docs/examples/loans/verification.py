"""Between the loans and idv-core. Everything is made when it is first used: after the web server has forked."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.db import close_old_connections

from idv_core import Applicant, FlowOrder, Gateway, Result, Secret
from idv_core.ledger import Ledger, Verification
from idv_core.tracker import Tracker

from .models import Loan


@cache
def gateway() -> Gateway:
    return Gateway.load(settings.IDV_FILE)


@cache
def ledger() -> Ledger:
    return Ledger(settings.IDV_LEDGER, keys=[Secret(settings.IDV_LEDGER_KEY)])


@cache
def tracker() -> Tracker:
    """The web processes only hand documents in by it; the command `track` starts it."""
    return Tracker(gateway(), ledger(), on_decided=decided)


def order_of(loan: Loan) -> FlowOrder:
    """Raises ValueError, which names the field and does not repeat what was typed."""
    person = Applicant(
        reference=f"loan-{loan.id}",
        given_name=loan.given_name,
        family_name=loan.family_name,
        email=loan.email,
        country=loan.country,
    )
    return FlowOrder(product="loan", application_id=str(loan.id), applicant=person)


def take(loan: Loan) -> Verification:
    """Asked twice, it is the same verification."""
    return ledger().take(order_of(loan))


def take_missing() -> int:
    """Take what was committed by a process that died before it could call `take`. Returns how many those were."""
    missing = [one for one in Loan.objects.filter(state="") if find(one) is None]
    for loan in missing:
        take(loan)
    return len(missing)


def find(loan: Loan) -> Verification | None:
    return ledger().find(application_id=str(loan.id))


def decided(connection: Any, verification: Verification, result: Result | None) -> None:
    """The tracker has an outcome. After a crash this may run twice, for Django has a connection of its own: only set values."""
    try:
        Loan.objects.filter(pk=verification.application_id).update(
            state=verification.state.value,
            decision=verification.decision.value if verification.decision else "",
            flow_ref=verification.ref or "",
        )
    finally:
        close_old_connections()
