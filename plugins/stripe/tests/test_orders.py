"""What of an order is sent when a session is made: of the applicant, what Stripe has a field for."""

from __future__ import annotations

from typing import Any, get_type_hints

import attrs
from idv_stripe import StripeSettings
from idv_stripe.orders import form_of
from idv_stripe.testing.harness import order
from stripe.params.identity import _verification_session_create_params as params

from idv_core import Secret

SETTINGS = StripeSettings(api_key=Secret("sk_test_4711"), verification_flow="vf_1")


def test_what_stripe_has_a_field_for_is_sent_and_no_more() -> None:
    person = attrs.evolve(order().applicant, phone_number="+919005550101")
    assert dict(form_of(order(applicant=person), SETTINGS)) == {
        "verification_flow": "vf_1",
        "client_reference_id": "CUST-9283",
        "metadata[application_id]": "APP-1",
        "metadata[product]": "wallet",
        "provided_details[email]": "meera@example.org",
        "provided_details[phone]": "+919005550101",
    }


def test_the_sdk_knows_no_other_detail_of_a_person() -> None:
    """Should Stripe take more one day, its SDK tells, and this test fails."""
    details: Any = params.VerificationSessionCreateParamsProvidedDetails
    assert get_type_hints(details).keys() == {"email", "phone"}
