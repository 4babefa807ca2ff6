pytest_plugins = ["idv_core.testing.pytest"]
