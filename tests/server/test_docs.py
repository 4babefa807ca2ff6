"""What docs/service.md says is played as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from server.running import DOCUMENT, Running
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.server import keys

PAGE = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")


def test_the_calls_of_the_quickstart_work(running: Running, tmp_path: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S)
    assert len(blocks) == 3
    (tmp_path / "front.png").write_bytes(b"\x89PNG an invented picture")
    key = keys.add(running.ledger.store, "docs", ["verify", "read"]).reveal()
    environment = {**os.environ, "IDV_URL": running.url, "IDV_KEY": key, "no_proxy": "*"}
    script = "set -e\n" + "\n".join(blocks).replace("curl -s", "curl -sS --fail-with-body")
    played = subprocess.run(["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert played.returncode == 0, played.stdout + played.stderr
    verification = running.ledger.find(application_id="APP-10001")
    assert verification is not None
    assert verification.flow is not None
    assert [upload.document_id for upload in verification.flow.uploads] == ["front"]
    sent = {request.url.path for request in running.town.shops["a"].requests}
    assert {"/flows/f-1/files", "/flows/f-1/end"} <= sent


def test_the_table_of_operations_is_the_documents() -> None:
    told: dict[tuple[str, str], str] = {}
    for cell, scope in re.findall(r"^\| (`(?:GET|POST|DELETE) .*?) \| (.*?) \|$", PAGE, re.M):
        method = path = ""
        for text in re.findall(r"`([^`]+)`", cell):
            first, space, rest = text.partition(" ")
            method, path = (first, rest) if space else (method, path.rpartition("/")[0] + text)
            told[method, path] = scope
    described: dict[tuple[str, str], str] = {}
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            if method != "parameters":
                scope = (
                    said.get("description", "").rpartition("Scope: ")[2].rstrip(".") if said["security"] else "no key"
                )
                described[method.upper(), path] = scope
    assert told == described


@pytest.mark.parametrize("line", sorted(set(re.findall(r"\bidv (?:serve|server|report)\b[^`)\n#]*", PAGE))))
def test_each_command_is_one(line: str) -> None:
    words = [word for word in shlex.split(line)[1:] if word != "..."]
    known: Any = [word for word in words if not word.isupper()]
    shown = CliRunner().invoke(
        app, [*(word for word in known[:3] if not word.startswith("-") and word in _WORDS), "--help"]
    )
    assert shown.exit_code == 0, shown.output
    for option in (word for word in known if word.startswith("--")):
        assert option in shown.stdout.replace("\n", " "), f"{option} of: {line}"


_WORDS = {"serve", "server", "report", "key", "user", "add", "list", "revoke", "remove", "migrate"}
