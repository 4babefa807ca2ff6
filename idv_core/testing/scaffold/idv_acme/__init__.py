"""Acme for idv-core."""

from idv_core.plugin import Plugin, hookimpl

from .plugin import Acme
from .settings import AcmeSettings

__all__ = ["Acme", "AcmeSettings"]


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="acme",
        summary="Acme: a hosted page, document and face",
        settings=AcmeSettings,
        create=Acme,
        harness="idv_acme.testing.harness:harness",
        contract=2,
    )
