"""Commands for operations: check the configuration, explain routes, test policies on recorded results."""

from __future__ import annotations

import json as json_
import math
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ..config import Checked, check, read_configuration
from ..config.schema import schema_of
from ..config.secrets import BUILT_IN, unread
from ..config.toml import read_policies
from ..errors import ConfigError, IdvError, Problem
from ..gateway.sync import Gateway
from ..model import Applicant, Decision, FlowOrder, Policy, Result, from_json, to_json
from ..plugin.spec import SecretSource
from ..policy import evaluate
from ..registry import Registry, discover
from .options import CONFIG, Config, Json
from .output import FAILED, USAGE, as_json, counted, reported

NoSecrets = Annotated[
    bool, typer.Option("--without-secrets", help="Check secret references without reading the secrets.")
]

config = typer.Typer(name="config", help="Check and describe idv.toml.", no_args_is_help=True)
route = typer.Typer(name="route", help="Explain where orders go.", no_args_is_help=True)
policy = typer.Typer(name="policy", help="Test policies.", no_args_is_help=True)


@config.command(name="check")
def check_config(
    file: Annotated[Path, typer.Argument(help="The configuration file.", envvar="IDV_CONFIG")] = CONFIG,
    online: Annotated[
        bool, typer.Option("--online", help="Test the credentials of each account. Opens nothing.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    without_secrets: NoSecrets = False,
    json: Json = False,
) -> None:
    """Report all problems of the file, each with its line. A file that passes here is accepted by the gateway."""
    with reported(json):
        registry = discover()
        if online and without_secrets:
            raise ValueError("--online needs the secrets: leave out --without-secrets")
        checked = _checked(file, registry, without_secrets)
        tried = _try_credentials(checked) if online and not checked.errors else []
    problems = list(checked.problems)
    wrong = bool(problems if strict else checked.errors)
    if json:
        failed = sum(line["failed"] for line in tried)
        as_json({"problems": [attrs.asdict(problem) for problem in problems], "online": tried, "failed": failed})
    else:
        for problem in problems:
            typer.echo(str(problem))
        for line in tried:
            typer.echo(f"account {line['account']}: {line['credentials']}")
        if not wrong:
            found = checked.configuration
            counts = [counted(len(found.accounts), "account"), counted(len(found.routes), "route")]
            counts += [counted(len(problems), "warning")] if problems else []
            failed = sum(line["failed"] for line in tried)
            ending = f"{counted(failed, 'account')} refused online" if failed else "no errors"
            typer.echo(f"{file}: {', '.join(counts)}, {ending}")
    if wrong:
        raise typer.Exit(USAGE)
    if any(line["failed"] for line in tried):
        raise typer.Exit(FAILED)


@config.command()
def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; default: print.")] = None,
) -> None:
    """Print the JSON Schema of idv.toml for editors. It covers the installed plugins."""
    with reported():
        made = schema_of(discover())
        if output is None:
            as_json(made)
        else:
            output.write_text(json_.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            typer.echo(f"{output}: start idv.toml with the line '#:schema {output}'")


Product = Annotated[str, typer.Option(help="Your product.")]
Country = Annotated[str | None, typer.Option(help="Country of the applicant, ISO 3166-1 alpha-2.")]
Tenant = Annotated[str | None, typer.Option(help="Your tenant.")]
Locale = Annotated[str, typer.Option(help="Locale of the applicant, BCP 47.")]
Documents = Annotated[list[str] | None, typer.Option("--document", help="A required document type; repeatable.")]
Metadata = Annotated[list[str] | None, typer.Option(help="key=value; repeatable.")]
Has = Annotated[
    list[str] | None, typer.Option(help="What is known about the applicant: email, phone_number or name; repeatable.")
]
Birthdate = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Birthdate of the applicant, for routes by age.")
]
At = Annotated[datetime | None, typer.Option(help="The time in UTC; default: now.")]


@route.command()
def explain(
    product: Product,
    application_id: Annotated[str, typer.Option(help="Your id of the application; splits depend on it.")] = "APP-1",
    country: Country = None,
    tenant: Tenant = None,
    locale: Locale = "en",
    document: Documents = None,
    metadata: Metadata = None,
    has: Has = None,
    birthdate: Birthdate = None,
    at: At = None,
    config: Config = CONFIG,
    without_secrets: NoSecrets = False,
    json: Json = False,
) -> None:
    """Show where an order would go and why: routes, conditions, bucket, accounts, policy."""
    with reported(json):
        order = _order(product, application_id, country, tenant, locale, document, metadata, has, birthdate)
        with _gateway(config, without_secrets) as idv:
            explained = idv.explain(order, at=at.replace(tzinfo=UTC) if at else None)
    if json:
        as_json(to_json(explained))
    else:
        typer.echo(str(explained))


@route.command()
def share(
    product: Product,
    ids: Annotated[Path | None, typer.Option(help="A file with one application id per line.")] = None,
    count: Annotated[
        int, typer.Option(help="Without --ids: the number of ids, APP-1, APP-2, ...", min=1, max=1_000_000)
    ] = 10_000,
    country: Country = None,
    tenant: Tenant = None,
    locale: Locale = "en",
    document: Documents = None,
    metadata: Metadata = None,
    has: Has = None,
    birthdate: Birthdate = None,
    at: At = None,
    config: Config = CONFIG,
    without_secrets: NoSecrets = False,
    json: Json = False,
) -> None:
    """Count to which accounts many applications would go, beside the shares of the split."""
    with reported(json):
        names = _ids(ids) if ids else [f"APP-{number}" for number in range(1, count + 1)]
        if not names:
            raise ValueError(f"{ids}: the file has no application ids")
        order = _order(product, names[0], country, tenant, locale, document, metadata, has, birthdate)
        moment = at.replace(tzinfo=UTC) if at else None
        with _gateway(config, without_secrets) as idv:
            asked = [idv.explain(attrs.evolve(order, application_id=name), at=moment) for name in names]
            split = next((r.split for r in read_configuration(config).routes if r.name == asked[0].route), {})
    seen = Counter(explained.account or "nobody" for explained in asked)
    rows = [_share(name, seen[name], len(names), split.get(name)) for name in sorted({*seen, *split})]
    if json:
        as_json({"route": asked[0].route, "applications": len(names), "accounts": rows})
        return
    by = f"route {asked[0].route!r}" if asked[0].route else "no route"
    typer.echo(f"{by}, {counted(len(names), 'application')}")
    for row in rows:
        wanted = f", wanted {row['wanted']} ± {row['bound']}" if row["wanted"] is not None else ""
        typer.echo(f"{row['account']}: {row['count']} ({row['percent']} %){wanted}")


def _ids(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").split()
    except UnicodeDecodeError:
        pass
    raise ValueError(f"{file}: cannot be read: not UTF-8 text")


def _share(account: str, count: int, total: int, percent: float | None) -> dict[str, Any]:
    """`bound` is three standard deviations of a binomial count: chance alone leaves it once in 370 times."""
    part = None if percent is None else percent / 100
    return {
        "account": account,
        "count": count,
        "percent": round(100 * count / total, 2),
        "wanted": None if part is None else round(total * part),
        "bound": None if part is None else math.ceil(3 * math.sqrt(total * part * (1 - part))),
    }


@policy.command(name="test")
def try_policy(
    file: Annotated[Path, typer.Argument(help="A file with policies.")],
    cases: Annotated[list[Path], typer.Argument(help="Recorded results, printed by idv result --json.")],
    name: Annotated[
        str | None, typer.Option("--policy", help="The policy for all cases; default: each case's own.")
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate recorded results with the policies of a file and show which decisions change. Exit code 1 if any does."""
    with reported(json):
        policies = read_policies(file)
        rows = [_case(path, policies, name, file) for path in cases]
    flips = [row for row in rows if row["flips"]]
    if json:
        as_json({"cases": rows, "flips": len(flips)})
    else:
        for row in rows:
            now = f"was {row['recorded']}, would be {row['now']}" if row["flips"] else row["now"]
            typer.echo(f"{row['case']} (policy {row['policy']}): {now}")
            for reason in row["why"]:
                typer.echo(f"  {reason}")
        typer.echo(f"{counted(len(rows), 'case')}, {len(flips)} flip")
    if flips:
        raise typer.Exit(FAILED)


_INVENTED: dict[str, Any] = {"email": "someone@example.org", "phone_number": "+10005550100", "name": "Some One"}


def _order(
    product: str,
    application_id: str,
    country: str | None,
    tenant: str | None,
    locale: str,
    documents: list[str] | None,
    metadata: list[str] | None,
    has: list[str] | None,
    birthdate: datetime | None,
) -> FlowOrder:
    unknown = [name for name in has or () if name not in _INVENTED]
    if unknown:
        raise ValueError(f"--has {unknown[0]}: must be one of {', '.join(_INVENTED)}")
    known = {name: _INVENTED[name] for name in has or ()}
    born = birthdate.date() if birthdate else None
    return FlowOrder(
        product=product,
        application_id=application_id,
        applicant=Applicant(reference="-", country=country, locale=locale, birthdate=born, **known),
        tenant=tenant,
        documents=tuple(documents or ()),
        metadata=dict(_pair(text) for text in metadata or ()),
    )


def _gateway(config: Path, without_secrets: bool) -> Gateway:
    registry = discover()
    if without_secrets:
        registry = attrs.evolve(registry, secret_sources=_unread(registry))
    return Gateway(read_configuration(config), registry=registry)


def _unread(registry: Registry) -> dict[str, SecretSource]:
    return dict.fromkeys({**BUILT_IN, **registry.secret_sources}, unread)


def _checked(file: Path, registry: Registry, without_secrets: bool) -> Checked:
    sources = _unread(registry) if without_secrets else None
    return check(read_configuration(file), registry, datetime.now(UTC), sources)


def _try_credentials(checked: Checked) -> list[dict[str, Any]]:
    tried: list[dict[str, Any]] = []
    with Gateway(checked.configuration) as idv:
        for account in idv.accounts:
            try:
                said = (
                    "credentials are valid"
                    if idv.check_credentials(account=account)
                    else "this vendor offers no test of credentials"
                )
                tried.append({"account": account, "credentials": said, "failed": False})
            except IdvError as error:
                tried.append({"account": account, "credentials": str(error), "failed": True})
    return tried


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--metadata {text}: must be key=value")
    return key, value


def _case(path: Path, policies: Any, name: str | None, file: Path) -> dict[str, Any]:
    recorded = _recorded(path)
    kept = recorded.flow.policy
    wanted = name or (kept.name if kept else "") or "default"
    chosen: Policy | None = policies.get(wanted, Policy() if wanted == "default" else None)
    if chosen is None:
        there = ", ".join(sorted(policies)) or "none"
        problem = Problem(
            "policies", f"there is no policy {wanted!r}, which {path} was evaluated with (there are: {there})"
        )
        raise ConfigError.of((attrs.evolve(problem, place=str(file)),))
    now = evaluate(chosen, recorded, recorded.received_at or datetime.now(UTC))
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
        data = json_.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ValueError(f"{path}: cannot be read: file not found") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {(error.strerror or 'unknown reason').lower()}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: cannot be read: not JSON, or nested too deep") from None
    if isinstance(data, dict):
        data.pop("ref", None)
    try:
        return from_json(Result, data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; record results with: idv result REF --json > case.json") from None
