"""Configuration from `idv.toml` or from Python. Errors name the line."""

from typing import TYPE_CHECKING

from ..lazy import lazily
from .check import Checked, check

if TYPE_CHECKING:
    from ..engine.account import Limits
    from ..engine.breaker import Circuit
    from ..engine.retry import Retry
    from .accounts import Account, Price, UnknownRule, Webhooks
    from .configuration import Configuration
    from .ledger import EndpointSettings, LedgerSettings
    from .toml import load_configuration, read_configuration, read_ledger_settings

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
    "read_ledger_settings",
]

if not TYPE_CHECKING:
    __getattr__ = lazily(
        __name__,
        __all__,
        (".accounts", ".configuration", ".ledger", "..engine.account", "..engine.breaker", "..engine.retry", ".toml"),
    )
