"""The commands of `idv`."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from datetime import UTC, datetime, timedelta
from importlib import metadata
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ..gateway.sync import Gateway
from ..model import Document, Result, Secret
from ..model.validation import seconds
from ..plugin.protocols import capabilities
from ..registry import discover
from . import ledger, life, operating
from . import server as service
from .options import (
    CONFIG,
    ApplicationId,
    Config,
    Country,
    Email,
    FamilyName,
    GivenName,
    Json,
    Locale,
    Name,
    PhoneNumber,
    Product,
    Ref,
    Reference,
    ReturnUrl,
    ShowLink,
    Template,
    Tenant,
    order_of,
)
from .output import EXIT_CODES, USAGE, Commands, as_json, console, reported, show_flow, show_result, table

app = typer.Typer(
    name="idv",
    cls=Commands,
    help="One API in front of every identity-verification vendor.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

plugin = typer.Typer(name="plugin", help="Commands for plugin authors.", no_args_is_help=True)
app.add_typer(operating.config)
app.add_typer(operating.route)
app.add_typer(operating.policy)
app.add_typer(ledger.ledger)
app.command()(ledger.track)
app.add_typer(service.server)
app.command()(service.serve)
app.command()(service.report)
app.add_typer(plugin)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"idv-core {metadata.version('idv-core')}")
        raise typer.Exit


@app.callback()
def every(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """One API in front of every identity-verification vendor."""


_WEBHOOKS = "http://127.0.0.1:8000/idv"
_FLAWS = ("blurred", "edited", "expired", "mask", "multiple people", "printed photo")


@app.command()
def demo(
    vendors: Annotated[list[str] | None, typer.Argument(help="The plugins; default: all with an emulator.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Require every installed plugin to take part.")] = False,
    two_people: Annotated[
        bool, typer.Option("--two-people", help="Submit one person's documents with another person's selfie.")
    ] = False,
    stop: Annotated[str | None, typer.Option(help="Stop the emulator of this vendor half-way.")] = None,
    with_ledger: Annotated[
        bool, typer.Option("--ledger", help="Follow the orders through a ledger, and kill the tracker half-way.")
    ] = False,
    served: Annotated[
        bool, typer.Option("--serve", help="Serve API and console over the emulators, with applicants, until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="The port for --serve; 0 for a free one.", min=0, max=65535)] = 8700,
    json: Json = False,
) -> None:
    """Send one order to every vendor's emulator, complete each verification, and show the results side by side."""
    with reported(json):
        from .demo import run_demo

        if every and vendors:
            raise ValueError("give vendor names or --all, not both")
        wanted = sorted(discover().found) if every else vendors or ()
        if (with_ledger and served) or ((with_ledger or served) and (two_people or stop)):
            raise ValueError("give one of --ledger, --serve, and the plain demo with --two-people or --stop")
        if served:
            from .demo_serve import run_served_demo

            raise typer.Exit(run_served_demo(wanted, port, json_wanted=json))
        if with_ledger:
            from .demo_ledger import run_ledger_demo

            raise typer.Exit(run_ledger_demo(wanted, json_wanted=json))
        code = run_demo(wanted, two_people=two_people, stop=stop, json_wanted=json)
    raise typer.Exit(code)


@app.command()
def emulate(
    vendors: Annotated[list[str] | None, typer.Argument(help="The plugins; default: all with an emulator.")] = None,
    port: Annotated[int, typer.Option(help="The first port; 0 for free ports.", min=0, max=65535)] = 0,
    pace: Annotated[float, typer.Option(help="Seconds that an emulated vendor takes for each step.")] = 1.0,
    webhooks: Annotated[str, typer.Option(help="Where your platform mounts its WebhookApp.")] = _WEBHOOKS,
    json: Json = False,
) -> None:
    """Run emulators until Ctrl-C and print account settings for them.

    They send webhooks to `--webhooks`, signed with the key that is printed (or that IDV_WEBHOOK_KEY holds).
    """
    key = os.environ.get("IDV_WEBHOOK_KEY") or secrets.token_hex(32)
    with reported(json):
        from .emulators import send_webhooks, start_emulators

        running = start_emulators(vendors or (), _seconds("--pace", pace), port)
        settings = {vendor.name: vendor.emulation.settings(vendor.served.url) for vendor in running}
        try:
            send_webhooks(running, settings, webhooks, Secret(key))
        except ValueError:
            for vendor in running:
                vendor.served.stop()
            raise
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    if json:
        as_json({name: {key: _shown(value) for key, value in given.items()} for name, given in settings.items()})
    else:
        typer.echo(_as_toml(settings, webhooks, key))
    stopped.wait()
    for vendor in running:
        vendor.served.stop()


