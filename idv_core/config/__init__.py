"""Configuration from `idv.toml` or from Python. Errors name the line."""

from ..engine.account import Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from .accounts import Account, Price, UnknownRule, Webhooks
from .books import EndpointSettings, LedgerSettings
from .check import Checked, check
from .configuration import Configuration
from .toml import load_configuration, read_configuration

__all__ = [
    "Account",
    "Checked",
    "Circuit",
    "Configuration",
    "EndpointSettings",
    "LedgerSettings",
    "Limits",
    "Price",
    "Retry",
    "UnknownRule",
    "Webhooks",
    "check",
    "load_configuration",
    "read_configuration",
]
