"""Personal data and secrets reach no log, error or repr."""

from __future__ import annotations

import json
import logging

import pytest

from ...errors import IdvError
from ...model import to_json
from ...model.public import without_secrets
from ..emulator import EmulatedResponse
from ..harness import Driver, Harness
from .steps import given_secrets, impatient, operate, secrets_of

# `finish` may walk through a hosted page with httpx.Client, whose log is the applicant's browser's affair, not ours.
_APPLICANTS_BROWSER = "httpx"


# An answer in which all is missing, one in which all is null, one whose texts are empty, a list, and none.
_ODD_ANSWERS = (
    b"{}",
    b'{"id": null, "status": null, "data": null}',
    b'{"id": "", "url": "", "flow_id": "", "vlink": "", "status": "", "data": {"id": "", "attributes": {}}}',
    b"[]",
    b"",
)


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
        dark = [*harness.personal, *secrets_of(flow), *secrets_of(finished), *given_secrets(harness.settings)]
        for where, text in shown.items():
            for secret in dark:
                assert secret not in text, f"{where} shows what must be redacted"

    def test_no_error_names_the_person(self, harness: Harness) -> None:
        """Whatever the vendor answers: an error that the plugin words itself is not redacted for names."""
        driver = impatient(harness)
        flow = driver.open(harness.order)
        dark = [*harness.personal, *secrets_of(flow), *given_secrets(harness.settings)]
        for content in _ODD_ANSWERS:
            harness.emulator.fault("", EmulatedResponse(200, content=content), times=100)
            for operation in ("open", "status", "result"):
                try:
                    operate(driver, harness, operation, flow)
                except IdvError as error:
                    shown = f"{error} {error!r}"
                    assert not [text for text in dark if text in shown], (
                        f"the error of {operation} shows a secret or a text of `Harness.personal` when the vendor answers "
                        f"{content[:30]!r}: say what is wrong, never with which value"
                    )
            harness.emulator.clear_faults()
        driver.close()

    def test_what_is_kept_of_a_result_opens_nothing(self, harness: Harness) -> None:
        """`raw` and `details` are stored and shown to people who may not act for the applicant."""
        driver = Driver(harness, "sync")
        opened = driver.open(harness.order)
        results = [driver.result(opened)]
        flow = harness.finish(driver, opened)
        harness.clock.advance(3600)
        results.append(driver.result(flow))
        kept = json.dumps([to_json(one) for one in (*results, flow)])
        dark = [*secrets_of(opened), *secrets_of(flow), *given_secrets(harness.settings)]
        assert not [text for text in dark if text in kept], (
            "a secret or a link of the flow is in its JSON: give `Result(raw=without_secrets(answer))`, and what a flow needs "
            "to go on and nobody may see goes into `Flow.secrets`"
        )
        for raw in (dict(result.raw) for result in results):
            assert json.dumps(raw, default=str) == json.dumps(without_secrets(raw), default=str), (
                "Result.raw holds a link, a token or a picture: give `Result(raw=without_secrets(answer))`"
            )
        details = dict(opened.details)
        assert without_secrets(details) == details, (
            "Flow.details holds a token or a link: what a flow needs to go on and nobody may see goes into `Flow.secrets`"
        )
        shown = [text for text in harness.personal if text in json.dumps(details, default=str)]
        assert not shown, "Flow.details names the person: details are kept in clear; keep the reference, never the name"
