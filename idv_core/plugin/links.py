"""Where an applicant's browser may be sent: for plugins whose vendor's answers hold addresses."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..errors import UnexpectedResponse
from .urls import is_loopback, parse_url


def trusted_link(url: str, base_url: str, hosts: Iterable[str]) -> str:
    """The address, put together anew, if it leads by HTTPS to one of `hosts` (`*` for one or more labels) or to the vendor's
    own server.

    Plain HTTP and other ports than 443 only where the vendor itself is spoken to so: at its own host and port, or on this
    very machine. Raises UnexpectedResponse.
    """
    try:
        link, own = parse_url(url), parse_url(base_url)
    except ValueError:
        raise UnexpectedResponse("the link, or the account's base_url, is not a valid web address") from None
    known = link.host == own.host or any(fnmatchcase(link.host, pattern.lower()) for pattern in hosts)
    usual = link.scheme == "https" and link.port is None
    same = (link.scheme, link.host, link.port) == (own.scheme, own.host, own.port)
    here = own.scheme == "http" and link.scheme == "http" and is_loopback(own.host) and is_loopback(link.host)
    if not (known and usual) and not same and not here:
        raise UnexpectedResponse("the link leads to a host that is not in link_hosts, or to an unusual port")
    return link.text
