"""Where a request goes: the account's base URL, another declared server, or an address out of an answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import PluginError, UnexpectedResponse
from ..plugin.http import Request
from ..plugin.protocols import AllowedHostsProtocol
from .account import AccountSession, server_of


def address_of(session: AccountSession, request: Request) -> str:
    """The whole address. Raises UnexpectedResponse for one out of an answer that leads to a host that is not allowed."""
    if request.address is not None:
        return _checked(session, request.address.reveal())
    if request.server is None:
        return session.base_url + request.target
    base = session.servers.get(request.server)
    if base is None:
        known = ", ".join(session.servers) or "none"
        raise PluginError(
            f"plugin {session.plugin!r} names the server {request.server!r}, and `servers` has: {known}",
            account=session.name,
        )
    return base + request.target


def place_of(session: AccountSession, request: Request) -> tuple[str, str, int]:
    """Scheme, host and port that the request goes to, for logs and traces."""
    if request.address is None and request.server is None:
        return session.server
    url = request.address.reveal() if request.address is not None else session.servers.get(request.server or "", "")
    return server_of(url)


def _checked(session: AccountSession, url: str) -> str:
    from ..plugin.links import trusted_link  # few vendors have such addresses

    adapter = session.adapter
    allowed = tuple(adapter.allowed_hosts) if isinstance(adapter, AllowedHostsProtocol) else ()
    failure: UnexpectedResponse | None = None
    for base in (session.base_url, *session.servers.values()):
        try:
            return trusted_link(url, base, allowed)
        except UnexpectedResponse as error:
            failure = error
    host = urlsplit(url).hostname
    raise UnexpectedResponse(
        f"the response gives a URL on {host}, which is not in the allowed_hosts of the plugin"
    ) from failure
