"""Verifik Smart Enroll (Latin America) for idv-core: project flows, registrations, hosted or step by step."""

from idv_core.plugin import Plugin, hookimpl

from .plugin import Verifik
from .settings import Device, VerifikSettings
from .templates import Documents, DocumentType, Liveness, SearchMode, SignUpForm, SmartEnroll, Step, Steps

__all__ = [
    "Device",
    "DocumentType",
    "Documents",
    "Liveness",
    "SearchMode",
    "SignUpForm",
    "SmartEnroll",
    "Step",
    "Steps",
    "Verifik",
    "VerifikSettings",
]


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="verifik",
        summary="Verifik Smart Enroll, Latin America: hosted or step by step, documents, liveness, screening",
        settings=VerifikSettings,
        contract=2,
        create=Verifik,
        emulation="idv_verifik.testing.emulation:VerifikEmulation",
        harness="idv_verifik.testing.harness:harness",
        adapters=(Verifik,),
    )
