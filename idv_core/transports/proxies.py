"""One decision for all transports: through which proxy an address is reached, as the environment says.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals or small, are read as curl and requests read them; small letters
go before capitals. On Windows and macOS the system's settings count where the environment is silent.
"""

from __future__ import annotations

import ipaddress
import os
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import httpx

from ..errors import ConfigError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https", "socks5", "socks5h")


def environment_proxy(base_url: str) -> str | None:
    """The URL of the proxy for this address, if any, always with a scheme. Raises ConfigError that names the variable."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    if not host:
        return None
    proxies = getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind)
    if not proxy or _is_bypassed(host, parts.port or _DEFAULT_PORTS.get(parts.scheme)):
        return None
    return checked_proxy(proxy, _variable(kind))


def checked_proxy(proxy: str, variable: str) -> str:
    """The proxy's URL, `http://` where no scheme stands, as curl takes it. Raises ConfigError, which shows nothing of it."""
    url = proxy.strip()
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        # empty or too long labels, and what IDNA does not know
        httpx.URL(url).raw_host.decode("ascii").encode("idna")
    except (ValueError, httpx.InvalidURL):
        host = None
    if not host or not url.isprintable() or " " in url:
        raise ConfigError(f"{variable} must be the URL of a proxy, such as http://proxy.example:3128")
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"{variable} must begin with one of {', '.join(_SCHEMES)}")
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise ConfigError(f"{variable} names a SOCKS proxy, which needs socksio: pip install 'httpx[socks]'")
    return url.replace(url.partition("://")[0], parts.scheme, 1)


def without_tls_or_socks(proxy: str | None, variable: str) -> str | None:
    """For transports that speak plain HTTP to a proxy. Raises ConfigError for any other."""
    if proxy is not None and not proxy.startswith("http://"):
        raise ConfigError(
            f"{variable} names a proxy that FastTransport does not support (http:// only); use the default transport"
        )
    return proxy


def variable_of(base_url: str) -> str:
    """The name of the environment variable that decides about this address."""
    scheme = urlsplit(base_url).scheme
    return _variable(scheme if getproxies().get(scheme) else "all")


def _variable(kind: str) -> str:
    name = f"{kind}_proxy"
    return next((given for given in (name, name.upper()) if os.environ.get(given)), "the system's proxy setting")


def _is_bypassed(host: str, port: int | None) -> bool:
    environment = getproxies_environment()
    if not environment:
        return bool(proxy_bypass(host))
    address = _address(host)
    for entry in environment.get("no", "").replace(",", " ").lower().split():
        if entry == "*" or _matches(entry, host.lower(), port, address):
            return True
    return False


def _matches(
    entry: str, host: str, port: int | None, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    name, only = _port_off(entry)
    if only is not None and only != port:
        return False
    literal = _address(name)
    if literal is not None or address is not None:
        return literal is not None and literal == address
    name = name.rstrip(".")
    if name.startswith("*."):
        return host.endswith(name[1:])
    name = name.lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _port_off(entry: str) -> tuple[str, int | None]:
    """`host:port`, `[::1]:port`; an IPv6 address without brackets has no port."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        digits = rest.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, digits = entry.partition(":")
    else:
        return entry, None
    return name, int(digits) if digits.isascii() and digits.isdigit() else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
