"""First and last name, which Onfido wants apart. Nothing is guessed: a name that is not parted is not cut in two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from idv_core.plugin import Applicant, InvalidOrder

# `^[^!#$%*=<>;{}"]*$` (API v3.6, applicant object)
_FORBIDDEN = frozenset('!#$%*=<>;{}"')
# combining classes from here on are marks above, below or across a letter (UAX #44)
_ACCENTS = 200
_LATIN = re.compile(r"LATIN SMALL (?:LETTER|LIGATURE) (?:DOTLESS )?([A-Z]{1,2})(?: WITH .+)?")
_APART = (
    "Onfido needs given and family name apart, and no name is cut by guess: give given_name and family_name, or one of them "
    "beside the whole name that begins or ends with it. Of a person with one name say what stands in the other place: "
    'vendor_options["onfido"] = {"first_name": "-"} (or "last_name")'
)


def names_of(person: Applicant, options: Mapping[str, Any]) -> tuple[str, str]:
    """First and last name as Onfido gets them. Raises InvalidOrder where they are not known apart.

    `first_name` and `last_name` in the options win, and go out as they are. Where one half and the whole name are known, the
    half is cut off the whole, at whichever end it stands.
    """
    given, family = person.given_name, person.family_name
    if person.name and given and not family:
        family = _rest(person.name, given)
    elif person.name and family and not given:
        given = _rest(person.name, family)
    names = {
        "given_name": _option(options, "first_name") or given,
        "family_name": _option(options, "last_name") or family,
    }
    missing = tuple(f"applicant.{name}" for name, text in names.items() if not text or not text.strip())
    if missing:
        raise InvalidOrder(_APART, fields=missing)
    wrong = tuple(f"applicant.{name}" for name, text in names.items() if text and not _FORBIDDEN.isdisjoint(text))
    if wrong:
        raise InvalidOrder('Onfido takes no name with one of !#$%*=<>;{}" in it', fields=wrong)
    return names["given_name"] or "", names["family_name"] or ""


def is_same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for capitals, accents, blanks, hyphens and the like, which a vendor may drop."""
    return _letters(one) == _letters(other)


def _letters(text: str) -> str:
    """The letters alone, without accents; vowel signs of Indic scripts and the like stay."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (char for char in plain if unicodedata.combining(char) < _ACCENTS and unicodedata.category(char)[0] in "LMN")
    return "".join(map(_base, kept))


def _base(char: str) -> str:
    """`o` for `ø`, `l` for `ł`, `i` for `ı`, `ae` for `æ`: what Unicode's own name of the letter says."""
    found = _LATIN.fullmatch(unicodedata.name(char, ""))
    return found[1].lower() if found else char


def _rest(whole: str, half: str) -> str | None:
    """The words of the whole name without those of the half; None unless the half stands at just one end of it."""
    words, known = whole.split(), _plain(half)
    count = len(known)
    if not 0 < count < len(words):
        return None
    rests = [words[count:]] * (_plain(" ".join(words[:count])) == known)
    rests += [words[:-count]] * (_plain(" ".join(words[-count:])) == known)
    # `Ruiz Gómez, Ana`: the comma parts the two, and belongs to neither
    found = {" ".join(rest).strip(" ,") for rest in rests}
    return found.pop() or None if len(found) == 1 else None


def _plain(text: str) -> list[str]:
    return unicodedata.normalize("NFKC", text).casefold().replace(",", " ").split()


def _option(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise InvalidOrder(f"vendor_options: Onfido's {name} is a text", fields=(f"vendor_options.onfido.{name}",))
    return value
