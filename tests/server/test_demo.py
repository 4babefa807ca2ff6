"""`idv demo --serve`, as somebody sees it who starts it, goes through an applicant's page, looks at the console, and ends it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.browsing import CHROMIUM, THOROUGH, chromium, hand_in, log_in
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.testing.applicant import submit_forms


def started(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The demo in a process of its own, and what it says of itself once it is ready."""
    command = [sys.executable, "-c", "from idv_core.cli import main; main()", "demo", *arguments, "--serve", "--json"]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line == "}\n":
            return process, json.loads(said)
    raise AssertionError(f"it ended with {process.wait()}: {said}")


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(30)
    finally:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()


def until(holds: Any) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it does not come"
        threading.Event().wait(0.1)


def test_an_applicant_goes_through_the_vendors_page_and_the_console_shows_the_decision() -> None:
    process, told = started("onfido", "stripe", "verigram")
    try:
        api = httpx.Client(headers={"authorization": f"Bearer {told['key']}"})
        with api:
            items = api.get(f"{told['api']}/verifications?limit=50").json()["items"]
            seen = {(one["state"], one["decision"]) for one in items}
            assert seen == {
                ("decided", "approved"),
                ("decided", "declined"),
                ("decided", "review"),
                ("awaiting", None),
                ("expired", None),
                ("unknown", None),
            }
            url = told["console"].removesuffix("/console")
            waiting, pictures = told["waiting"], Path(told["pictures"])
            passport, selfie = pictures / "passport.png", pictures / "selfie.png"
            eva = told["users"]["eva"]["password"]
            its_page = f"{told['console']}/verifications/{waiting['verification']}"
            if THOROUGH and CHROMIUM:
                with chromium() as browser:
                    page = browser.new_page()
                    log_in(page, url, "eva", eva)
                    page.goto(its_page)
                    assert "awaiting" in page.locator("#state").inner_text()
                    page.goto(waiting["hosted_page"])
                    hand_in(page, passport, selfie)
                    page.wait_for_url(f"{url}/**")
                    until(lambda: page.goto(its_page) and "approved" in page.locator("#state").inner_text())
                    shown = page.content()
            else:
                with httpx.Client(base_url=url, follow_redirects=True) as visitor:
                    form = visitor.get("/console/login").text
                    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', form)
                    assert csrf is not None
                    fields = {"csrf": csrf[1], "name": "eva", "password": eva, "next": "/console"}
                    assert visitor.post("/console/login", data=fields).status_code == 200
                    assert "approved" not in visitor.get(its_page).text
                    with httpx.Client() as applicant:
                        forms = {"document": passport.read_bytes()}, {"selfie": selfie.read_bytes()}
                        submit_forms(applicant, waiting["hosted_page"], *forms)
                    until(lambda: "approved" in visitor.get(its_page).text)
                    shown = visitor.get(its_page).text
            events = api.get(f"{told['api']}/verifications/{waiting['verification']}/events").json()["items"]
            assert "webhook" in [event["kind"] for event in events]
            assert "Meera" not in shown, "personal data is masked"
    finally:
        code = ended(process)
    assert code == 0
    assert not pictures.exists(), "the temporary data is still there"


def test_it_ends_while_it_is_still_being_set_up(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from idv_core.cli import main; main()", "demo", "verigram", "--serve", "--port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"TMPDIR": str(tmp_path)})
    try:
        until(lambda: list(tmp_path.glob("idv-demo-*")))
    finally:
        code = ended(process)
    assert (code, list(tmp_path.iterdir())) == (0, [])


class TestWhatIsRefused:
    def said(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["demo", *arguments])
        return done.exit_code, done.stderr

    def test_a_busy_port(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, said = self.said("verigram", "--serve", "--port", str(port))
        assert (code, said) == (
            2,
            f"idv: port {port} cannot be used (Address already in use); choose another with --port, "
            "or --port 0 for a free one\n",
        )
        assert signal.getsignal(signal.SIGTERM) is before

    @pytest.mark.parametrize("other", ["--ledger", "--two-people", "--stop=verigram"])
    def test_two_demos_at_once(self, other: str) -> None:
        code, said = self.said("--serve", other)
        assert (code, said) == (
            2,
            "idv: give one of --ledger, --serve, and the plain demo with --two-people or --stop\n",
        )
