"""What operations do: check and describe the file, explain a route, try a policy on recorded results."""

from __future__ import annotations

import json as json_
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ..config import Checked, check, read_configuration
from ..config.file import read_policies
from ..config.schema import schema_of
from ..config.secrets import BUILT_IN, unread
from ..errors import ConfigError, IdvError, Problem
from ..gateway import Gateway
from ..model import Applicant, Decision, FlowOrder, Policy, Result, dump, load
from ..policy import judge
from ..registry import Registry, discover
from .output import FAILED, USAGE, as_json, console, reported, table

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The file.", envvar="IDV_CONFIG")]
NoSecrets = Annotated[
    bool, typer.Option("--without-secrets", help="Look at references to secrets, do not follow them.")
]
_FILE = Path("idv.toml")

config = typer.Typer(name="config", help="Check and describe idv.toml.", no_args_is_help=True)
route = typer.Typer(name="route", help="Ask where orders go.", no_args_is_help=True)
policy = typer.Typer(name="policy", help="Try policies.", no_args_is_help=True)


@config.command(name="check")
def check_config(
    file: Annotated[Path, typer.Argument(help="The file.", envvar="IDV_CONFIG")] = _FILE,
    online: Annotated[bool, typer.Option("--online", help="Try each account's credentials; opens nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    without_secrets: NoSecrets = False,
    json: Json = False,
) -> None:
    """Report everything that is wrong, each with its line. What passes here, the gateway takes."""
    with reported():
        registry = discover()
        checked = _checked(file, registry, without_secrets)
    problems = list(checked.problems)
    wrong = bool(problems if strict else checked.errors)
    tried = _try_credentials(checked) if online and not checked.errors else []
    if json:
        as_json({"problems": [attrs.asdict(problem) for problem in problems], "online": tried})
    else:
        for problem in problems:
            typer.echo(str(problem))
        for line in tried:
            typer.echo(f"account {line['account']}: {line['credentials']}")
        if not wrong:
            found = checked.configuration
            warnings = f", {len(problems)} warnings" if problems else ""
            typer.echo(f"{file}: {len(found.accounts)} accounts, {len(found.routes)} routes{warnings}, no errors")
    if wrong:
        raise typer.Exit(USAGE)
    if any(line["failed"] for line in tried):
        raise typer.Exit(FAILED)


@config.command()
def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; printed if not given.")] = None,
) -> None:
    """Print the JSON Schema of idv.toml for the installed plugins, for editors."""
    with reported():
        made = schema_of(discover())
        if output is None:
            as_json(made)
        else:
            output.write_text(json_.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            typer.echo(f"{output}: begin idv.toml with the line '#:schema {output}'")


@route.command()
def explain(
    product: Annotated[str, typer.Option(help="Your product.")],
    application_id: Annotated[str, typer.Option(help="Your id of the application; it decides splits.")] = "APP-1",
    country: Annotated[str | None, typer.Option(help="The applicant's, ISO 3166-1 alpha-2.")] = None,
    tenant: str | None = None,
    locale: str = "en",
    document: Annotated[list[str] | None, typer.Option(help="A document type that is needed; may be repeated.")] = None,
    metadata: Annotated[list[str] | None, typer.Option(help="key=value; may be repeated.")] = None,
    has: Annotated[list[str] | None, typer.Option(help="email, phone_number, name: what is known.")] = None,
    birthdate: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="For routes by age.")] = None,
    at: Annotated[datetime | None, typer.Option(help="The moment, UTC; now if not given.")] = None,
    config: Config = _FILE,
    without_secrets: NoSecrets = False,
    json: Json = False,
) -> None:
    """Show where an order would go and why: every route tried, every condition, the bucket, the accounts, the policy."""
    with reported():
        known = {name: _INVENTED[name] for name in has or () if name in _INVENTED}
        if len(known) != len(has or ()):
            raise ValueError(f"--has: there are {', '.join(_INVENTED)}")
        person = Applicant(
            reference="-", country=country, locale=locale, birthdate=birthdate and birthdate.date(), **known
        )
        order = FlowOrder(
            product=product,
            application_id=application_id,
            applicant=person,
            tenant=tenant,
            documents=tuple(document or ()),
            metadata=dict(_pair(text) for text in metadata or ()),
        )
        registry = _without_secrets(discover()) if without_secrets else discover()
        moment = at.replace(tzinfo=UTC) if at else None
        with Gateway(read_configuration(config), registry=registry) as idv:
            explained = idv.explain(order, at=moment)
    if json:
        as_json(dump(explained))
    else:
        typer.echo(str(explained))


