"""Words for the applicant: what may be shown for a reason of a decision, and what to do, in ten languages.

    from idv_core.applicant_words import sentence

    for reason in result.reasons:
        print(sentence(reason, "pt-BR"))     # Seu documento está vencido. Use um documento válido.

Reasons themselves are for you: they name checks, scores and vendors. These sentences do not, and they say nothing of screening
or suspicion. The words are data: one TOML file for each language beside this one, and `codes.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import attrs

from ..model import Reason

LANGUAGES = ("en", "es", "pt", "fr", "de", "hi", "ru", "kk", "ar", "id")
"""The languages, by ISO 639-1."""

_FALLBACK = "under_review"


@attrs.frozen
class Sentence:
    """What may be shown to the applicant.

    Args:
        name: A stable name of the message, such as `document_expired`. Several reasons may share one: show it once.
        says: What is the matter.
        do: What the applicant can do.
        language: The language of both, by ISO 639-1.
    """

    name: str
    says: str
    do: str
    language: str

    def __str__(self) -> str:
        return f"{self.says} {self.do}"


def sentence(reason: Reason | str, language: str = "en") -> Sentence:
    """The words for a reason. For a reason without words of its own they say that it is being looked at.

    Args:
        reason: A reason of `result.reasons`, or its code. A reason knows which check it is about, so prefer it.
        language: A language of `LANGUAGES`; a region may follow (`pt-BR`, RFC 5646).

    Raises ValueError for another language.
    """
    tongue = language.replace("_", "-").partition("-")[0].lower()
    if tongue not in LANGUAGES:
        raise ValueError(f"language: there are words in {', '.join(LANGUAGES)} only")
    name = _name(reason)
    words = _read(tongue)[name]
    return Sentence(name, words["says"], words["do"], tongue)


def sentences(reasons: tuple[Reason, ...], language: str = "en") -> tuple[Sentence, ...]:
    """The words for all reasons of a result, each message once. Arguments and errors as for `sentence`."""
    return tuple(dict.fromkeys(sentence(reason, language) for reason in reasons))


def _name(reason: Reason | str) -> str:
    table = _read("codes")
    if isinstance(reason, str):
        return table["codes"].get(reason, _FALLBACK)
    checks = {"check.failed": "failed", "check.inconclusive": "inconclusive"}.get(reason.code)
    if checks is not None and reason.check is not None:
        by_check = table[checks]
        kind = reason.check.partition(".")[0]
        found = by_check.get(reason.check) or by_check.get(kind)
        if found is not None:
            return found
    return table["codes"].get(reason.code, _FALLBACK)


@cache
def _read(name: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))
