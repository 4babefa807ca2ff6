"""One strict reading of web addresses, for links, return addresses and addresses that a vendor fetches.

Browsers (WHATWG URL) and Python read odd addresses differently: a backslash, a user name, digits of other scripts or a blank
make a check look at one host and a browser go to another. Only what all read alike is taken (RFC 3986 in ASCII), and what
is handed on is put together from what was read, never the text that was given.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import quote

import attrs

_LONGEST = 8192
_URL = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[0-9a-z.-]+)(?::([0-9]{1,5}))?([/?#][!-\[\]-~]*)?", re.IGNORECASE)
_LABEL = re.compile(r"[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# Names that only a private network resolves: RFC 6761, RFC 6762, RFC 8375, ICANN's .internal, the names that ICANN keeps back
# because so many networks use them (.corp, .home, .mail), and what routers, Consul and Kubernetes serve.
_PRIVATE_SUFFIXES = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "intra",
    "private",
    "lan",
    "corp",
    "home",
    "mail",
    "home.arpa",
    "workgroup",
    "consul",
    "svc",
    "test",
    "invalid",
)
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@attrs.frozen
class WebAddress:
    """Scheme and host in lower case, the port where it is not the scheme's own, and the rest: path, query, fragment."""

    scheme: str
    host: str
    port: int | None
    rest: str

    @property
    def text(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.rest}"


def parse_url(text: str) -> WebAddress:
    """Read an `http` or `https` address. Raises ValueError that says why not, without the address."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError(f"it must be a string of at most {_LONGEST} characters")
    if not text.isascii():
        raise ValueError("it must be ASCII: percent-encode other characters, and write the host as xn--")
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("it must look like https://host/path, without spaces, backslashes or a user name")
    scheme, host, digits, rest = match.groups(default="")
    scheme, host = scheme.lower(), _checked_host(host.lower())
    port = int(digits) if digits else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("its port must be from 1 to 65535")
    if port == _DEFAULT_PORTS[scheme]:
        port = None
    rest = quote(rest, safe="!#$%&'()*+,-./:;=?@[]_~")
    return WebAddress(scheme, host, port, rest if rest.startswith("/") else f"/{rest}" if rest else "")


def _checked_host(host: str) -> str:
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            raise ValueError("its host is not a valid IPv6 address") from None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("its host must be a name of letters, digits and hyphens")
    if _NUMBER.fullmatch(labels[-1]):
        # browsers take any of these for an IPv4 address: 127.1, 0x7f.1, 2130706433
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError("its host is an unusual way to write an IP address") from None
    return host


def checked_url(text: str) -> str:
    """An address that a browser may be sent to: `https` at port 443, or any port of this very machine.

    Returns it put together anew. Raises ValueError that says why not, without the address.
    """
    url = parse_url(text)
    if not is_loopback(url.host):
        if url.scheme != "https":
            raise ValueError("it must begin with https://")
        if url.port is not None:
            raise ValueError("it must have no port other than 443")
    return url.text


def is_loopback(host: str) -> bool:
    """Whether the host is this very machine."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_private(host: str) -> bool:
    """Whether the host lies in a private network or is no host at all, as far as its name tells. Nothing is resolved."""
    host = host.lower().rstrip(".")
    address = _address(host)
    if address is not None:
        return not _is_public(address)
    try:
        # what resolvers take for an address besides the usual form
        return not _is_public(ipaddress.ip_address(socket.inet_aton(host)))
    except (OSError, ValueError):
        return "." not in host or host.endswith(tuple(f".{suffix}" for suffix in _PRIVATE_SUFFIXES))


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved)
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return _is_public(inner)
    # the rest: IPv4-compatible, 64:ff9b:1::/48, site-local, multicast, Teredo (which nobody serves) are no public hosts
    return address in _GLOBAL_IPV6 and address.is_global


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
