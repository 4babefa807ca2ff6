"""docs/session.md, played as it stands: files are written, commands run, and what they print is compared."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from played import Command, environment, steps

from idv_core import Check, CheckOutcome, Flow, Result, to_json
from idv_core.model import Score, VendorVerdict
from idv_core.policy import CheckRules, Policy, evaluate


def record(place: Path, id: str, similarity: int) -> None:
    """A result as `idv result --json` prints it."""
    policy = Policy(name="wallet", verdict="require", checks=CheckRules(required=("liveness",)))
    passed = CheckOutcome.PASSED
    result = Result(
        flow=Flow(id="f-1", account="verigram-kz", status="finished", application_id=id, policy=policy),
        verdict=VendorVerdict.POSITIVE,
        checks=[
            Check(kind="liveness", name="presentation_attack", outcome=passed),
            Check(kind="face_match", name="selfie_to_document", outcome=passed, score=Score.read(similarity, 0, 100)),
        ],
    )
    judged = evaluate(policy, result, datetime(2026, 12, 1, tzinfo=UTC), received_at=datetime(2026, 12, 1, tzinfo=UTC))
    (place / f"{id}.json").write_text(json.dumps({"ref": judged.flow.ref, **to_json(judged)}))


@pytest.mark.long
def test_the_session(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    record(tmp_path / "cases", "APP-10001", 84)
    record(tmp_path / "cases", "APP-10002", 95)
    env, commands = environment(), 0
    for step in steps("session.md"):
        if isinstance(step, Command):
            step.run(tmp_path, env)
            commands += 1
        else:
            (tmp_path / step.name).write_text(step.text)
    assert commands == 11
