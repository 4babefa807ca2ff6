"""What the tests of Verifik share: an order, an applicant who does everything step by step, the host."""

from __future__ import annotations

from idv_core import Applicant, Document, Flow, FlowOrder
from idv_core.testing import PEOPLE, Person, Reply, by_content
from idv_core.testing.conformance import Driver

HOST = "verifik.example"
ANA, LUIS = PEOPLE["ana"], PEOPLE["luis"]


def applicant(person: Person = ANA, **changes: object) -> Applicant:
    email = f"{person.given_name.lower()}@example.org"
    return Applicant(
        **{
            "reference": "CUST-3",
            "given_name": person.given_name,
            "family_name": person.family_name,
            "email": email,
            "phone_number": f"+57{person.phone}",
            "country": "CO",
            "locale": "es",
            **changes,
        }
    )


def order(**changes: object) -> FlowOrder:
    return FlowOrder(**{"product": "wallet", "application_id": "APP-7", "applicant": applicant(), **changes})


def pictures(person: Person = ANA, face: Person | None = None) -> tuple[Document, ...]:
    return by_content("cedula", person), by_content("selfie", face or person)


def step_by_step(person: Person, face: Person):
    def finish(idv: Driver, flow: Flow) -> Flow:
        return idv.submit(idv.upload(flow, pictures(person, face)))

    return finish


def said(status: int, code: str, message: str, **more: object) -> Reply:
    return Reply(status, {"code": code, "message": message, **more})
