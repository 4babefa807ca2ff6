"""Without Persona's document nothing is judged, and that is said aloud."""

from __future__ import annotations

from pathlib import Path

import pytest
from idv_persona.testing import openapi


def test_without_the_document_the_judge_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDV_OPENAPI", str(tmp_path))
    assert openapi.find() is None
    with pytest.raises(
        AssertionError, match=r"NOT JUDGED.*set IDV_OPENAPI to the directory that holds persona-idv.yaml"
    ):
        openapi.judge.__wrapped__()


def test_it_is_found_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDV_OPENAPI", str(tmp_path))
    (tmp_path / openapi.FILE).write_text("openapi: 3.1.0")
    assert openapi.find() == tmp_path / openapi.FILE
