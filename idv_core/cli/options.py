"""Options that several commands have, and the order that is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..model import Applicant, FlowOrder

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", envvar="IDV_CONFIG")]
CONFIG = Path("idv.toml")
ShowLink = Annotated[bool, typer.Option("--show-link", help="Show the applicant's link. It is a secret.")]
Ref = Annotated[str, typer.Argument(help="The reference of the flow, as `idv open` printed it; put it in quotes.")]

Product = Annotated[str, typer.Option(help="Your product.")]
ApplicationId = Annotated[str, typer.Option(help="Your id of the application.")]
Reference = Annotated[str, typer.Option(help="Your id of the applicant.")]
Tenant = Annotated[str | None, typer.Option(help="Your tenant; routes may use it.")]
Name = Annotated[str | None, typer.Option(help="Full name of the applicant.")]
GivenName = Annotated[str | None, typer.Option(help="Given names of the applicant.")]
FamilyName = Annotated[str | None, typer.Option(help="Family names of the applicant.")]
Email = Annotated[str | None, typer.Option(help="E-mail address of the applicant.")]
PhoneNumber = Annotated[str | None, typer.Option(help="E.164, such as +573005550101.")]
Country = Annotated[str | None, typer.Option(help="ISO 3166-1 alpha-2, such as IN.")]
Locale = Annotated[str, typer.Option(help="Locale of the applicant, BCP 47.")]
Template = Annotated[str | None, typer.Option(help="The vendor's template; default: the account's.")]
ReturnUrl = Annotated[str | None, typer.Option(help="Where the applicant's browser returns to; an https URL.")]


def order_of(
    product: str,
    application_id: str,
    reference: str,
    *,
    tenant: str | None,
    template: str | None,
    return_url: str | None,
    **person: str | None,
) -> FlowOrder:
    """The order. `person` are the fields of the applicant besides the reference. Raises ValueError that names the field."""
    return FlowOrder(
        product=product,
        application_id=application_id,
        applicant=Applicant(reference=reference, **person),  # type: ignore[arg-type]
        tenant=tenant,
        template=template,
        return_url=return_url,
    )
