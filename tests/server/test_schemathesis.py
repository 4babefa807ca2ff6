"""The API keeps what `openapi.json` says: Schemathesis tries to show the opposite. For longer: `nox -s schemathesis`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from server.running import DOCUMENT
from server.schemathesis_run import cases, schemathesis, service

SAME_EACH_TIME = ("--generation-deterministic", "--no-shrink")
OPERATIONS = {
    (method.upper(), path) for path, said in DOCUMENT["paths"].items() for method in said if method != "parameters"
}


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
def test_it_finds_nothing_in_a_walk_through_the_operations(url: str) -> None:
    with service(url) as (address, key, app):
        found = schemathesis(address, key, *SAME_EACH_TIME, "--phases", "fuzzing,stateful", "--max-examples", "2")
    assert found.returncode == 0, found.stdout + found.stderr
    assert cases(found.stdout) > 60
    # what is unknown takes a while to come about
    assert OPERATIONS - app.good() <= {("POST", "/v1/verifications/{id}/resolution")}


@pytest.mark.long
def test_it_finds_nothing_at_the_edges_of_what_the_document_says(tmp_path: Path) -> None:
    with service(f"sqlite:///{tmp_path}/idv.db") as (url, key, _):
        # an order has more edges than there is time for here: the long run walks them
        only = ("--phases", "coverage", "--exclude-path-regex", "^/v1/(verifications|explanations)$")
        found = schemathesis(url, key, *SAME_EACH_TIME, *only)
    assert found.returncode == 0, found.stdout + found.stderr
    assert cases(found.stdout) > 300


def test_it_would_find_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> list[Any]:
        return [{"name": 1}]

    monkeypatch.setattr("idv_core.server.api.accounts_json", broken)
    with service(f"sqlite:///{tmp_path}/idv.db") as (url, key, _):
        only = ("--phases", "fuzzing", "--max-examples", "1", "--include-operation-id", "list_accounts")
        found = schemathesis(url, key, *SAME_EACH_TIME, *only)
    assert found.returncode == 1
    assert "Response violates schema" in found.stdout
