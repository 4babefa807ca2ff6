"""Persona for idv-core: inquiries on a hosted page or in your app, their verifications with all checks, signed webhooks."""

from idv_core.plugin import Plugin, hookimpl

from .plugin import Persona
from .settings import PersonaSettings

__all__ = ["Persona", "PersonaSettings"]


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="persona",
        summary="Persona: hosted flow or SDK, government id, selfie, databases, screening",
        settings=PersonaSettings,
        create=Persona,
        emulation="idv_persona.testing.emulation:PersonaEmulation",
        harness="idv_persona.testing.harness:harness",
        adapters=(Persona,),
        contract=2,
    )
