"""What of an applicant a flow is opened with (fact sheet section 3.1)."""

from __future__ import annotations

import pytest
from idv_verigram import Verigram, VerigramSettings
from idv_verigram.settings import Journey
from idv_verigram.testing.harness import order

from idv_core import Secret


@pytest.mark.parametrize("journey", [*Journey])
def test_only_reference_and_language_are_sent(journey: Journey) -> None:
    """The steps' `input_data` is not documented by the vendor: it is the platform's to give."""
    settings = VerigramSettings(base_url="https://verigram.example", api_key=Secret("k"), journey=journey)
    request = next(Verigram(settings).open_flow(order()))
    language = {"locale": order().applicant.locale} if journey is Journey.HOSTED else {}
    assert request.json == {"person_id": order().applicant.reference, **language}


def test_input_data_of_the_order_is_sent_and_not_shown() -> None:
    data = {"iin": "910605400000", "phone_number": "+77005550101"}
    settings = VerigramSettings(base_url="https://verigram.example", api_key=Secret("k"))
    wanted = order(vendor_options={"verigram": {"input_data": data}})
    request = next(Verigram(settings).open_flow(wanted))
    assert request.json["input_data"] == data
    assert "910605400000" not in f"{wanted!r} {request!r}"
