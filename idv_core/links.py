"""Where an applicant's browser may be sent: for plugins whose vendor's answers hold addresses."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from .errors import UnexpectedResponse


def trusted_link(url: str, base_url: str, hosts: Iterable[str]) -> str:
    """The address, if it leads by HTTPS to one of `hosts` (`*` for one or more labels) or to the vendor's own host.

    Plain HTTP only where the vendor itself is spoken to by HTTP, on this very machine. Raises UnexpectedResponse.
    """
    try:
        parts, own = urlsplit(url), urlsplit(base_url)
        host = parts.hostname or ""
    except ValueError:
        raise UnexpectedResponse("the link is no address") from None
    known = bool(host) and (host == own.hostname or any(fnmatchcase(host, pattern) for pattern in hosts))
    if not known or parts.scheme not in ("https", own.scheme):
        raise UnexpectedResponse("the link leads to a host that is not in link_hosts")
    return url