@app.command()
def plugins(
    levels: Annotated[
        bool, typer.Option("--levels", help="Grade each plugin; takes half a minute per plugin.")
    ] = False,
    json: Json = False,
) -> None:
    """List the installed plugins and what they can do."""
    with reported(json):
        registry = discover()
        graded = _levels(sorted(registry.found)) if levels else {}
    rows = [
        {
            "name": name,
            "version": found.version,
            "distribution": found.distribution,
            "summary": found.plugin.summary,
            "capabilities": {adapter.__name__: capabilities(adapter) for adapter in found.plugin.adapters},
            **({"level": graded[name]} if levels else {}),
        }
        for name, found in sorted(registry.found.items())
    ]
    if json:
        as_json({"plugins": rows, "broken": [str(broken) for broken in registry.broken]})
    else:
        shown = table("plugin", "version", "what it is", "capabilities", *(["level"] if levels else []))
        for row in rows:
            able: dict[str, tuple[str, ...]] = row["capabilities"]  # type: ignore[assignment]
            lines = "\n".join(f"{adapter}: {', '.join(names)}" for adapter, names in able.items())
            level = [str(row["level"])] if levels else []
            shown.add_row(str(row["name"]), str(row["version"]), str(row["summary"]), lines, *level)
        console().print(shown)
    for broken in registry.broken:
        typer.echo(f"idv: {broken}", err=True)
    if registry.broken:
        raise typer.Exit(USAGE)


@app.command(name="new-plugin")
def begin_plugin(
    name: Annotated[str, typer.Argument(help="The vendor in lower case, such as my-vendor.")],
    into: Annotated[Path, typer.Option(help="The parent directory.")] = Path(),
) -> None:
    """Create a complete plugin to start from. It installs and passes the first level of the suite."""
    with reported():
        from ..testing.scaffolding import new_plugin

        made = new_plugin(name, into)
    typer.echo(f"{made}: next, pip install -e '{made}[emulator]' and idv plugin check {name}")


@plugin.command(name="check")
def check_plugin(
    name: Annotated[str, typer.Argument(help="An installed plugin that declares a harness.")], json: Json = False
) -> None:
    """Grade a plugin: each point with its evidence or with what is left to do. Takes about a minute."""
    with reported(json):
        from ..testing import levels

        report = levels.check_plugin(name)
    if json:
        grades = [{**attrs.asdict(grade), "level": grade.level.value} for grade in report.grades]
        as_json({"plugin": report.plugin, "level": report.level.value, "points": grades})
        return
    for grade in report.grades:
        mark = "x" if grade.met else " " if grade.offered else "-"
        typer.echo(f"[{mark}] {grade.level.value:6}  {grade.point}: {grade.detail}")
    typer.echo(f"{report.plugin}: {report.level.value}")


