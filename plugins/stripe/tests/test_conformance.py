from idv_core.testing.conformance import PluginConformance


class TestStripe(PluginConformance):
    """Stripe Identity, test mode, webhooks signed."""
