"""Converters and validators that the vocabulary shares: texts, countries, mappings, aware times, scores."""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs

from .countries import ALPHA_3
from .secret import Secret
from .words import quoted, what_is

COUNTRIES = frozenset(ALPHA_3)
"""ISO 3166-1 alpha-2, officially assigned codes, and XK (Kosovo), which vendors, banks and the EU use."""

REFERENCE = 200
"""The longest reference, id, name or other short text, in characters."""
ADDRESS = 2000
"""The longest address (RFC 9110 section 4.1 asks for 8000; vendors take 2000 and less)."""
_LONGEST_OPTION = 100_000

# C0, DEL, C1, the line and paragraph separators, what turns the direction of writing (UAX #9), the byte order mark,
# interlinear notes, tags, and noncharacters (Unicode 23.7)
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    f"{_NONCHARACTERS}]"
)
# letters and a sign that show nothing: the fillers of Hangul, and Braille without a dot
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_LOCALE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
# printable ASCII that may stand in a URL (RFC 3986); no user name, a host in labels or in brackets
_URL = re.compile(
    r"""(?P<scheme>https?)://
    (?P<host>(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?)+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?
    (?:[/?\#](?:[a-z0-9._~:/?\#\[\]@!$&'()*+,;=-]|%[0-9a-f]{2})*)?""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.IGNORECASE)
# a browser reads a host whose last label is a number as an IPv4 address (WHATWG URL section 3.5)
_NUMERIC_HOST = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)

_NAMES: dict[type, str] = {str: "a string"}

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def text_fault(value: object, longest: int = REFERENCE, *, blank: bool = False, controls: bool = False) -> str | None:
    """What is wrong with a text that is to be sent, None if nothing is. Says nothing of what stands in it.

    With `blank` it may be empty, with `controls` it may hold control characters.
    """
    if not isinstance(value, str):
        return "must be a string"
    if not blank and not _is_seen(value):
        return "must be a non-empty string; leave it out if it is not known"
    if len(value) > longest:
        return f"must have at most {longest} characters"
    if _HALF_PAIR.search(value):
        return "must be valid Unicode; it contains half a surrogate pair, so it was cut or decoded wrongly"
    if not controls and _CONTROL.search(value):
        return "must have no control characters (line break, tab, change of writing direction)"
    return None


def _is_seen(value: str) -> bool:
    """Whether a letter, a figure, or another sign is in it: blanks and characters without width alone are no text."""
    seen = (unicodedata.category(char)[0] in "LNPS" and char not in _BLANK_LETTERS for char in value)
    return any(seen) or bool(_HALF_PAIR.search(value))


def text(longest: int = REFERENCE, *, optional: bool = False) -> Validator:
    """A validator: a text that can be sent, not blank, of `longest` characters at most; None too if it is `optional`."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        fault = None if optional and value is None else text_fault(value, longest)
        if fault:
            raise ValueError(f"{attribute.name}: {fault}")

    return validate


def are_named_texts(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """A mapping of texts (names of 200 characters, values of 2000 at most, which may be empty)."""
    if not isinstance(value, dict):
        raise ValueError(f"{attribute.name}: must be a mapping of strings")
    for name, item in value.items():
        fault = text_fault(name)
        if fault:
            raise ValueError(f"{attribute.name}: each key {fault}")
        fault = text_fault(item, ADDRESS, blank=True)
        if fault:
            raise ValueError(f"{attribute.name}.{name}: {fault}")


def are_json_options(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """For each name a mapping whose values can be written as JSON, 100 000 characters each at most."""
    if not isinstance(value, dict):
        raise ValueError(f"{attribute.name}: must be a mapping from the vendor's name to its options")
    for vendor, options in value.items():
        if text_fault(vendor) or not isinstance(options, Mapping):
            raise ValueError(f"{attribute.name}: must hold a mapping of options under each vendor's name")
        for name, option in options.items():
            if text_fault(name):
                raise ValueError(f"{attribute.name}.{vendor}: must have non-empty strings as keys")
            fault = _json_fault(option)
            if fault:
                raise ValueError(f"{attribute.name}.{vendor}.{name}: {fault}")


def _json_fault(value: object) -> str | None:
    try:
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
        written.encode()
        _check_json(value)
    except UnicodeEncodeError:
        return "must be valid Unicode; it contains half a surrogate pair"
    except (TypeError, ValueError, RecursionError, OverflowError):
        return "must be JSON: strings, finite numbers, true, false, None, and lists and mappings of them"
    return f"must have at most {_LONGEST_OPTION} characters as JSON" if len(written) > _LONGEST_OPTION else None


def _check_json(value: object) -> None:
    """Raise for what Python writes as JSON and others read as something else: keys that are no texts, numbers too large."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key is not a string")
        for item in value.values():
            _check_json(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_json(item)
    elif isinstance(value, int):
        float(value)


def is_locale(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """A language tag (BCP 47) of 35 characters at most: `es`, `es-CO`, `zh-Hant-TW`."""
    if not isinstance(value, str) or len(value) > 35 or not _LOCALE.fullmatch(value):
        raise ValueError(f"{attribute.name}: must be a BCP 47 language tag, such as 'es' or 'es-CO' (with a hyphen)")


def is_return_url(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """An address for a browser: https (http to this very machine), printable ASCII, no user name, 2000 characters at most."""
    if value is None:
        return
    fault = text_fault(value, ADDRESS)
    if fault or not isinstance(value, str):
        raise ValueError(f"{attribute.name}: {fault}")
    if not value.isascii():
        raise ValueError(f"{attribute.name}: must be ASCII: percent-encode the path and write the host in Punycode")
    found = _URL.fullmatch(value)
    known = found and _is_host(found["host"]) and int(found["port"] or 443) in range(1, 65536)
    if not found or not known or not (found["scheme"].lower() == "https" or _LOOPBACK.fullmatch(found["host"])):
        raise ValueError(
            f"{attribute.name}: must be a URL such as 'https://platform.example/done', without spaces or a user name"
        )
    if _ENCODED_CONTROL.search(value):
        raise ValueError(f"{attribute.name}: must have no percent-encoded control characters, such as a line break")


def _is_host(host: str) -> bool:
    """Whether an address of numbers is one, in its usual form; any name is."""
    if not host.startswith("[") and not _NUMERIC_HOST.fullmatch(host):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def several(value: Any) -> Any:
    """One text, or several, as a tuple; anything else as it is, for the validator to refuse."""
    if isinstance(value, str):
        return (str(value),)
    if type(value) is tuple and not (
        value and any(issubclass(kind, str) and kind is not str for kind in {*map(type, value)})
    ):
        return value
    try:
        return tuple(str(item) if isinstance(item, str) else item for item in value)
    except TypeError:
        return value


def are(kind: type) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """A validator: a tuple of values of that class."""

    def check(_: object, attribute: attrs.Attribute[Any], values: Any) -> None:
        if not isinstance(values, tuple) or (
            values and not all(issubclass(found, kind) for found in {*map(type, values)})
        ):
            raise ValueError(f"{attribute.name}: must hold {kind.__name__} values only")

    return check


def is_a(kind: type, *, or_none: bool = False) -> Validator:
    """A validator: a value of that class; None too with `or_none`."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kind) and not (or_none and value is None):
            raise ValueError(f"{attribute.name}: must be {kind.__name__}(...), not {what_is(value)}")

    return check


def optional(kind: type) -> Any:
    """A validator: a value of that class, or None. Its message shows no value: it may be about a person."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None and not isinstance(value, kind):
            raise ValueError(
                f"{attribute.name}: must be {_NAMES.get(kind, kind.__name__)} or None, not {what_is(value)}"
            )

    return check


def is_string(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{attribute.name}: must be a string, not {what_is(value)}")


def is_date(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
        raise ValueError(f"{attribute.name}: must be a date, not {what_is(value)}")


def if_mapping(value: Any) -> Any:
    """A copy of a mapping; anything else as it is, for the validator to refuse."""
    return dict(value) if isinstance(value, Mapping) else value


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
        raise ValueError("must be a Secret or a list of Secrets")
    return several


def plain_mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """Copy a mapping, so that what the caller does to his own later does not reach a frozen value."""
    return dict(value)


def is_country(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not (isinstance(value, str) and value in COUNTRIES):
        raise ValueError(f"{attribute.name}: must be an ISO 3166-1 alpha-2 code in capital letters, such as 'IN'")


def are_countries(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    wrong = [country for country in value if not isinstance(country, str) or country not in COUNTRIES]
    if wrong:
        what = f"must be ISO 3166-1 alpha-2 codes in capital letters, such as 'IN'; {quoted(wrong[0])} is not one"
        raise ValueError(f"{attribute.name}: {what}")


def is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{attribute.name}: must be a non-empty string")


def is_aware(_: object, attribute: attrs.Attribute[Any], value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{attribute.name}: must be a datetime with a time zone")


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
        raise ValueError(f"a duration must be a number of seconds or a timedelta, not {what_is(value)}")
    if not 0 <= number <= _LONGEST:
        raise ValueError(f"a duration must be from 0 to {_LONGEST} seconds")
    return float(number)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_duration(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """0 seconds or more, as a number or a `timedelta`."""
    _check_duration(attribute, value, 0, ", 0 or more")


def is_some_time(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """More than 0 seconds, as a number or a `timedelta`."""
    _check_duration(attribute, value, 1e-6, " above 0")


def _check_duration(attribute: attrs.Attribute[Any], value: Any, least: float, words: str) -> None:
    number = as_seconds(value)
    if not _is_number(number):
        raise ValueError(f"{attribute.name}: must be a number of seconds{words}, not {what_is(value)}")
    if not least <= number <= _LONGEST:
        raise ValueError(f"{attribute.name}: must be a number of seconds{words}")


def is_positive(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not _is_number(value):
        raise ValueError(f"{attribute.name}: must be a number above 0, not {what_is(value)}")
    if not 0 < value <= _MOST:
        raise ValueError(f"{attribute.name}: must be a number above 0")


def is_not_negative(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not _is_number(value):
        raise ValueError(f"{attribute.name}: must be a number, 0 or more, not {what_is(value)}")
    if not 0 <= value <= _MOST:
        raise ValueError(f"{attribute.name}: must be a number, 0 or more")


def is_count(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A whole number of 1 or more."""
    _is_whole(attribute, value, 1)


def is_count_or_none(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A whole number of 0 or more."""
    _is_whole(attribute, value, 0)


def _is_whole(attribute: attrs.Attribute[Any], value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{attribute.name}: must be a whole number, {least} or more, not {what_is(value)}")
    if not least <= value <= _MOST:
        raise ValueError(f"{attribute.name}: must be a whole number, {least} or more")


def is_unit(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not (_is_number(value) and 0.0 <= value <= 1.0):
        raise ValueError(f"{attribute.name}: must be a number from 0 to 1")


def without_slash(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def is_base_url(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    """HTTPS, or HTTP to this very machine (emulators); no query, no credentials in it."""
    check_base_url(attribute.name, value)


def check_base_url(name: str, value: object) -> None:
    """The same for a value of that name. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{name}: must be a URL such as 'https://api.vendor.example'")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except (ValueError, AttributeError):
        raise ValueError(f"{name}: must be a URL such as 'https://api.vendor.example'") from None
    if not parts.scheme or not host:
        raise ValueError(f"{name}: must begin with https://, such as 'https://api.vendor.example'")
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError(f"{name}: must begin with https://; http is allowed for localhost only")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{name}: must be a URL such as 'https://api.vendor.example'")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(f"{name}: must have scheme, host, port and path only")
