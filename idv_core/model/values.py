"""Converters and validators that the vocabulary shares: countries, mappings, aware times, scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from .secret import Secret

# ISO 3166-1 alpha-2, officially assigned codes.
_ALPHA_2 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ALPHA_2.split())


def as_tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(value)


def texts(value: str | Iterable[str]) -> tuple[str, ...]:
    """One text, or several; members of enumerations become plain texts."""
    several = (value,) if isinstance(value, str) else value
    return tuple(str(item) if isinstance(item, str) else item for item in several)


def as_secrets(value: Secret | Iterable[Secret] | None) -> tuple[Secret, ...]:
    """One secret, several of which each is good (while one is exchanged), or none."""
    several = () if value is None else (value,) if isinstance(value, Secret) else tuple(value)
    if not all(isinstance(secret, Secret) for secret in several):
        raise ValueError("a Secret is needed, or a list of them")
    return several


def plain_mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """Copy a mapping, so that what the caller does to his own later does not reach a frozen value."""
    return dict(value)


def is_country(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and value not in COUNTRIES:
        raise ValueError(f"{attribute.name}: an ISO 3166-1 alpha-2 code such as 'IN' is needed")


def are_countries(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    wrong = [country for country in value if country not in COUNTRIES]
    if wrong:
        raise ValueError(f"{attribute.name}: {wrong[0]!r} is no ISO 3166-1 alpha-2 code such as 'IN'")


def is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{attribute.name}: a text that is not empty is needed")


def is_aware(_: object, attribute: attrs.Attribute[Any], value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{attribute.name}: a datetime with a time zone is needed")


def is_unit(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"{attribute.name}: a number from 0 to 1 is needed")


def without_slash(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def is_base_url(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    """HTTPS, or HTTP to this very machine (emulators); no query, no credentials in it."""
    parts = urlsplit(value)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError(f"{attribute.name}: an address such as 'https://api.vendor.example' is needed")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(f"{attribute.name}: scheme, host, port and path only")
