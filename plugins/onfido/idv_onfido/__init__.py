"""Onfido for idv-core: workflow runs on a hosted page or in your app, or documents and photos by API; reports as checks."""

from idv_core.plugin import Plugin, hookimpl

from .account import OnfidoAccount
from .checks import OnfidoChecks
from .settings import Family, OnfidoSettings, Region
from .workflows import OnfidoWorkflows

__all__ = ["Family", "OnfidoChecks", "OnfidoSettings", "OnfidoWorkflows", "Region"]

_ADAPTERS: dict[Family, type[OnfidoAccount]] = {Family.WORKFLOWS: OnfidoWorkflows, Family.CHECKS: OnfidoChecks}


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="onfido",
        summary="Onfido: workflow runs on a hosted page, or documents and photos by API; reports with breakdowns",
        settings=OnfidoSettings,
        contract=2,
        create=lambda settings: _ADAPTERS[settings.family](settings),
        emulation="idv_onfido.testing.emulation:OnfidoEmulation",
        harness="idv_onfido.testing.harness:harness",
        adapters=(OnfidoWorkflows, OnfidoChecks),
    )
