from idv_core.testing.conformance import PluginConformance


class TestPersona(PluginConformance):
    """Persona, sandbox, webhooks signed."""