@app.command(name="open")
def open_flow(
    product: Product,
    application_id: ApplicationId,
    reference: Reference,
    account: Annotated[str | None, typer.Option(help="The account; default: the routes choose.")] = None,
    tenant: Tenant = None,
    name: Name = None,
    given_name: GivenName = None,
    family_name: FamilyName = None,
    email: Email = None,
    phone_number: PhoneNumber = None,
    country: Country = None,
    locale: Locale = "en",
    template: Template = None,
    return_url: ReturnUrl = None,
    recover: Annotated[
        bool, typer.Option("--recover", help="After exit code 5: look up the flow that may have been opened.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(help="With --recover: when the lost `open` began (UTC); the error tells it.")
    ] = None,
    config: Config = CONFIG,
    show_link: ShowLink = False,
    json: Json = False,
) -> None:
    """Open a flow. Prints its reference and status."""
    with reported(json), Gateway.load(config) as idv:
        order = order_of(
            product,
            application_id,
            reference,
            tenant=tenant,
            template=template,
            return_url=return_url,
            name=name,
            given_name=given_name,
            family_name=family_name,
            email=email,
            phone_number=phone_number,
            country=country,
            locale=locale,
        )
        if recover:
            flow = idv.recover(order, account=account, since=since and since.replace(tzinfo=UTC))
        else:
            flow = idv.open(order, account=account)
        show_flow(flow, json_wanted=json, link=show_link)


@app.command()
def upload(
    ref: Ref,
    documents: Annotated[list[str], typer.Argument(help="id=path or id=https://...")],
    selfie: Annotated[Path | None, typer.Option(help="A photo of the applicant's face.")] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Tell the vendor that all documents are uploaded.")] = False,
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """Upload documents."""
    with reported(json), Gateway.load(config) as idv:
        uploads = [_document(text) for text in documents] + ([Document.selfie(path=selfie)] if selfie else [])
        flow = idv.upload(ref, uploads)
        show_flow(idv.submit(flow) if submit else flow, json_wanted=json, link=False)


@app.command()
def status(ref: Ref, config: Config = CONFIG, json: Json = False) -> None:
    """Show the status of a flow."""
    with reported(json), Gateway.load(config) as idv:
        show_flow(idv.status(ref), json_wanted=json, link=False)


@app.command()
def link(ref: Ref, config: Config = CONFIG, json: Json = False, show_link: ShowLink = False) -> None:
    """Get a fresh link for the applicant."""
    with reported(json), Gateway.load(config) as idv:
        show_flow(idv.renew_link(ref), json_wanted=json, link=show_link)


@app.command()
def result(ref: Ref, config: Config = CONFIG, json: Json = False) -> None:
    """Show the evidence so far and the decision."""
    with reported(json), Gateway.load(config) as idv:
        show_result(idv.result(ref), json_wanted=json)


@app.command()
def wait(
    ref: Ref,
    deadline: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 600.0,
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """Wait until a flow is final and show the result."""

    def progress(seen: Result) -> None:
        typer.echo(f"{seen.flow.ref}: {seen.status.value}", err=True)

    with reported(json), Gateway.load(config) as idv:
        show_result(idv.wait(ref, deadline=_seconds("--deadline", deadline), progress=progress), json_wanted=json)


life.add_to(app)


@app.command()
def specimen(
    kind: Annotated[
        str, typer.Argument(help="pan, aadhaar, passport, cedula, kz-id, invoice, delivery-order, selfie.")
    ],
    person: Annotated[str, typer.Argument(help="meera, rohan, ana, luis, aigerim, daniyar; all are invented.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; default: {kind}-{person}.png.")
    ] = None,
    flaw: Annotated[str | None, typer.Option(help=f"A flaw for the emulators to find: {', '.join(_FLAWS)}.")] = None,
    json: Json = False,
) -> None:
    """Make an invented document, marked SPECIMEN, that the emulators can read."""
    with reported(json):
        from ..testing.specimens import KINDS, PEOPLE, make_specimen

        if kind not in KINDS or person not in PEOPLE:
            raise ValueError(f"unknown kind or person; kinds: {', '.join(KINDS)}; people: {', '.join(PEOPLE)}")
        if flaw is not None and flaw not in _FLAWS:
            raise ValueError(f"--flaw must be one of {', '.join(_FLAWS)}")
        file = output or Path(f"{kind}-{person}.png")
        file.write_bytes(make_specimen(kind, PEOPLE[person], flaw=flaw))
        if json:
            as_json({"file": str(file), "kind": kind, "person": PEOPLE[person].name, "flaw": flaw})
        else:
            typer.echo(f"{file}: {kind} of {PEOPLE[person].name}, who does not exist")


def _seconds(option: str, given: float) -> timedelta:
    try:
        return timedelta(seconds=seconds(given))
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _levels(names: list[str]) -> dict[str, str]:
    from ..testing.levels import check_plugin

    return {name: check_plugin(name).level.value for name in names}


def _document(text: str) -> Document:
    id, equals, place = text.partition("=")
    if not equals or not id or not place:
        raise ValueError(f"{text!r}: write a document as id=path or id=https://...")
    if place.startswith(("http://", "https://")):
        return Document(id, url=place)
    if not Path(place).is_file():
        raise ValueError(f"{place}: file not found")
    return Document(id, path=place)


def _shown(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


def _as_toml(settings: dict[str, dict[str, Any]], webhooks: str, key: str) -> str:
    """Account settings for idv.toml, and the environment variables they refer to. Secrets of emulators need no protection."""
    exports, lines = [f"export IDV_WEBHOOK_KEY={key}"], []
    for name, given in settings.items():
        lines += [f"[accounts.{name}]", f'plugin = "{name}"', "test = true"]
        for key, value in given.items():
            if isinstance(value, Secret):
                variable = f"{name}_{key}".upper().replace("-", "_")
                exports.append(f"export {variable}={value.reveal()}")
                lines.append(f'{key} = {{ env = "{variable}" }}')
            else:
                lines.append(f"{key} = {dumps(value)}")
        lines += ["limits.allow_private_urls = true   # the documents are on this machine", ""]
    lines += ["[webhooks]", f"url = {dumps(webhooks)}", 'key = { env = "IDV_WEBHOOK_KEY" }']
    return "\n".join(["# environment", *exports, "", "# idv.toml", *lines])
