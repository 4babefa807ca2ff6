from idv_core.testing.conformance import PluginConformance


class TestVerifik(PluginConformance):
    """Verifik Smart Enroll, step by step."""