@policy.command(name="test")
def try_policy(
    file: Annotated[Path, typer.Argument(help="A file with [policies.…].")],
    cases: Annotated[list[Path], typer.Argument(help="Recorded results: what idv result --json printed.")],
    name: Annotated[str | None, typer.Option("--policy", help="For all cases, instead of the policy of each.")] = None,
    json: Json = False,
) -> None:
    """Judge recorded results by the policies of a file and show which decisions flip. Exit code 1 if any does."""
    with reported():
        policies = read_policies(file)
        rows = [_case(path, policies, name, file) for path in cases]
    flips = [row for row in rows if row["flips"]]
    if json:
        as_json({"cases": rows, "flips": len(flips)})
    else:
        shown = table("case", "policy", "recorded", "now", "why")
        for row in rows:
            now = f"{row['now'].upper()} (flips)" if row["flips"] else row["now"]
            shown.add_row(row["case"], row["policy"], row["recorded"], now, "\n".join(row["why"]))
        console().print(shown)
        typer.echo(f"{len(rows)} cases, {len(flips)} flip")
    if flips:
        raise typer.Exit(FAILED)


_INVENTED: dict[str, Any] = {"email": "someone@example.org", "phone_number": "+10005550100", "name": "Some One"}


def _checked(file: Path, registry: Registry, without_secrets: bool) -> Checked:
    sources = dict.fromkeys({**BUILT_IN, **registry.secret_sources}, unread) if without_secrets else None
    return check(read_configuration(file), registry, datetime.now(UTC), sources)


def _without_secrets(registry: Registry) -> Registry:
    return attrs.evolve(registry, secret_sources=dict.fromkeys({**BUILT_IN, **registry.secret_sources}, unread))


def _try_credentials(checked: Checked) -> list[dict[str, Any]]:
    tried: list[dict[str, Any]] = []
    with Gateway(checked.configuration) as idv:
        for account in idv.accounts:
            try:
                said = "credentials are good" if idv.check_credentials(account=account) else "cannot be tried"
                tried.append({"account": account, "credentials": said, "failed": False})
            except IdvError as error:
                tried.append({"account": account, "credentials": str(error), "failed": True})
    return tried


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--metadata {text!r}: key=value is needed")
    return key, value


def _case(path: Path, policies: Any, name: str | None, file: Path) -> dict[str, Any]:
    recorded = _recorded(path)
    kept = recorded.flow.policy
    wanted = name or (kept.name if kept else "") or "default"
    chosen: Policy | None = policies.get(wanted, Policy() if wanted == "default" else None)
    if chosen is None:
        there = ", ".join(sorted(policies)) or "none"
        problem = Problem("policies", f"there is no policy {wanted!r}, which {path} was judged by (there are: {there})")
        raise ConfigError.of((attrs.evolve(problem, place=str(file)),))
    now = judge(chosen, recorded, recorded.received_at or datetime.now(UTC))
    return {
        "case": path.name,
        "policy": wanted,
        "recorded": recorded.decision.value,
        "now": now.decision.value,
        "flips": now.decision is not recorded.decision and recorded.decision is not Decision.UNDECIDED,
        "why": [f"{reason.code}: {reason}" for reason in now.reasons],
    }


def _recorded(path: Path) -> Result:
    try:
        data = json_.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({type(error).__name__})") from None
    if isinstance(data, dict):
        data.pop("ref", None)
    try:
        return load(Result, data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; record results with: idv result REF --json > case.json") from None
