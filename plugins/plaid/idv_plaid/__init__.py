"""Plaid Identity Verification for idv-core: a shareable link or Plaid Link in your app, data sources, document, selfie."""

from idv_core.plugin import Plugin, hookimpl

from .plugin import PlaidIdentityVerification
from .settings import PlaidSettings

__all__ = ["PlaidIdentityVerification", "PlaidSettings"]


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="plaid",
        summary="Plaid Identity Verification: hosted page or Plaid Link, data sources, document, selfie, watchlist, risk",
        settings=PlaidSettings,
        contract=2,
        create=PlaidIdentityVerification,
        emulation="idv_plaid.testing.emulation:PlaidEmulation",
        harness="idv_plaid.testing.harness:harness",
        adapters=(PlaidIdentityVerification,),
    )
