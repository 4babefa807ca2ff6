"""Commands of the service: `idv serve`, its keys, its tables."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import LedgerSettings, read_configuration, read_ledger_settings
from ..config.secrets import read_env
from ..errors import ConfigError
from ..model import Secret
from .options import CONFIG, Config, Json
from .output import as_json, console, reported, table

if TYPE_CHECKING:
    from ..gateway import AsyncGateway
    from ..ledger import Ledger

_URL = "sqlite:///idv.db"
_VARIABLE = "IDV_LEDGER_KEY"
_GROUPS = 4

server = typer.Typer(name="server", help="Keys and tables of the service.", no_args_is_help=True)
key = typer.Typer(name="key", help="Keys of the REST API.", no_args_is_help=True)
user = typer.Typer(name="user", help="Users of the console.", no_args_is_help=True)
server.add_typer(key)
server.add_typer(user)


def settings_of(file: Path) -> LedgerSettings:
    """The `[ledger]` of the file. Without one, SQLite in `idv.db` here, sealed by the key in the variable `IDV_LEDGER_KEY`.

    Raises ConfigError.
    """
    _check_file(file)
    configuration = read_configuration(file)
    if configuration.ledger is not None:
        return read_ledger_settings(file)
    if "*" in configuration.unread:
        raise ConfigError.of(configuration.problems)
    if _VARIABLE not in os.environ:
        raise ConfigError(
            "there is no sealing key, and without one personal data would be stored in clear. Make one: openssl rand -hex 32. "
            f"Keep it, and give it in the variable {_VARIABLE}, or as the key of [ledger]: without it nothing can be read again"
        )
    try:
        return LedgerSettings(url=_URL, key=Secret(read_env(_VARIABLE)))
    except ValueError as error:
        raise ConfigError(f"{_VARIABLE}: {error}") from None


@contextmanager
def opened(file: Path) -> Iterator[Ledger]:
    """The ledger with the tables of the service."""
    from ..ledger import Ledger
    from ..ledger.reaching import reached
    from ..server.migrating import check_tables, migrate

    ledger = Ledger.of(settings_of(file))
    try:
        with reached():
            if not ledger.store.is_postgresql:
                migrate(ledger.store.engine)
            check_tables(ledger.store.engine)
            yield ledger
    finally:
        ledger.close()


def serve(
    config: Config = CONFIG,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for a free one.", min=0, max=65535)] = 8700,
    tls_cert: Annotated[Path | None, typer.Option(help="The certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy of yours ends TLS, and nobody else reaches this port.")
    ] = False,
    user_header: Annotated[
        str | None,
        typer.Option(help="The header in which your proxy names the user of the console; there is no login then."),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="The address of that proxy; repeatable. Default: this machine.")
    ] = None,
) -> None:
    """Serve the REST API, webhooks, metrics and the console, and follow every verification to its end."""
    with reported():
        with _extra():
            from ..server import keys
            from ..server.app import create_app
            from ..server.console.web import ConsoleOptions
            from ..server.serving import Binding, check_binding, check_keys, listen, run
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
        for noisy in ("httpx", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        binding = Binding(host=host, port=port, certificate=tls_cert, private_key=tls_key, is_behind_proxy=behind_proxy)
        check_binding(binding)
        with _gateway(config) as gateway, opened(config) as ledger:
            check_keys(binding, ledger)
            if not keys.are_there(ledger.store):
                typer.echo(
                    "idv: no key can use the API yet; make one: idv server key add NAME --scope verify", err=True
                )
            options = ConsoleOptions(
                is_secure=tls_cert is not None or behind_proxy,
                is_behind_proxy=behind_proxy,
                user_header=user_header,
                trusted=frozenset(trusted_proxy or ("127.0.0.1", "::1")),
            )
            if hasattr(signal, "SIGHUP"):
                gateway.reload_on(signal.SIGHUP)
            run(create_app(gateway, ledger, console=options), binding, listen(binding))


@contextmanager
def _gateway(file: Path) -> Iterator[AsyncGateway]:
    from ..gateway import AsyncGateway

    _check_file(file)
    gateway = AsyncGateway.load(file)
    try:
        yield gateway
    finally:
        asyncio.run(gateway.close())


def _check_file(file: Path) -> None:
    if not file.exists():
        raise ConfigError(
            f"there is no {file}: write your accounts into it (docs: For operations), or name another by --config"
        )


def report(
    by: Annotated[
        list[str] | None, typer.Option(help="account, route, country or document; repeatable. Default: account.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Ordered from this day on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Ordered before this day, UTC.")] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="ROUTE", help="The verdict on the split and the shadows of this route instead."),
    ] = None,
    config: Config = CONFIG,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
) -> None:
    """Report how the vendors do: counts, conversion, times, costs, error and unknown rates, reasons."""
    with reported(json):
        with _extra():
            from ..server import performance
        first, last = (day.replace(tzinfo=UTC) if day else None for day in (since, until))
        parts = tuple(by or ("account",))
        with opened(config) as ledger:
            names: tuple[str, ...]
            if split is not None:
                found = list(performance.verdict_rows(performance.verdict(ledger.store, split, first, last)))
                names = performance.VERDICT_COLUMNS
            else:
                prices = {one.name: one.price for one in read_configuration(config).accounts}
                lines = performance.report(ledger.store, parts, first, last, prices)
                found, names = list(performance.rows(lines, parts)), performance.columns(parts)
    if csv:
        typer.echo(performance.csv_of(found, names), nl=False)
    elif json:
        as_json({"lines": found})
    elif split is not None:
        for row in found:
            typer.echo(f"{row['account']} against {row['against']}: {row['text']}")
        if not found:
            typer.echo(
                f"there is nothing to compare on route {split}: one account has had all of it, as far as a day ago"
            )
    else:
        _print_upright(found, parts, names)


def _print_upright(found: list[dict[str, Any]], by: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Groups side by side, figures below each other: a screen has room for a few groups, and not for all figures."""
    for start in range(0, len(found), _GROUPS):
        some = found[start : start + _GROUPS]
        shown = table(" / ".join(by), *(" / ".join(row[name] or "not known" for name in by) for row in some))
        for name in names[len(by) :]:
            shown.add_row(name, *("" if row[name] is None else str(row[name]) for row in some))
        console().print(shown)
    if not found:
        typer.echo("nothing was ordered then")


