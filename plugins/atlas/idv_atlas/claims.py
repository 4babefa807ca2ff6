"""What an answer says of its own contents beside what was read: states, yes and no, warnings.

Atlas documents none of them but `error_code`, `error_reason` and `processing_error` (fact sheet section 6.2), so that only what
is known to be good is taken as such. Everything else is a doubt, whatever the word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from .problems import is_bad_word, is_of_error
from .words import is_plain_field, parts

Kind: TypeAlias = Literal["state", "place", "remark", "warning", "bad", "good"]
Claim: TypeAlias = Literal["status", "warning", "denied"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GOOD = _words(
    """success successful successfully succeeded ok okay valid validated done complete completed processed passed pass active
    verified approved accepted clear cleared authentic genuine matched match extracted finished recognised recognized yes
    true original"""
)
_FILLER = _words("processing processed upload ocr extraction document documents file data is all")
_NO = frozenset({"", "no", "false", "n", "0", "none", "null", "nil", "na", "notapplicable"})
# Printed on documents, or a field of them (fact sheet section 7), however much it sounds like a state.
_PRINTED = _words(
    """hypothecationstatus maritalstatus employmentstatus residentialstatus residencestatus taxstatus occupationstatus
    documentqualityflag"""
)
_STATES = _words("status outcome verdict decision result results stage")
_MACHINES = _words(
    """processing process document doc ocr extraction file upload verification validation check review result response
    status reason message return outcome"""
)
_WARNINGS = _words("warning warnings alert alerts")
_TEXTS = _words("reason reasons message messages msg flag flags")
_REMARKS = _words("remark remarks comment comments note notes")
_NEGATIVE = _words(
    """tampered tampering tamper fake forged forgery fraud fraudulent blurred blurry blur mismatch mismatched mismatches
    declined denied missing suspicious suspected altered manipulated manipulation revoked blocked blacklisted spoof spoofed
    deepfake unverified unclear incomplete anomaly anomalies duplicate duplicated discrepancy discrepancies not"""
)
_POSITIVE = _words(
    "verified authentic genuine processed passed ok match matches matched approved accepted valid readable complete"
)
_CANCELLED = frozenset({"cancelled", "canceled", "rejected", "suspended"})
_BESIDE = frozenset({"confidence", "confidencescore"})
_LABELS = ("name", "key", "field", "label")
_CLAIM: dict[Kind, Claim] = {
    "state": "status",
    "place": "status",
    "remark": "warning",
    "warning": "warning",
    "bad": "warning",
    "good": "denied",
}


def read_claims(said: Mapping[str, Any], *, is_content: bool = False) -> tuple[Claim, ...]:
    """What stands there and is not known to be good. What is said under the name of an error is `read_problems`' affair.

    In the content of a document (`is_content`) `state` is a part of the address, and remarks may be printed.
    """
    found: set[Claim] = set()
    _look(said, is_content, found)
    return tuple(sorted(found))


def is_good_word(word: object) -> bool:
    """Whether a status word says that all is well, and nothing else."""
    words = parts(word) if isinstance(word, str) and len(word) <= 80 else ()
    return not _GOOD.isdisjoint(words) and _GOOD.union(_FILLER).issuperset(words)


def _look(node: Any, is_content: bool, found: set[Claim]) -> None:
    if isinstance(node, list):
        for item in node:
            _look(item, is_content, found)
    elif isinstance(node, dict):
        if "value" in node:
            labels = {node[name]: node["value"] for name in _LABELS if name in node and isinstance(node[name], str)}
            node = {**labels, **node} if labels else node
        for key, value in node.items():
            if is_of_error(key):
                continue
            kind = _kind(key, is_content)
            if kind is not None and not (kind == "remark" and _is_field(value)):
                if not all(_is_fine(kind, leaf) for leaf in _leaves(value)):
                    found.add(_CLAIM[kind])
            elif value is False and key != "value":
                found.add("denied")
            elif isinstance(value, (dict, list)) and not is_plain_field(value):
                _look(value, is_content, found)


@lru_cache(maxsize=8192)
def _kind(key: str, is_content: bool) -> Kind | None:
    words = parts(key)
    name = "".join(words)
    if not words or name in _PRINTED:
        return None
    last, before = words[-1], words[-2:-1]
    if last == "state" and not before:
        return "place" if is_content else "state"
    if last in _STATES or name == "code" or (last in ("state", "code") and not _MACHINES.isdisjoint(before)):
        return "state"
    if not _WARNINGS.isdisjoint(words) or last in _TEXTS:
        return "warning"
    if last in _REMARKS:
        return "remark" if is_content else "warning"
    # `not_after` is a date
    if (not _NEGATIVE.isdisjoint(words) or last in _CANCELLED) and last not in ("after", "before"):
        return "bad"
    if last in _POSITIVE and name != "valid":
        return "good"
    return None


def _is_field(value: Any) -> bool:
    return isinstance(value, dict) and "value" in value and any("".join(parts(key)) in _BESIDE for key in value)


def _is_fine(kind: Kind, leaf: Any) -> bool:
    if leaf is None or leaf == "":
        return True
    is_number = isinstance(leaf, (int, float)) and not isinstance(leaf, bool)
    word = "".join(parts(leaf[:80])) or leaf[:80].strip() if isinstance(leaf, str) else None
    match kind:
        case "place":
            return leaf is not False and not (isinstance(leaf, str) and (is_bad_word(leaf) or _is_state(leaf)))
        case "state":
            return leaf is True or (is_number and 200 <= leaf < 300) or word in ("200", "201") or is_good_word(leaf)
        case "good":
            return leaf is True or (is_number and leaf > 0) or word in ("y", "1") or is_good_word(leaf)
        case "bad":
            return leaf is False or (is_number and leaf == 0) or word in _NO
        case _:
            return leaf is False or (is_number and leaf == 0) or word in _NO or is_good_word(leaf)


def _is_state(text: str) -> bool:
    """Whether the text is the word of a state of a document, and no place."""
    return "".join(parts(text[:80])) in {
        "expired", "pending", "processing", "inprogress", "incomplete", "partial", "cancelled", "canceled", "revoked",
        "blocked", "unknown", "review", "manualreview", "declined", "denied", "tampered", "suspended", "inactive",
    }  # fmt: skip


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if "".join(parts(key)) not in _BESIDE:
                yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
