"""The code of the pages: it parses, imports what is there, names commands that are there; each block is run, or says why not."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import logging
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from pages import PAGES, ROOT, Block, all_blocks, name_of, without_code

import idv_core
import idv_core.config
from idv_core.cli.commands import app as cli
from idv_core.errors import OutcomeUnknown
from idv_core.testing import FakeVendor

# Pages whose blocks another test runs, all of them. Every block of TOML is held to the schema by tests/test_check.py.
PLAYED = {
    ("README.md", "python"): "tests/test_readme.py",
    ("docs/claims.md", "python"): "tests/test_claims.py",
    ("docs/clients.md", "python"): "tests/server/test_client_generated.py",
    ("docs/cookbook.md", "python"): "tests/test_cookbook.py",
    ("docs/exercise.md", "python"): "tests/test_guide.py",
    ("docs/faq.md", "python"): "tests/test_pages.py",
    ("docs/guide.md", "python"): "tests/test_guide.py",
    ("docs/quickstart.md", "python"): "tests/test_pages.py",
    ("docs/service.md", "bash"): "tests/server/test_docs.py",
    ("docs/switching.md", "python"): "tests/test_switching.py",
}
# Blocks that are run below.
RUN_HERE = {"docs/index.md", "docs/platform.md", "docs/tutorials/celery.md"}
# Blocks that are not run: how each begins, and why.
EXCUSED = {
    "docs/authors.md": {
        "from idv_core.plugin import Plugin, hookimpl": "a part of a plugin; guide.md has a whole one, which is run",
        "def open_flow(self": "a part of a plugin; guide.md has a whole one, which is run",
    },
    "docs/ledger.md": {
        "from idv_core import Applicant": "run by tests/ledger/test_pages.py",
        "from idv_core import WebhookApp": "one line of platform.md's, which is run",
        "from contextlib import": "the order's function is the reader's",
        "def apply(request)": "a part of the Django tutorial's, which is run",
        "from idv_core.tracker.procrastinate": "needs PostgreSQL: tests/ledger/test_procrastinate.py",
        "@celery.task": "a part of the Celery tutorial's, which is run",
    },
    "docs/operations.md": {
        "class Masked": "run below, with the log",
        "idv.reload_on": "a signal's handler is set in tests/test_reloading.py",
    },
}
FENCED = ("python", "typescript", "toml", "json", "bash", "console", "html", "text", "")


def test_every_block_says_what_it_is() -> None:
    assert [f"{block}: {block.language}" for block in all_blocks() if block.language not in FENCED] == []


def test_every_block_is_run_or_says_why_not() -> None:
    left: list[str] = []
    used: set[tuple[str, str]] = set()
    for block in all_blocks("python", "bash"):
        excuse = [begin for begin in EXCUSED.get(block.page, {}) if block.text.startswith(begin)]
        if block.snippet is not None:
            # tests/test_examples.py runs these
            assert block.snippet.is_relative_to(ROOT / "docs" / "examples"), str(block)
        elif excuse:
            used.add((block.page, excuse[0]))
        elif (block.page, block.language) not in PLAYED and block.page not in RUN_HERE:
            left.append(str(block))
    assert left == [], "neither run nor excused"
    assert used == {(page, begin) for page, reasons in EXCUSED.items() for begin in reasons}


@pytest.mark.parametrize(("page", "test"), sorted({(page, test) for (page, _), test in PLAYED.items()}))
def test_what_is_said_to_run_a_page_knows_it(page: str, test: str) -> None:
    assert Path(page).name in ROOT.joinpath(test).read_text()


# told in pieces that make sense together only
IN_PIECES = {"docs/guide.md", "docs/exercise.md"}


@pytest.mark.parametrize("block", [one for one in all_blocks("python") if one.page not in IN_PIECES], ids=str)
def test_python_parses_and_imports_what_is_there(block: Block) -> None:
    text = block.snippet.read_text() if block.snippet else block.text
    for node in ast.walk(ast.parse(text, filename=str(block))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("idv_core") and not node.level:
            module = importlib.import_module(str(node.module))
            for name in node.names:
                assert hasattr(module, name.name), f"{block}: {node.module} has no {name.name}"


@pytest.mark.parametrize("block", all_blocks("toml", "json", "bash"), ids=str)
def test_other_files_parse(block: Block) -> None:
    if block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "json":
        json.loads(block.text)
    else:
        subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


# Commands


def _commands(block: Block) -> list[str]:
    """What is typed: lines with a prompt, or all where there is none; the ends of lines that go on are joined."""
    text = block.text.replace("\\\n", " ")
    lines = text.splitlines()
    typed: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            typed.append(line[2:])
        elif typed and typed[-1].count("'") % 2:
            typed[-1] += "\n" + line
    return typed if any(line.startswith("$ ") for line in lines) else lines


@cache
def _idv() -> Any:
    return typer.main.get_command(cli)


def _check_idv(words: list[str], where: str) -> None:
    """The words after `idv` name a command that is there, with options that it has."""
    command: Any = _idv()
    words = list(words)
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"{where}: there is no command idv ... {words[0]}"
        command = command.commands[words.pop(0)]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    for word in words:
        if re.match(r"--[a-z]", word):
            assert word.partition("=")[0] in known, f"{where}: {command.name} has no {word}"


def _sessions() -> set[str]:
    tree = ast.parse(ROOT.joinpath("noxfile.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}


def _distributions() -> dict[str, set[str]]:
    found = {}
    for file in [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]:
        project = tomllib.loads(file.read_text())["project"]
        found[project["name"]] = set(project.get("optional-dependencies", {}))
    return found


def check_command(line: str, where: str) -> None:
    """One line of a console: our own commands, sessions and distributions are there."""
    for words in _simple_commands(line):
        if words[0] == "idv":
            _check_idv(words[1:], where)
        elif "nox" in words and "-s" in words:
            wanted = words[words.index("-s") + 1 :]
            wanted = wanted[: wanted.index("--")] if "--" in wanted else wanted
            assert set(wanted) <= _sessions(), f"{where}: {wanted}"
        elif "install" in words:
            for word in words:
                asked = re.fullmatch(r"(idv-[a-z]+)(?:\[([a-z,]+)\])?", word)
                if asked and asked[1] not in THEIRS:
                    assert asked[1] in _distributions(), f"{where}: there is no {asked[1]}"
                    extras = set((asked[2] or "").split(",")) - {""}
                    assert extras <= _distributions()[asked[1]], f"{where}: {word}"


# distributions that the pages let the reader make
THEIRS = {"idv-harbor", "idv-marlin", "idv-acme"}


def _simple_commands(line: str) -> list[list[str]]:
    parts = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    parts.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in parts:
        if set(word) <= set("|&;"):
            commands.append([])
        elif commands[-1] or not re.match(r"[A-Z_]+=", word):
            commands[-1].append(word)
    return [words for words in commands if words]


@pytest.mark.parametrize("block", all_blocks("console"), ids=str)
def test_commands_are_there(block: Block) -> None:
    for line in _commands(block):
        check_command(line, str(block))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_sentences_are_there(page: Path) -> None:
    """`idv ledger redeliver` in a sentence; `idv open` and `idv config ...` too."""
    for line in re.findall(r"`(idv [a-z][^`]*)`", without_code(page.read_text())):
        words = [word for word in line.replace("...", " ").split()[1:] if re.fullmatch(r"-{0,2}[a-z][a-z-]*", word)]
        _check_idv(words, f"{name_of(page)}: {line}")


def test_a_command_that_is_not_there_is_seen() -> None:
    for line in ("idv opne", "idv config chekc", "idv open --jsno", "x=1 idv ledger find | idv bad", "nox -s tsets"):
        with pytest.raises(AssertionError):
            check_command(line, "here")
    for line in ("pip install 'idv-core[clli]'", "pip install idv-onfdo"):
        with pytest.raises(AssertionError):
            check_command(line, "here")
    check_command("IDV_X=1 idv ledger find --application APP && nox -s lint types", "here")


# Links


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_elsewhere_are_well_formed(page: Path) -> None:
    """mkdocs checks those within the site; nobody is called here."""
    text = without_code(page.read_text())
    for link in re.findall(r"\]\(([^)\s]*)\)|<(https?://[^>\s]+)>", text):
        address = link[0] or link[1]
        if not re.match(r"[a-z]+:", address):
            assert address, f"{name_of(page)}: a link to nowhere"
            continue
        parts = urlsplit(address)
        assert parts.scheme in ("https", "mailto"), f"{name_of(page)}: {address}"
        assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}", parts.hostname or "a.example"), f"{name_of(page)}: {address}"
        assert not re.search(r"[.,;]$|//.*//|[^!-~]", address), f"{name_of(page)}: {address}"


# Blocks that are run here


def _python(page: str) -> list[str]:
    return [block.text for block in all_blocks("python") if block.page == page and block.snippet is None]


def test_the_first_program_of_the_site(
    fake_vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(idv_core.Gateway, "load", lambda path: fake_vendor.gateway())

    def send_to(link: str) -> None:
        (id,) = fake_vendor.verifications
        assert id in link
        fake_vendor.decide(f"fake/{id}", "approved", claims={"name": "ANA RUIZ", "birthdate": "1993-07-21"})

    (program,) = _python("docs/index.md")
    exec(compile(program, "index.md", "exec"), {"send_to": send_to})
    assert capsys.readouterr().out == "ANA RUIZ 1993-07-21\n"


def test_the_page_for_platform_engineers(fake_vendor: FakeVendor, capsys: pytest.CaptureFixture[str]) -> None:
    import flask
    from django.conf import settings
    from django.http import HttpResponse
    from starlette.applications import Starlette
    from starlette.routing import Mount

    if not settings.configured:
        settings.configure()
    claims, erase, recover, mount, receive, views, observer, fast = _python("docs/platform.md")
    idv, order = fake_vendor.gateway(), fake_vendor.order()
    flow = fake_vendor.decide(idv.open(order), "approved")
    names: dict[str, Any] = {name: getattr(idv_core, name) for name in idv_core.__all__}
    names |= {"Starlette": Starlette, "Mount": Mount, "HttpResponse": HttpResponse}
    names |= {"idv": idv, "order": order, "flow": flow, "result": idv.result(flow), "OutcomeUnknown": OutcomeUnknown}
    got: list[Any] = []
    names |= {"handle": got.append, "Response": flask.Response, "request": flask.request}

    exec(claims, names)
    exec(erase, names)
    assert names["erasure"].status == "done"

    names["order"] = fake_vendor.order("APP-2")
    fake_vendor.fail(next="open", error=OutcomeUnknown, done=True)
    exec(recover, names)
    assert names["flow"].application_id == "APP-2"

    exec(mount, names)
    fake_vendor.deliver_to(names["app"])
    fake_vendor.decide(names["flow"], "approved")
    assert [received.application_id for received in got][-1:] == ["APP-2"]

    exec(receive, names)
    names["app"] = flask.Flask("platform")
    exec(views, names)
    third = idv.open(fake_vendor.order("APP-3"))
    fake_vendor.deliver_to(names["app"], wsgi=True)
    fake_vendor.decide(third, "declined")
    assert [received.application_id for received in got][-1:] == ["APP-3"]

    exec(observer, names)
    account = fake_vendor.account
    with idv_core.Gateway([account], **{**fake_vendor.wiring, "observers": [names["Slow"]()]}) as watched:
        watched.status(third)
    names["accounts"] = [
        idv_core.config.Account("main", "stripe", {"api_key": idv_core.Secret("sk_test_1")}, test=True)
    ]
    exec(fast, names)
    assert capsys.readouterr().out == ""
    idv.close()


def test_the_web_process_of_the_celery_tutorial(monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = _python("docs/tutorials/celery.md")
    started: list[Any] = []
    module = ModuleType("celery_app")
    vars(module)["start"] = started.append
    monkeypatch.setitem(sys.modules, "celery_app", module)
    exec(program, {})
    assert [order.application_id for order in started] == ["APP-1"]


def test_the_filter_of_the_log_of_addresses_masks_the_token() -> None:
    (program,) = [text for text in _python("docs/operations.md") if text.startswith("class Masked")]
    log = logging.getLogger("uvicorn.access")
    before = list(log.filters)
    exec(program, {"logging": logging, "re": re})
    (added,) = [one for one in log.filters if one not in before]
    log.removeFilter(added)
    record = log.makeRecord("uvicorn.access", logging.INFO, "", 1, "%s", ("/idv/stripe/SECRET/events?x=1",), None)
    assert added.filter(record) is True
    assert record.getMessage() == "/idv/stripe/***/events?x=1"


@pytest.fixture
def fake_vendor() -> FakeVendor:
    return FakeVendor()


def _explained(doc: str) -> set[str]:
    """The names under `Args:`."""
    section = re.search(r"^Args:\n((?: +.*\n?)+)", inspect.cleandoc(doc), re.MULTILINE)
    return set(re.findall(r"^ {4}(\w+):", section[1], re.MULTILINE)) if section else set()


@pytest.mark.parametrize("path", re.findall(r"^::: (\S+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE))
def test_the_reference_explains_each_argument_and_no_other(path: str) -> None:
    shown = pkgutil.resolve_name(path)
    explained = {name for one in getattr(shown, "__mro__", (shown,)) for name in _explained(one.__doc__ or "")}
    if not explained:
        return
    taken = set(inspect.signature(shown).parameters) - {"more"}
    # `wakes` and `ticket` of Received are the gateway's own
    assert explained >= taken - {"wakes", "ticket"}, f"{path} does not say what {taken - explained} are"
    own = _explained(shown.__doc__ or "")
    assert not own - taken, f"{path} explains what it does not take: {own - taken}"
