"""A platform in 40 lines: it opens verifications, keeps them, and acts on decisions. Any vendor."""

from __future__ import annotations

from dataclasses import dataclass, field

from idv_core import Applicant, Decision, Flow, FlowOrder, Gateway, OutcomeUnknown
from idv_core.errors import FlowNotFound, VendorError


@dataclass
class Shop:
    """`flows` stands for a table of your database; keep `to_json(flow, secrets=True)` in it, encrypted."""

    idv: Gateway
    flows: dict[str, Flow] = field(default_factory=dict)

    def sign_up(self, application_id: str, applicant: Applicant) -> str:
        """Open a verification, or say that it has to be tried later."""
        order = FlowOrder(product="wallet", application_id=application_id, applicant=applicant)
        try:
            flow = self.idv.open(order)
        except OutcomeUnknown:
            try:
                flow = self.idv.recover(order)
            except (FlowNotFound, OutcomeUnknown):
                return "try again later"
        except VendorError as error:
            return "try again later" if error.nothing_done else "we will write to you"
        self.flows[application_id] = flow
        return flow.link.url.reveal() if flow.link else "upload your documents"

    def look(self, application_id: str) -> str:
        """What to say to the customer now."""
        result = self.idv.result(self.flows[application_id])
        match result.decision:
            case Decision.APPROVED:
                return "welcome"
            case Decision.DECLINED:
                return "we cannot open an account for you"
            case Decision.REVIEW:
                return "we are looking at it ourselves"
            case _:
                return "not finished yet"
