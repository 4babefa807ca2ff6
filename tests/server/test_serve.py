"""`idv serve` as a process: it starts with nothing but accounts and routes, refuses what is insecure, and drains."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.running import ORDER
from typer.testing import CliRunner

from idv_core import Secret
from idv_core.cli.commands import app
from idv_core.ledger import Ledger, State

KEY = "an-invented-key-of-the-ledger-0001"
FILE = """
[accounts.kz]
plugin = "verigram"
base_url = "{url}"
api_key = {{ env = "TEST_VERIGRAM_KEY" }}
"""


class SlowVendor(ThreadingHTTPServer):
    """Answers an opening when it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked, self.go = threading.Event(), threading.Event()
        self.opened = 0


class _Answering(BaseHTTPRequestHandler):
    server: SlowVendor

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.opened += 1
        self.server.asked.set()
        self.server.go.wait(30)
        body = json.dumps({"flow_id": "f-1", "vlink": f"http://{self.headers['host']}/f-1"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[SlowVendor]:
    server = SlowVendor()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDV_LEDGER_KEY", KEY)
    (tmp_path / "idv.toml").write_text(FILE.format(url="https://kz.example"))
    monkeypatch.setenv("TEST_VERIGRAM_KEY", "an-invented-key-of-verigram")
    return tmp_path


@pytest.fixture
def start(environment: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    made: list[subprocess.Popen[str]] = []

    def start(*more: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", "from idv_core.cli import main; main()", "serve", "--port", "0", *more]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        made.append(process)
        said = ""
        assert process.stderr is not None
        for line in process.stderr:
            said += line
            if found := re.search(r"running on (https?://\S+)", line):
                return process, found[1]
        raise AssertionError(said)

    yield start
    for process in made:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def idv(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_it_starts_with_accounts_alone_and_a_deploy_leaves_nothing_unknown(
    environment: Path, slow: SlowVendor, start: Callable[..., tuple[subprocess.Popen[str], str]]
) -> None:
    (environment / "idv.toml").write_text(FILE.format(url=f"http://127.0.0.1:{slow.server_port}"))
    key = idv("server", "key", "add", "tests", "--scope", "verify").stdout.strip()
    process, url = start()
    headers = {"authorization": f"Bearer {key}"}
    assert httpx.get(f"{url}/readyz").status_code == 200
    id = httpx.post(f"{url}/v1/verifications", json=ORDER, headers=headers).json()["id"]
    assert slow.asked.wait(20)
    process.send_signal(signal.SIGTERM)
    # it takes no more calls, and waits for the opening
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            httpx.get(f"{url}/healthz")
        except httpx.TransportError:
            break
    assert process.poll() is None
    slow.go.set()
    assert process.wait(30) in (0, -signal.SIGTERM)
    ledger = Ledger(f"sqlite:///{environment}/idv.db", keys=[Secret(KEY)])
    assert ledger.get(id).state is State.AWAITING
    assert slow.opened == 1
    ledger.close()


@pytest.mark.usefixtures("environment")
class TestWhatIsRefused:
    """Each with the sentence that mends it."""

    def test_no_sealing_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("IDV_LEDGER_KEY")
        refused = idv("serve")
        assert refused.exit_code == 2
        assert "openssl rand -hex 32" in refused.stderr

    def test_a_short_sealing_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IDV_LEDGER_KEY", "short")
        refused = idv("serve")
        assert refused.exit_code == 2
        assert "32 characters" in refused.stderr
        assert "short" not in refused.stderr

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "platform.example"])
    def test_a_public_address_without_tls(self, host: str) -> None:
        refused = idv("serve", "--host", host)
        assert refused.exit_code == 2
        assert "--tls-cert" in refused.stderr
        assert "--behind-proxy" in refused.stderr

    def test_a_public_address_without_a_key(self) -> None:
        refused = idv("serve", "--host", "0.0.0.0", "--behind-proxy")
        assert refused.exit_code == 2
        assert "idv server key add" in refused.stderr

    def test_half_a_certificate(self) -> None:
        assert "--tls-key together" in idv("serve", "--tls-cert", "cert.pem").stderr

    def test_another_sealing_key_than_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert idv("server", "key", "add", "tests", "--scope", "read").exit_code == 0
        monkeypatch.setenv("IDV_LEDGER_KEY", "an-invented-key-of-the-ledger-0002")
        refused = idv("serve")
        assert refused.exit_code != 0
        assert "ledger key" in refused.stderr


class TestKeys:
    def test_they_are_made_listed_and_revoked(self, environment: Path) -> None:
        made = idv("server", "key", "add", "loans", "--scope", "verify", "--scope", "read").stdout.strip()
        prefix, id, secret = made.split("_", 2)
        assert prefix == "idv"
        (listed,) = json.loads(idv("server", "key", "list", "--json").stdout)["keys"]
        assert (listed["id"], listed["scopes"], listed["revoked"]) == (id, ["read", "verify"], None)
        assert secret not in idv("server", "key", "list").stdout
        assert idv("server", "key", "revoke", id).exit_code == 0
        assert idv("server", "key", "revoke", id).exit_code == 2
        (listed,) = json.loads(idv("server", "key", "list", "--json").stdout)["keys"]
        assert listed["revoked"] is not None

    def test_a_scope_that_there_is_not(self, environment: Path) -> None:
        refused = idv("server", "key", "add", "loans", "--scope", "all")
        assert refused.exit_code == 2
        assert "verify, read, personal, operate" in refused.stderr


class TestUsers:
    def test_they_are_made_listed_and_removed(self, environment: Path) -> None:
        made = CliRunner().invoke(app, ["server", "user", "add", "ana", "--role", "review"], input="a long password\n")
        assert made.exit_code == 0
        assert idv("server", "user", "add", "ben", "--no-password").exit_code == 0
        found = json.loads(idv("server", "user", "list", "--json").stdout)["users"]
        assert [(one["name"], one["roles"]) for one in found] == [("ana", ["look", "review"]), ("ben", ["look"])]
        assert "ana" in idv("server", "user", "list").stdout
        assert idv("server", "user", "remove", "ben").exit_code == 0
        assert idv("server", "user", "remove", "ben").exit_code == 2

    def test_without_a_password_it_is_the_password_that_is_asked_for(self, environment: Path) -> None:
        made = CliRunner().invoke(app, ["server", "user", "add", "ana"], input="")
        assert made.exit_code == 2
        assert "user: there is no password: type one" in made.stderr

    def test_a_short_password_and_a_role_that_there_is_not(self, environment: Path) -> None:
        short = CliRunner().invoke(app, ["server", "user", "add", "ana"], input="short\n")
        assert (short.exit_code, "12 characters" in short.stderr) == (2, True)
        assert (
            "look, review, operate, personal"
            in idv("server", "user", "add", "a", "--no-password", "--role", "x").stderr
        )


class TestTheLedgerOfTheFile:
    def test_its_section_is_used_where_there_is_one(self, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("IDV_LEDGER_KEY")
        monkeypatch.setenv("TEST_LEDGER_KEY", KEY)
        with (environment / "idv.toml").open("a") as file:
            file.write('\n[ledger]\nurl = "sqlite:///books.db"\nkey = { env = "TEST_LEDGER_KEY" }\n')
        assert idv("server", "migrate").exit_code == 0
        assert idv("server", "key", "add", "tests", "--scope", "read").exit_code == 0
        assert (environment / "books.db").exists()
        assert not (environment / "idv.db").exists()
