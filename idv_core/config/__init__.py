"""Configuration from `idv.toml` or from Python. Errors name the line."""

from ..engine.account import Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from .accounts import Account, Webhooks
from .check import Checked, check
from .configuration import Configuration
from .toml import load_configuration, read_configuration

__all__ = [
    "Account",
    "Checked",
    "Circuit",
    "Configuration",
    "Limits",
    "Retry",
    "Webhooks",
    "check",
    "load_configuration",
    "read_configuration",
]
