from idv_core.testing.conformance import PluginConformance


class TestPlaid(PluginConformance):
    """Plaid Identity Verification, a template with data sources, document, selfie, watchlist and risk."""
