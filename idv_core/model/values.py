"""Converters and validators that the vocabulary shares: countries, mappings, aware times, scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs

from .words import quoted, what_is

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


def plain_mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """Copy a mapping, so that what the caller does to his own later does not reach a frozen value."""
    return dict(value)


def is_country(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and value not in COUNTRIES:
        raise ValueError(f"{attribute.name}: an ISO 3166-1 alpha-2 code such as 'IN' is needed")


def are_countries(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    wrong = [country for country in value if country not in COUNTRIES]
    if wrong:
        raise ValueError(f"{attribute.name}: {quoted(wrong[0])} is no ISO 3166-1 alpha-2 code such as 'IN'")


def is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{attribute.name}: a text that is not empty is needed")


def is_aware(_: object, attribute: attrs.Attribute[Any], value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{attribute.name}: a datetime with a time zone is needed")


# 31 years: whoever says more means something else, and arithmetic with dates still works.
_LONGEST = 10**9
# No figure of an account comes near; infinity and what only fits into Python's integers are slips.
_MOST = 10**15


def as_seconds(value: float | timedelta) -> float:
    """A `timedelta` as a number of seconds; anything else as it is, for a validator to look at."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def as_timedelta(value: float | timedelta) -> timedelta:
    """A number of seconds as a `timedelta`; anything else as it is, for a validator to look at."""
    if isinstance(value, timedelta) or not _is_number(value) or not 0 <= value <= _LONGEST:
        return value  # type: ignore[return-value]
    return timedelta(seconds=value)


def seconds(value: float | timedelta) -> float:
    """A duration, given as `timedelta` or as seconds, in seconds. Raises ValueError for anything else."""
    number = as_seconds(value)
    if not _is_number(number):
        raise ValueError(f"a duration is a number of seconds, or a timedelta; this is {what_is(value)}")
    if not 0 <= number <= _LONGEST:
        raise ValueError(f"a duration is from 0 to {_LONGEST} seconds")
    return float(number)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_duration(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """0 seconds or more, as a number or a `timedelta`."""
    _check_duration(attribute, value, 0, "of 0 or more")


def is_some_time(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """More than 0 seconds, as a number or a `timedelta`."""
    _check_duration(attribute, value, 1e-6, "above 0")


def _check_duration(attribute: attrs.Attribute[Any], value: Any, least: float, words: str) -> None:
    number = as_seconds(value)
    if not _is_number(number):
        raise ValueError(f"{attribute.name}: a number of seconds {words} is needed, this is {what_is(value)}")
    if not least <= number <= _LONGEST:
        raise ValueError(f"{attribute.name}: a number of seconds {words} is needed")


def is_positive(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not _is_number(value):
        raise ValueError(f"{attribute.name}: a number above 0 is needed, this is {what_is(value)}")
    if not 0 < value <= _MOST:
        raise ValueError(f"{attribute.name}: a number above 0 is needed")


def is_not_negative(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not _is_number(value):
        raise ValueError(f"{attribute.name}: a number of 0 or more is needed, this is {what_is(value)}")
    if not 0 <= value <= _MOST:
        raise ValueError(f"{attribute.name}: a number of 0 or more is needed")


def is_count(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A whole number of 1 or more."""
    _is_whole(attribute, value, 1)


def is_count_or_none(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A whole number of 0 or more."""
    _is_whole(attribute, value, 0)


def _is_whole(attribute: attrs.Attribute[Any], value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{attribute.name}: a whole number of {least} or more is needed, this is {what_is(value)}")
    if not least <= value <= _MOST:
        raise ValueError(f"{attribute.name}: a whole number of {least} or more is needed")


def is_unit(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and (isinstance(value, bool) or not 0.0 <= value <= 1.0):
        raise ValueError(f"{attribute.name}: a number from 0 to 1 is needed")


def without_slash(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def is_base_url(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    """HTTPS, or HTTP to this very machine (emulators); no query, no credentials in it."""
    name = attribute.name
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except (ValueError, AttributeError):
        raise ValueError(f"{name}: an address such as 'https://api.vendor.example' is needed") from None
    if not parts.scheme or not host:
        raise ValueError(f"{name}: the address must begin with https://, such as 'https://api.vendor.example'")
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError(f"{name}: http is not encrypted: https is needed (http only for this very machine)")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{name}: an address such as 'https://api.vendor.example' is needed")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(f"{name}: scheme, host, port and path only")
