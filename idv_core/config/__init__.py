"""`idv.toml` and accounts in Python, to typed settings with errors that name the place."""

from .accounts import Account, Callbacks
from .file import Configuration, load_configuration

__all__ = ["Account", "Callbacks", "Configuration", "load_configuration"]
