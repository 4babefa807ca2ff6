"""A client that openapi-python-client makes of `openapi.json` works, and reads well. What it does is what docs/clients.md shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from server.running import DOCUMENT, Running

from idv_core.server import keys

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
OPERATIONS = [
    operation["operationId"]
    for path in DOCUMENT["paths"].values()
    for method, operation in path.items()
    if method != "parameters"
]


def generate(folder: Path) -> Path:
    """The client, as the page says how; nothing of it may be left out."""
    (command,) = re.findall(r"^\$ openapi-python-client (.*)$", PAGE, re.M)
    (folder / "openapi.json").write_bytes(files("idv_core.server").joinpath("openapi.json").read_bytes())
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *command.split(), "--fail-on-warning"],
        cwd=folder,
        capture_output=True,
        text=True,
        # it would format what it made with ruff
        env={**os.environ, "PATH": str(Path(sys.executable).parent)},
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "idv_client"


def test_it_orders_a_verification_uploads_a_document_and_reads_the_result(running: Running, tmp_path: Path) -> None:
    client = generate(tmp_path)
    models = {path.stem for path in (client / "models").glob("[a-z]*.py")}
    assert {"order", "applicant", "verification", "result", "problem", "document_file", "document_type"} <= models
    invented = [name for name in models if re.search(r"_(item|body|type_?\d|response_\d+|additional_property)", name)]
    assert not invented, "these have no name of their own in the document"
    made = {path.stem for path in (client / "api").glob("*/[a-z]*.py")}
    assert made == set(OPERATIONS)

    (script,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "front.png").write_bytes(b"\x89PNG an invented picture")
    running.town.shops["a"].status = "good"
    key = keys.add(running.ledger.store, "client", ["verify", "read"]).reveal()
    environment = {**os.environ, "IDV_URL": running.url, "IDV_KEY": key, "no_proxy": "*"}
    played = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert played.returncode == 0, played.stdout + played.stderr
    said = played.stdout.splitlines()
    assert said == [
        "awaiting https://acme.example/go?t=secret-f-1",
        "['front']",
        "approved ['data_source.government_register']",
    ]


@pytest.mark.parametrize("id", OPERATIONS)
def test_operations_are_named_by_what_they_do(id: str) -> None:
    assert re.fullmatch(r"[a-z]+_[a-z_]+", id)
    assert OPERATIONS.count(id) == 1
