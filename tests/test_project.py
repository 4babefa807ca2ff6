"""What a public project has: metadata, one licence, links that lead somewhere, a version in one place."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import aiohttp
import httpcore
import httpx
import pytest
from packaging.requirements import Requirement
from wheels import faults_of, main

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(folder for folder in ROOT.joinpath("plugins").iterdir() if folder.is_dir())
REPOSITORY = "https://github.com/idv-core/idv-core"


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_every_plugin_has_the_same_licence_and_metadata(folder: Path) -> None:
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["license-files"] == ["LICENSE"]
    assert project["authors"] == core["authors"]
    assert project["requires-python"] == core["requires-python"]
    assert project["urls"].keys() == core["urls"].keys()
    assert next(folder.glob("idv_*/py.typed")).exists()


@pytest.mark.parametrize("page", ["README.md", *(f"plugins/{folder.name}/README.md" for folder in PLUGINS)])
def test_pages_that_pypi_shows_have_links_that_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        assert re.match(r"https?://|#", link), f"{page}: {link} leads nowhere on PyPI"
        found = re.fullmatch(rf"{REPOSITORY}/(?:blob|tree)/main/([^#]+)(#.*)?", link)
        assert found is None or (ROOT / found[1]).exists(), f"{page}: there is no {link}"


@pytest.mark.parametrize("page", sorted((ROOT / ".github").glob("*.md")), ids=lambda page: page.name)
def test_pages_for_contributors_have_links_that_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not link.startswith(("http", "#")):
            assert (page.parent / link).exists(), f"{page.name}: there is no {link}"


def test_the_version_of_the_core_is_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "idv_core/__init__.py"


def test_libraries_whose_private_parts_are_used_are_bounded_above() -> None:
    """`idv_core.transports` reaches into connection pools, so a new line of these needs a look first."""
    wanted = {found.name: found.specifier for found in map(Requirement, requires("idv-core") or [])}
    for name, newer in (("httpx", "0.29"), ("aiohttp", "4.0")):
        assert not wanted[name].contains(newer), f"{name} {newer} has not been looked at"


def test_the_private_parts_are_still_there() -> None:
    pool = httpx.HTTPTransport()._pool
    assert isinstance(pool, httpcore.ConnectionPool)
    for name in ("_requests", "_connections", "_optional_thread_lock", "_assign_requests_to_connections"):
        assert hasattr(pool, name), f"httpcore.ConnectionPool.{name}"
    assert hasattr(aiohttp.TCPConnector, "_get")
    assert "_retry_connection" in aiohttp.ClientSession.ATTRS


def test_the_lists_of_the_workspace_name_every_plugin() -> None:
    """The two places that a new vendor's plugin is entered: see CONTRIBUTING."""
    settings = (ROOT / "pyproject.toml").read_text()
    navigation = (ROOT / "mkdocs.yml").read_text()
    for folder in PLUGINS:
        package = f"idv_{folder.name}"
        config = tomllib.loads(settings)["tool"]
        assert package in config["coverage"]["run"]["source"]
        assert package in config["importlinter"]["root_packages"]
        for contract in config["importlinter"]["contracts"]:
            named = " ".join(word for words in contract.values() if isinstance(words, list) for word in words)
            assert "idv_atlas" not in named or package in named, f"{package}: {contract['name']}"
        assert f"vendors/{folder.name}.md" in navigation


def test_a_wheel_that_lacks_something_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import zipfile

    wheel = tmp_path / "idv_bad-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("idv_bad/__init__.py", "")
        archive.writestr("idv_bad-1.dist-info/METADATA", "Name: idv-bad\nVersion: 1\n\n[a page](docs/page.md)\n")
    assert len(faults_of(wheel)) == 7
    assert main(str(tmp_path)) == 1
    assert "docs/page.md" in capsys.readouterr().out
    assert main(str(tmp_path / "empty")) == 1


def test_the_python_of_the_tests_is_one_that_is_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {sys.version_info[0]}.{sys.version_info[1]}" in project["classifiers"]
