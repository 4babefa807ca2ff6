from idv_core.testing.conformance import PluginConformance


class TestVerigram(PluginConformance):
    """Verigram, signed production mode."""
