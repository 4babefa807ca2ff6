"""Commands for the ledger: migrate, seal, verify, look, resolve, erase, send again; and `idv track`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import read_ledger_settings
from ..errors import ConfigError
from ..gateway.sync import Gateway
from ..model.validation import text_fault
from ..model.words import quoted
from .options import CONFIG, Config, Json
from .output import FAILED, as_json, console, counted, reported, table

if TYPE_CHECKING:
    from ..ledger import Ledger, Verification

_ACTOR = 100

ledger = typer.Typer(name="ledger", help="Look after stored verifications.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The id of the verification, as `idv ledger find` prints it.")]
Actor = Annotated[str | None, typer.Option("--as", help="Who does it, for the history; default: the user.")]


@contextmanager
def _opened(file: Path, json: bool = False) -> Iterator[Ledger]:
    with reported(json):
        _check_extra()
        from ..ledger import Ledger
        from ..ledger.reaching import reached

        with reached():
            opened = Ledger.load(file)
            try:
                yield opened
            finally:
                opened.close()


def _check_extra() -> None:
    for name in ("sqlalchemy", "alembic", "cryptography", "standardwebhooks"):
        if find_spec(name) is None:
            raise ConfigError(f"{name} is missing; install it with: pip install 'idv-core[ledger]'")


def _actor(given: str | None) -> str:
    """Raises ValueError for what does not fit into the history."""
    if given is not None:
        if fault := text_fault(given, _ACTOR):
            raise ValueError(f"--as: {fault}")
        return given
    try:
        name = getuser()
    except (KeyError, OSError):
        # in containers users have numbers only
        name = str(os.getuid())
    return f"user:{name}"[:_ACTOR]


@ledger.command()
def migrate(config: Config = CONFIG) -> None:
    """Create the tables, or bring them up to date. Safe to repeat."""
    with reported():
        _check_extra()
        from ..ledger import migrate
        from ..ledger.reaching import reached
        from ..ledger.store import connect

        settings = read_ledger_settings(config)
        engine = connect(settings.url, settings.password)
        try:
            with reached():
                migrate(engine)
        finally:
            engine.dispose()
    typer.echo("the ledger's tables are up to date")


@ledger.command()
def seal(config: Config = CONFIG, json: Json = False) -> None:
    """Seal all histories as they are now. Run it daily, and keep the printed digest outside of the database."""
    with _opened(config, json) as books:
        made = books.seal()
    if json:
        as_json({"seal": made.n, "verifications": made.count, "digest": made.digest.hex()})
    else:
        typer.echo(f"seal {made.n}: {counted(made.count, 'verification')}, {made.digest.hex()}")


@ledger.command()
def verify(config: Config = CONFIG, json: Json = False) -> None:
    """Check every history, decision and seal. Exit code 1 if anything was changed or is missing."""
    with _opened(config, json) as books:
        found = books.verify()
    if json:
        counts = {"verifications": found.verifications, "events": found.events, "seals": found.seals}
        as_json({**counts, "problems": list(found.problems)})
    else:
        for problem in found.problems:
            typer.echo(problem)
        seen = (
            counted(found.verifications, "verification"),
            counted(found.events, "event"),
            counted(found.seals, "seal"),
        )
        problems = counted(len(found.problems), "problem") if found.problems else "no problems"
        typer.echo(f"{', '.join(seen)}: {problems}")
    if found.problems:
        raise typer.Exit(FAILED)


@ledger.command()
def find(
    id: Annotated[str | None, typer.Argument(help="The id of the verification.")] = None,
    application: Annotated[str | None, typer.Option(help="Your id of the application.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Your tenant.")] = None,
    ref: Annotated[str | None, typer.Option(help="The reference of any of its flows.")] = None,
    state: Annotated[str | None, typer.Option(help="List the oldest in this state, such as unknown.")] = None,
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """Find verifications. Shows no personal data. Exit code 1 if there is none."""
    with _opened(config, json) as books:
        from ..ledger import State

        if state is not None:
            if state not in set(State):
                raise ValueError(f"--state {quoted(state)}: must be one of {', '.join(State)}")
            found = books.listed(State(state))
        else:
            if not (id or application or ref):
                raise ValueError("say which: an id, --application, --ref or --state")
            one = books.find(id, application_id=application, tenant=tenant, ref=ref)
            found = [one] if one is not None else []
    rows = [_shown(verification) for verification in found]
    if json:
        as_json(rows)
    elif rows:
        shown = table(*(name.replace("_", " ") for name in rows[0]))
        for row in rows:
            shown.add_row(*("" if value is None else str(value) for value in row.values()))
        console().print(shown)
    if not rows:
        if not json:
            typer.echo("no verification found")
        raise typer.Exit(FAILED)


def _shown(verification: Verification) -> dict[str, Any]:
    return {
        "id": verification.id,
        "tenant": verification.tenant,
        "application_id": verification.application_id,
        "product": verification.product,
        "state": verification.state.value,
        "account": verification.account,
        "decision": verification.decision.value if verification.decision else None,
        "round": verification.round,
        "due": verification.due.isoformat(timespec="seconds") if verification.due else None,
        "created_at": verification.created_at.isoformat(timespec="seconds"),
        "ref": verification.ref,
    }


@ledger.command()
def events(id: Id, config: Config = CONFIG, json: Json = False) -> None:
    """Print the history of a verification."""
    with _opened(config, json) as books:
        books.get(id)
        history = books.events(id)
    if json:
        as_json(
            [
                {"seq": one.seq, "at": one.at.isoformat(), "actor": one.actor, "kind": one.kind, "data": dict(one.data)}
                for one in history
            ]
        )
        return
    shown = table("at", "actor", "event", "")
    for one in history:
        said = ", ".join(f"{name} {value}" for name, value in one.data.items())
        shown.add_row(one.at.isoformat(sep=" ", timespec="seconds"), one.actor, one.kind, said)
    console().print(shown)


@ledger.command()
def erase(id: Id, actor: Actor = None, config: Config = CONFIG) -> None:
    """Destroy the personal data of a verification. The tracker asks its vendors to do the same. Cannot be undone."""
    with _opened(config) as books:
        gone = books.erase(id, actor=_actor(actor))
    done = gone.erased_at is not None
    typer.echo(
        f"{id}: erased" if done else f"{id}: will be erased as soon as nobody works on it; keep a tracker running"
    )


@ledger.command()
def resolve(
    id: Id,
    adopt: Annotated[str | None, typer.Option(help="The vendor has the flow: its id at the vendor.")] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Open it again at the same account.")] = False,
    give_up: Annotated[bool, typer.Option("--give-up", help="Let it end as failed.")] = False,
    actor: Actor = None,
    config: Config = CONFIG,
) -> None:
    """Decide about a verification of which nobody can tell whether the vendor opened it."""
    with _opened(config) as books:
        if (adopt is not None) + reopen + give_up != 1:
            raise ValueError("resolve: give exactly one of --adopt, --reopen and --give-up")
        books.resolve(id, adopt=adopt, reopen=reopen, give_up=give_up, actor=_actor(actor))
    typer.echo(f"{id}: stored; the tracker carries it out")


@ledger.command()
def redeliver(
    message: Annotated[str | None, typer.Argument(help="The id of a message, msg_...")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Only messages of this endpoint.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters.")] = False,
    actor: Actor = None,
    config: Config = CONFIG,
) -> None:
    """Send messages again, under the same ids."""
    with _opened(config) as books:
        if not (message or endpoint or dead):
            raise ValueError("redeliver: say which messages: an id, --endpoint or --dead")
        count = books.redeliver(message_id=message, endpoint=endpoint, dead=dead, actor=_actor(actor))
    typer.echo(f"sent again: {counted(count, 'message')}")
    if not count:
        raise typer.Exit(FAILED)


@ledger.command()
def rotate(config: Config = CONFIG) -> None:
    """After a new first key of the ledger: wrap everything by it. Then the old key can be removed from the file."""
    with _opened(config) as books:
        changed = books.rewrap()
    typer.echo(f"{counted(changed, 'key')} wrapped by the first key now; the other keys of [ledger] can be removed")


def track(
    config: Config = CONFIG,
    concurrency: Annotated[int, typer.Option(help="Turns and deliveries at a time.", min=1, max=1000)] = 8,
) -> None:
    """Follow all verifications of the ledger until SIGTERM or Ctrl-C. Reads the file again at SIGHUP."""
    stopped = threading.Event()
    with _opened(config) as books:
        from ..tracker import Tracker

        with Gateway.load(config) as idv, Tracker(idv, books, concurrency=concurrency) as tracker:
            if hasattr(signal, "SIGHUP"):
                idv.reload_on(signal.SIGHUP)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stopped.set())
            typer.echo(f"tracking as {tracker.worker}")
            stopped.wait()
    typer.echo("stopped; nothing is under way")
