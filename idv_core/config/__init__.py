"""`idv.toml` and accounts in Python, to typed settings with errors that name the place."""

from ..engine.account import Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from .accounts import Account, Callbacks
from .file import Configuration, load_configuration

__all__ = ["Account", "Callbacks", "Circuit", "Configuration", "Limits", "Retry", "load_configuration"]
