"""docs/deploy: the files agree with each other, with the command, and with the page. No container is built here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.server.serving import _DRAIN

DOCS = Path(__file__).parents[2] / "docs"
DEPLOY = DOCS / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
PAGE = (DOCS / "service.md").read_text(encoding="utf-8").partition("### With Docker")[2].partition("\n## ")[0]
OURS = ("migrate", "idv")


@pytest.mark.parametrize("name", OURS)
def test_a_service_cannot_write_and_is_not_root(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["user"] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert f"USER {service['user']}\n" in DOCKERFILE


@pytest.mark.parametrize("words", [*(COMPOSE["services"][name]["command"] for name in OURS), ["config", "check"]])
def test_each_command_is_one(words: list[str]) -> None:
    names = [word for word in words if word.isalpha()]
    shown = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert [word for word in words if word.startswith("--") and word not in shown.stdout] == []


def test_the_image_does_by_itself_what_the_service_does() -> None:
    assert f"CMD {_as_json(COMPOSE['services']['idv']['command'])}\n" in DOCKERFILE
    target = COMPOSE["services"]["idv"]["configs"][0]["target"]
    assert f"IDV_CONFIG={target}\n" in DOCKERFILE


def _as_json(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def test_the_file_loads_once_its_secrets_are_there(tmp_path: Path) -> None:
    text = (DEPLOY / "idv.toml").read_text(encoding="utf-8")
    for name in COMPOSE["secrets"]:
        (tmp_path / name).write_text("an-invented-secret-that-is-long-enough-0001\n")
    (tmp_path / "idv.toml").write_text(text.replace("/run/secrets", str(tmp_path)))
    checked = CliRunner().invoke(app, ["config", "check", str(tmp_path / "idv.toml")])
    assert checked.exit_code == 0, checked.output


def test_each_secret_is_given_and_used() -> None:
    used = set(re.findall(r"/run/secrets/([a-z-]+)", (DEPLOY / "idv.toml").read_text(encoding="utf-8")))
    assert used == set(COMPOSE["secrets"]) == set(COMPOSE["services"]["idv"]["secrets"])
    for one in COMPOSE["secrets"].values():
        assert one["file"].startswith("./secrets/")
        assert one["file"].removeprefix("./") in PAGE
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().split()


def test_the_database_is_the_one_of_the_file() -> None:
    url = tomllib.loads((DEPLOY / "idv.toml").read_text(encoding="utf-8"))["ledger"]["url"]
    database = COMPOSE["services"]["database"]
    user, host, name = re.fullmatch(r"postgresql://(\w+)@(\w+)/(\w+)", url).groups()  # type: ignore[union-attr]
    assert host in COMPOSE["services"]
    # without POSTGRES_DB the database has the name of the user
    assert database["environment"]["POSTGRES_USER"] == user == name


def test_a_new_release_starts_after_the_migration_and_the_old_one_has_time_to_finish() -> None:
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["idv"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert int(services["idv"]["stop_grace_period"].removesuffix("s")) > _DRAIN.total_seconds()
    assert "restart" not in services["migrate"]


def test_only_this_machine_reaches_it() -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["idv"]["ports"])
    assert "ports" not in COMPOSE["services"]["database"]
