"""Any answer, any id: a model or an error."""

from __future__ import annotations

import json
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from ...model import Flow
from ..fuzzing import feed, recorded_answers
from ..harness import ACCOUNT, Driver, Harness, operations_of
from ..strategies import json_like
from .steps import SLOW, is_understood, operate


class SurvivesAnyInput:
    @SLOW
    @given(data=st.data())
    def test_any_json_is_a_model_or_an_error(self, harness: Harness, data: st.DataObject) -> None:
        """Every operation, with answers of any shape and real answers in which something is changed."""
        driver = Driver(harness, "sync")
        examples = recorded_answers(harness)
        operation = data.draw(st.sampled_from(operations_of(driver.adapter)))
        answers = data.draw(st.lists(json_like(examples), min_size=1, max_size=4))
        feed(driver, harness, operation, [json.dumps(answer).encode() for answer in answers])

    @SLOW
    @given(
        data=st.data(),
        content=st.binary(max_size=200),
        status=st.sampled_from([200, 201, 204, 400, 401, 404, 409, 500]),
    )
    def test_any_bytes_are_a_model_or_an_error(
        self, harness: Harness, data: st.DataObject, content: bytes, status: int
    ) -> None:
        driver = Driver(harness, "sync")
        feed(driver, harness, data.draw(st.sampled_from(operations_of(driver.adapter))), [content], status)

    def test_an_id_stays_one_segment(self, harness: Harness, idv: Driver) -> None:
        for hostile in ("../../admin?x=", "a/b#c", "..", "x\r\ny: z", "%2e%2e"):
            for operation in set(operations_of(idv.adapter)) - {"open", "provision"}:
                harness.emulator.calls.clear()
                flow = Flow(id=hostile, status="open", account=ACCOUNT)
                is_understood(partial(operate, idv, harness, operation, flow))
                paths = [call.split("?")[0] for call in harness.emulator.calls]
                assert not [path for path in paths if "admin" in path.split("/")], (operation, hostile)
