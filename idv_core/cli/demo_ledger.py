"""`idv demo --ledger`: every verification comes to its end although the process that follows them is killed."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from ..gateway.sync import Gateway
from ..ledger import Ledger, State, Verification
from ..model import Applicant, FlowOrder, Secret
from ..testing.asgi import serve
from ..testing.emulation import Scene
from ..testing.files import FileServer
from ..testing.specimens import PEOPLE
from .demo_worker import configuration
from .emulators import RunningEmulator, start_emulators
from .output import FAILED, OK, as_json, console, table

_PACE = timedelta(seconds=0.25)
_PATIENCE = 60.0
_PERSON = PEOPLE["meera"]
_WAITING = frozenset({State.ORDERED, State.OPENING})


def run_ledger_demo(vendors: Iterable[str], *, json_wanted: bool) -> int:
    """Run it, print what came of each verification, and return the exit code."""
    shelf, running = FileServer(), start_emulators(vendors, _PACE)
    try:
        with serve(shelf.app) as files, tempfile.TemporaryDirectory(prefix="idv-demo-") as folder:
            told = _told(running, f"sqlite:///{folder}/idv.db")
            ledger = Ledger(told["url"], keys=[Secret(told["key"])])
            try:
                rows = _play(running, told, ledger, lambda content: files.url + shelf.put(content), json_wanted)
            finally:
                ledger.close()
    finally:
        for vendor in running:
            vendor.served.stop()
    if json_wanted:
        as_json(rows)
    else:
        shown = table(
            *(name.replace("_", " ") for name in rows[0]), title="Killed with kill -9, and decided all the same"
        )
        for row in rows:
            shown.add_row(*map(str, row.values()))
        console().print(shown)
    return OK if all(row["decision"] for row in rows) else FAILED


def _told(running: list[RunningEmulator], url: str) -> dict[str, Any]:
    accounts: dict[str, Any] = {}
    for vendor in running:
        given = vendor.emulation.settings(vendor.served.url)
        hidden = {name: value.reveal() for name, value in given.items() if isinstance(value, Secret)}
        accounts[vendor.name] = {
            "settings": {name: value for name, value in given.items() if name not in hidden},
            "secrets": hidden,
        }
    return {"accounts": accounts, "url": url, "key": secrets.token_hex(32)}


def _play(
    running: list[RunningEmulator], told: dict[str, Any], ledger: Ledger, put_file: Any, quiet: bool
) -> list[dict[str, Any]]:
    def say(text: str) -> None:
        if not quiet:
            console().print(text)

    applicant = Applicant(
        reference="CUST-1",
        given_name=_PERSON.given_name,
        family_name=_PERSON.family_name,
        email="meera@example.org",
        country="IN",
    )
    taken = {
        vendor.name: ledger.take(
            FlowOrder(product=vendor.name, application_id=f"APP-{vendor.name}", applicant=applicant)
        )
        for vendor in running
    }
    say(f"{len(taken)} orders are in the ledger")
    worker = _start(told)
    try:
        before = _until(ledger, taken, lambda one: one.state not in _WAITING)
        say(f"the tracker (process {worker.pid}) has opened them; the applicants go through them")
        with Gateway(configuration(told)) as idv:
            for vendor in running:
                flow = before[vendor.name].flow
                if flow is not None:
                    scene = Scene(person=_PERSON, face=_PERSON, put_file=put_file, say=lambda text: None)
                    vendor.emulation.play(idv, flow, scene)
        worker.kill()
        worker.wait()
        before = {name: ledger.get(one.id) for name, one in taken.items()}
        say(f"kill -9 {worker.pid}: " + ", ".join(f"{name} is {one.state}" for name, one in before.items()))
        worker = _start(told)
        say(f"another tracker (process {worker.pid}) goes on")
        after = _until(ledger, taken, lambda one: one.state.is_ended)
    finally:
        worker.kill()
        worker.wait()
    return [
        {
            "vendor": name,
            "verification": one.id,
            "when_killed": before[name].state.value,
            "at_the_end": one.state.value,
            "decision": one.decision.value.upper() if one.decision else "",
            "history": " > ".join(event.kind for event in ledger.events(one.id)),
        }
        for name, one in after.items()
    ]


def _start(told: dict[str, Any]) -> subprocess.Popen[str]:
    worker = subprocess.Popen([sys.executable, "-m", f"{__package__}.demo_worker"], stdin=subprocess.PIPE, text=True)  # noqa: S603
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(told) + "\n")
    worker.stdin.close()
    return worker


def _until(ledger: Ledger, taken: dict[str, Verification], is_there: Any) -> dict[str, Verification]:
    end = time.monotonic() + _PATIENCE
    while True:
        now = {name: ledger.get(one.id) for name, one in taken.items()}
        if all(is_there(one) for one in now.values()) or time.monotonic() > end:
            return now
        time.sleep(0.1)
