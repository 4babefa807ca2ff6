"""Stripe Identity for idv-core: verification sessions on a hosted page or in your app, checks of document and selfie."""

from idv_core.plugin import Plugin, hookimpl

from .plugin import StripeIdentity
from .settings import StripeSettings

__all__ = ["StripeIdentity", "StripeSettings"]


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="stripe",
        summary="Stripe Identity: hosted page or in-app sheet, document, selfie, id number",
        settings=StripeSettings,
        contract=2,
        create=StripeIdentity,
        emulation="idv_stripe.testing.emulation:StripeEmulation",
        harness="idv_stripe.testing.harness:harness",
        adapters=(StripeIdentity,),
    )
