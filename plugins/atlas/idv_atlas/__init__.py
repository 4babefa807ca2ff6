"""Atlas (India) for idv-core: documents by URL, extraction, cross-checks. Four API families, one setting between them."""

from idv_core.plugin import Plugin, hookimpl

from .account import AddressMatch, AtlasAccount
from .batch import AtlasBatch
from .onboarding import AtlasOnboarding, CoApplicants
from .settings import AtlasSettings, Family
from .verification import AtlasVerification

__all__ = [
    "AddressMatch",
    "AtlasBatch",
    "AtlasOnboarding",
    "AtlasSettings",
    "AtlasVerification",
    "CoApplicants",
    "Family",
]

_ADAPTERS: dict[Family, type[AtlasAccount]] = {
    Family.VERIFICATION: AtlasVerification,
    Family.ONBOARDING: AtlasOnboarding,
    Family.IDP: AtlasBatch,
    Family.BULK: AtlasBatch,
}


@hookimpl
def idv_plugin() -> Plugin:
    return Plugin(
        name="atlas",
        summary="Atlas, India: documents by URL, extraction and cross-checks, no verdict",
        settings=AtlasSettings,
        contract=2,
        create=lambda settings: _ADAPTERS[settings.family](settings),
        emulation="idv_atlas.testing.emulation:AtlasEmulation",
        harness="idv_atlas.testing.harness:harness",
        adapters=(AtlasVerification, AtlasOnboarding, AtlasBatch),
    )
