"""`idv serve`: what is insecure is refused with the sentence that mends it; SIGTERM drains."""

from __future__ import annotations

import ipaddress
import logging
from datetime import timedelta
from pathlib import Path

import attrs
import uvicorn
from starlette.applications import Starlette

from ..errors import ConfigError
from ..ledger import Ledger
from . import keys

log = logging.getLogger("idv_core")

_DRAIN = timedelta(minutes=2)


@attrs.frozen(kw_only=True)
class Binding:
    """Where the service listens.

    `is_behind_proxy` says that a proxy of yours ends TLS in front of it and that nobody else can reach it.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    certificate: Path | None = None
    private_key: Path | None = None
    is_behind_proxy: bool = False

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach it."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


def check_binding(binding: Binding, ledger: Ledger) -> None:
    """Raises ConfigError for what would be insecure."""
    if (binding.certificate is None) != (binding.private_key is None):
        raise ConfigError("serve: give --tls-cert and --tls-key together")
    if not binding.is_public:
        return
    if binding.certificate is None and not binding.is_behind_proxy:
        raise ConfigError(
            f"serve: {binding.host} is reached by other machines, and without TLS keys and personal data would go over it "
            "in clear. Give --tls-cert and --tls-key; or, where a proxy of yours ends TLS in front of it, --behind-proxy; or "
            "listen on 127.0.0.1"
        )
    if not keys.are_there(ledger.store):
        raise ConfigError(
            f"serve: {binding.host} is reached by other machines, and there is no key yet that could use the API. Make one: "
            "idv server key add NAME --scope verify --scope read"
        )


def uvicorn_config(app: Starlette, binding: Binding) -> uvicorn.Config:
    """How uvicorn serves it: nothing of a request is logged, and one parser reads it, which is the one that is tested."""
    return uvicorn.Config(
        app,
        host=binding.host,
        port=binding.port,
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.private_key,
        lifespan="on",
        http="h11",
        ws="none",
        log_config=None,
        # addresses of webhooks hold secrets
        access_log=False,
        server_header=False,
        # who the peer is decides whether its header names a user
        proxy_headers=False,
        timeout_graceful_shutdown=round(_DRAIN.total_seconds()),
        timeout_keep_alive=15,
    )


def run(app: Starlette, binding: Binding) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was asked, finish the turns that are under way, and return."""
    uvicorn.Server(uvicorn_config(app, binding)).run()
