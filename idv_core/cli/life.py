"""Commands for the rest of a verification's life: cancel, erase, media, coverage, retry."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any

import typer

from ..gateway.sync import Gateway
from ..model import Coverage, Downloaded, Erasure, ErasureStatus, Media, to_json
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
from .output import FAILED, as_json, console, reported, show_flow, table

_SUFFIXES = {"image/jpeg": ".jpg", "application/json": ".json"}


def cancel(ref: Ref, config: Config = CONFIG, json: Json = False) -> None:
    """End a flow at the vendor, so that its link leads nowhere. Safe to repeat."""
    with reported(json), Gateway.load(config) as idv:
        show_flow(idv.cancel(ref), json_wanted=json, link=False)


def erase(ref: Ref, config: Config = CONFIG, json: Json = False) -> None:
    """Ask the vendor to erase the person's data; repeat it to see how far it is. Exit code 1 if it is refused."""
    with reported(json), Gateway.load(config) as idv:
        erasure = idv.erase(ref)
    if json:
        as_json({"ref": ref, **to_json(erasure)})
    else:
        shown = table("flow", ref)
        for what, one in (("erasure", erasure), ("at the shadow's vendor", erasure.shadow)):
            if one is not None:
                shown.add_row(what, _told(one))
        console().print(shown)
    if ErasureStatus.REFUSED in (erasure.status, erasure.shadow and erasure.shadow.status):
        raise typer.Exit(FAILED)


def media(
    ref: Ref,
    save: Annotated[
        Path | None, typer.Option(help="Download all to this directory. They are as confidential as the person.")
    ] = None,
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """List the pictures, videos and reports that the vendor keeps of a flow, or download them."""
    with reported(json), Gateway.load(config) as idv:
        if save is not None:
            save.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = idv.media(ref)
        rows = [_listed(number, one) for number, one in enumerate(found, 1)]
        if save is not None:
            for row, one in zip(rows, found, strict=True):
                row |= _saved(idv, ref, one, save / f"{row['number']:02}-{one.kind.value}")
    if json:
        as_json({"ref": ref, "media": rows})
        return
    shown = table("number", "kind", "document", "type", "bytes", *(["file", "SHA-256"] if save else []))
    for row in rows:
        shown.add_row(*(str(value) if value is not None else "" for value in row.values()))
    console().print(shown)


def coverage(
    account: Annotated[str | None, typer.Argument(help="The account; default: the only one.")] = None,
    config: Config = CONFIG,
    json: Json = False,
) -> None:
    """Show what an account can verify: document types, countries, checks, templates."""
    with reported(json), Gateway.load(config) as idv:
        known = idv.coverage(account=account)
    if json:
        as_json(_sorted(known))
        return
    shown = table("what", "which")
    for name, values in _sorted(known).items():
        shown.add_row(name.replace("_", " "), "not said" if values is None else ", ".join(values) or "none")
    console().print(shown)


def retry(
    ref: Ref,
    product: Product,
    application_id: ApplicationId,
    reference: Reference,
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
    config: Config = CONFIG,
    show_link: ShowLink = False,
    json: Json = False,
) -> None:
    """Let the person try again. Pass what the flow was opened with. Prints the reference of the new attempt."""
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
        show_flow(idv.retry(ref, order), json_wanted=json, link=show_link)


def add_to(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    for command in (cancel, erase, media, coverage, retry):
        app.command()(command)


def _told(erasure: Erasure) -> str:
    until = f" until {erasure.kept_until:%Y-%m-%d}" if erasure.kept_until else ""
    return f"{erasure.status.value}{until}{f': {erasure.reason}' if erasure.reason else ''}"


def _listed(number: int, media: Media) -> dict[str, Any]:
    """Without the id, which may be an address that opens without a password."""
    return {
        "number": number,
        "kind": media.kind.value,
        "document": media.document,
        "content_type": media.content_type,
        "size": media.size,
    }


def _saved(idv: Gateway, ref: str, media: Media, path: Path) -> dict[str, Any]:
    got: Downloaded = idv.download(ref, media, path)
    kind = got.content_type or ""
    named = path.with_suffix(_SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ".bin")
    path.replace(named)
    return {"content_type": got.content_type, "size": got.size, "file": str(named), "sha256": got.sha256}


def _sorted(coverage: Coverage) -> dict[str, list[str] | None]:
    data: dict[str, list[str] | None] = to_json(coverage)
    return {name: None if values is None else sorted(values) for name, values in data.items()}
