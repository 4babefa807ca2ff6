"""Verigram (Kazakhstan) for idv-core: a hosted flow behind a `vlink`, or a liveness session for its SDK; pass or fail."""

from idv_core.plugin import Plugin, hookimpl

from .plugin import Verigram
from .settings import VerigramSettings

__all__ = ["Verigram", "VerigramSettings"]


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="verigram",
        summary="Verigram, Kazakhstan: hosted page or liveness SDK, verdict pass/fail",
        settings=VerigramSettings,
        contract=2,
        create=Verigram,
        emulation="idv_verigram.testing.emulation:VerigramEmulation",
        harness="idv_verigram.testing.harness:harness",
        adapters=(Verigram,),
    )