@server.command()
def migrate(config: Config = CONFIG) -> None:
    """Make the tables of ledger and service, or bring them up to date."""
    with reported():
        with _extra():
            from ..ledger.reaching import reached
            from ..ledger.store import connect
            from ..server.migrating import migrate
        settings = settings_of(config)
        engine = connect(settings.url, settings.password)
        try:
            with reached():
                migrate(engine)
        finally:
            engine.dispose()
        typer.echo("the tables are up to date")


@key.command(name="add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    scope: Annotated[list[str], typer.Option(help="verify, read, personal or operate; repeatable.")],
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    with reported(json):
        with _extra():
            from ..server import keys
        with opened(config) as ledger:
            made = keys.add(ledger.store, name, scope).reveal()
    if json:
        as_json({"key": made})
    else:
        typer.echo(made)


@key.command(name="list")
def list_keys(config: Config = CONFIG, json: Json = False) -> None:
    """List the keys. What opens is not shown, for it is not kept."""
    with reported(json):
        with _extra():
            from ..server import keys
        with opened(config) as ledger:
            found = keys.listing(ledger.store)
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "scopes": sorted(one.scopes),
            "created": one.created_at.isoformat(timespec="minutes"),
            "used": one.used_at.isoformat(timespec="minutes") if one.used_at else None,
            "revoked": one.revoked_at.isoformat(timespec="minutes") if one.revoked_at else None,
        }
        for one in found
    ]
    if json:
        as_json({"keys": rows})
        return
    shown = table("id", "name", "scopes", "created", "used", "revoked")
    for row in rows:
        shown.add_row(*(", ".join(cell) if isinstance(cell, list) else cell or "" for cell in row.values()))
    console().print(shown)


@key.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The id of the key, as `idv server key list` shows it.")],
    config: Config = CONFIG,
) -> None:
    """Revoke a key. When this command ends, it opens nothing any more."""
    with reported():
        with _extra():
            from ..server import keys
        with opened(config) as ledger:
            keys.revoke(ledger.store, id)
        # processes that serve know a key for so long without asking
        time.sleep(keys.FORGOTTEN)
        typer.echo(f"key {id} is revoked")


@user.command(name="add")
def add_user(
    name: Annotated[str, typer.Argument(help="The name that events and reviews carry.")],
    role: Annotated[
        list[str] | None, typer.Option(help="review, operate or personal; repeatable. All may look.")
    ] = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Your proxy says who it is (idv serve --user-header).")
    ] = False,
    config: Config = CONFIG,
) -> None:
    """Make a user, or give one other roles and another password. The password is asked for, or read from standard input."""
    with reported():
        with _extra():
            from ..server.console import users
        password: Secret | None = None
        if not no_password:
            is_terminal = sys.stdin.isatty()
            typed = getpass("Password: ") if is_terminal else sys.stdin.readline().rstrip("\n")
            if is_terminal and getpass("Once more: ") != typed:
                raise ConfigError("user: the two passwords differ")
            if not typed:
                raise ConfigError("user: there is no password: type one, write it to standard input, or --no-password")
            password = Secret(typed)
        with opened(config) as ledger:
            users.add(ledger.store, name, role or (), password)
        typer.echo(f"{name} may use the console")


@user.command(name="list")
def list_users(config: Config = CONFIG, json: Json = False) -> None:
    """List the users and their roles."""
    with reported(json):
        with _extra():
            from ..server.console import users
        with opened(config) as ledger:
            found = users.listing(ledger.store)
    if json:
        as_json({"users": [{"name": one.name, "roles": sorted(one.roles)} for one in found]})
        return
    shown = table("name", "roles")
    for one in found:
        shown.add_row(one.name, ", ".join(sorted(one.roles)))
    console().print(shown)


@user.command(name="remove")
def remove_user(name: Annotated[str, typer.Argument(help="The name.")], config: Config = CONFIG) -> None:
    """Remove a user. Their sessions end at once; their name stays in the history."""
    with reported():
        with _extra():
            from ..server.console import users
        with opened(config) as ledger:
            users.remove(ledger.store, name)
        typer.echo(f"{name} may not use the console any more")


@contextmanager
def _extra() -> Iterator[None]:
    """Says which extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is missing; install it with: pip install 'idv-core[server]'") from None
