"""Acme for idv-core."""

from idv_core.hookspecs import Plugin, hookimpl

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
        bench="idv_acme.bench:bench",
        adapters=(Acme,),
        contract=1,
    )
