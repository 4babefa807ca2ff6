"""`FakeVendor`: a vendor that obeys, for the tests of a platform. No account, no picture, no sleep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from ..model import Check, Flow, FlowRef, FlowStatus
from .clock import FakeClock
from .emulated_vendor import EmulatedVendor, Outcome
from .fake_emulator import FakeEmulator, FakeVerification, decide, harness


class FakeVendor(EmulatedVendor):
    """A vendor that obeys.

        def test_an_approved_customer_gets_an_account(fake_vendor):
            shop = Shop(fake_vendor.gateway())
            flow_ref = shop.sign_up("ana@example.org")
            fake_vendor.decide(flow_ref, "approved", claims={"given_name": "Ana"})
            assert shop.finish(flow_ref) == "welcome, Ana"

    It has a link to a page, takes documents too, sends a webhook for each change, and can renew links, cancel, erase and
    recover. See `EmulatedVendor` for what every vendor's emulator can do as well.

    Args:
        clock: The time; by default a clock of its own that starts on 2 March 2026.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        made = harness(clock or FakeClock())
        assert isinstance(made.emulator, FakeEmulator)
        self._fake: FakeEmulator = made.emulator
        super().__init__(made)

    def decide(
        self,
        flow: Flow | str,
        outcome: Outcome,
        *,
        claims: Mapping[str, Any] | None = None,
        checks: Sequence[Check] | None = None,
        after: timedelta | float = 0,
    ) -> Flow:
        """Let the verification end.

        Args:
            flow: The flow, or its reference.
            outcome: `approved`, `declined` (the face is somebody else's) or `review` (the document cannot be read).
            claims: What the document says, by names of `FieldName`; by default what the order said of the applicant.
            checks: The checks, in place of the usual three.
            after: How long the vendor takes, as a timedelta or in seconds; until then the flow is `processing`.
        """
        pause = after if isinstance(after, timedelta) else timedelta(seconds=after)
        decide(self._fake, self._found(flow).id, outcome, checks=checks, claims=claims, after=pause)
        if not pause:
            self._fake.tick()
        if isinstance(flow, Flow):
            account, ours = flow.account, attrs.evolve(flow, account=self.name)
            return attrs.evolve(self._own.status(ours), account=account)
        ref = FlowRef.parse(flow)
        now = self._own.status(str(attrs.evolve(ref, account=self.name)))
        return attrs.evolve(now, account=ref.account)

    def expire(self, flow: Flow | str) -> None:
        """The applicant did not come in time."""
        self._settle(flow, "expired", status=FlowStatus.EXPIRED)

    def reopen(self, flow: Flow | str) -> None:
        """The vendor opens a verification that had ended once more: the applicant has to do something again."""
        self._settle(flow, "reopened", status=FlowStatus.AWAITING_APPLICANT, may_reopen=False)

    def announce_reopening(self, flow: Flow | str) -> None:
        """The verification has ended, and the vendor says that it may still change (`Flow.may_reopen`)."""
        self._settle(flow, "updated", may_reopen=True)

    @property
    def verifications(self) -> Mapping[str, FakeVerification]:
        """Everything that was opened, by the vendor's id."""
        return self._fake.verifications

    def uploaded(self, flow: Flow | str) -> tuple[str, ...]:
        """Your ids of the documents that arrived."""
        return tuple(self._found(flow).uploads)

    def _settle(self, flow: Flow | str, event: str, **changes: Any) -> None:
        self._fake.settle(self._found(flow), event, **changes)
        self._fake.tick()

    def _found(self, flow: Flow | str) -> FakeVerification:
        id = flow.id if isinstance(flow, Flow) else FlowRef.parse(flow).id
        return self._fake.verifications[id]
