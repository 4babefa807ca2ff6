"""Personal data and secrets reach no log, error or repr."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from ...errors import IdvError
from ...model import Secret
from ..emulator import EmulatedResponse
from ..harness import Driver, Harness
from .steps import secrets_of

# `finish` may walk through a hosted page with httpx.Client, whose log is the applicant's browser's affair, not ours.
_APPLICANTS_BROWSER = "httpx"


class ShowsNothingSecret:
    def test_nothing_secret_shows(self, harness: Harness, idv: Driver, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            flow = idv.open(harness.order)
            finished = harness.finish(idv, flow)
            harness.clock.advance(3600)
            result = idv.result(finished)
            harness.emulator.fault(
                "",
                EmulatedResponse(
                    400, {"error": f"bad {' '.join(harness.personal)}", "message": f"no {harness.personal[:1]}"}
                ),
                10,
            )
            with pytest.raises(IdvError) as caught:
                idv.result(finished)
        shown = {
            "repr of the order": repr(harness.order),
            "repr of the flow": repr(flow) + repr(finished),
            "repr of the result": repr(result),
            "repr of the adapter": repr(idv.adapter),
            "the error": f"{caught.value} {caught.value!r}",
            "the log": "\n".join(
                str(record.__dict__) for record in caplog.records if record.name != _APPLICANTS_BROWSER
            ),
        }
        dark = [*harness.personal, *secrets_of(flow), *secrets_of(finished), *_setting_secrets(harness.settings)]
        for where, text in shown.items():
            for secret in dark:
                assert secret not in text, f"{where} shows what must be redacted"


def _setting_secrets(given: Mapping[str, Any]) -> list[str]:
    return [value.reveal() for value in given.values() if isinstance(value, Secret)]
