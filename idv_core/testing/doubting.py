"""Changes the answers that led to an approval, one thing at a time, and looks what is approved all the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs
import httpx

from ..engine.breaker import Circuit
from ..engine.retry import Retry
from ..errors import IdvError, PluginError
from ..model import CheckKind, CheckOutcome, Decision, ExtractedField, FieldName, Flow, Result, Score
from .harness import Driver, Finish, Harness, another_person
from .specimens import PEOPLE

Change = Callable[[Any], Any]

# A passed check of one of these says who somebody is.
IDENTITY = frozenset({CheckKind.DOCUMENT, CheckKind.FACE_MATCH, CheckKind.LIVENESS, CheckKind.DATA_SOURCE})

_WORD = re.compile(r"[A-Za-z]+([ _-][A-Za-z]+){0,4}")
_NAMES = {part.casefold() for person in PEOPLE.values() for part in person.name.split()}
_LATER = 3600.0


GIVEN_NAME, FAMILY_NAME = "Qörvax", "de la Zürnik"
"""Words that stand nowhere else."""


class Replayed:
    """One finished flow whose `result` can be asked again and again, with the vendor's answers changed."""

    def __init__(self, harness: Harness, finish: Finish, mark: str) -> None:
        self._answers = _Answers(harness.transport)
        self._driver = Driver(
            attrs.evolve(harness, transport=self._answers),
            "sync",
            retry=Retry(attempts=1),
            circuit=Circuit(failures=10**6),
        )
        self.order = another_person(attrs.evolve(harness.order, application_id=f"APP-{mark}"), mark)
        self.flow: Flow = finish(self._driver, self._driver.open(self.order))
        harness.clock.advance(_LATER)
        # once for the token, and once for the answers alone
        self._driver.result(self.flow)
        self._answers.recorded.clear()
        self.result: Result = self._driver.result(self.flow)
        self._answers.replays = True

    @property
    def adapter(self) -> Any:
        return self._driver.adapter

    @property
    def answers(self) -> list[Any]:
        """The answers, decoded."""
        return [json.loads(content) for content in self._answers.recorded.values()]

    def with_change(self, change: Change, flow: Flow | str | None = None) -> Result | None:
        """The result when each answer is changed so; None where that ends in an error of the tree.

        Raises PluginError where the plugin breaks on it.
        """
        self._answers.change = change
        try:
            result: Result = self._driver.result(flow or self.flow)
            return result
        except PluginError:
            raise
        except IdvError:
            return None
        finally:
            self._answers.change = None

    def with_answers_of(self, other: Replayed) -> Result | None:
        """The result of this flow when the vendor answers, call by call, what it answered about the other."""
        theirs = iter(other.answers)
        return self.with_change(lambda ours: next(theirs, ours))

    def close(self) -> None:
        self._driver.close()


class Misnaming(httpx.BaseTransport):
    """Answers get a change on the way; `met` says whether it changed any."""

    def __init__(self, inner: Any, change: Change) -> None:
        self._inner = inner
        self._change = change
        self.met = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = self._inner.handle_request(request)
        content = response.read()
        if not _is_json(content):
            return response
        said = json.loads(content)
        changed = self._change(said)
        self.met = self.met or changed != said
        headers = {"content-type": "application/json"}
        return httpx.Response(
            response.status_code, headers=headers, stream=httpx.ByteStream(json.dumps(changed).encode())
        )


class Overhearing(httpx.BaseTransport):
    """Keeps the texts of all JSON and all forms that are sent."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.texts: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        if _is_json(content):
            self.texts |= {value for _, value in leaves(json.loads(content)) if isinstance(value, str)}
        elif request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            self.texts |= {value for _, value in parse_qsl(content.decode())}
        response: httpx.Response = self._inner.handle_request(request)
        return response


class _Answers(httpx.BaseTransport):
    """Answers with JSON are recorded, then given again with a change."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.recorded: dict[tuple[str, str], bytes] = {}
        self.replays = False
        self.change: Change | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        call = (request.method, str(request.url))
        if self.replays and call in self.recorded:
            content = self.recorded[call]
            if self.change is not None:
                content = json.dumps(self.change(json.loads(content))).encode()
            return httpx.Response(200, headers={"content-type": "application/json"}, stream=httpx.ByteStream(content))
        response = self._inner.handle_request(request)
        content = response.read()
        if response.is_success and not self.replays and _is_json(content):
            self.recorded[call] = content
        return response


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), (dict, list))
    except ValueError:
        return False


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of everything that holds nothing further. Places in lists are numbers as texts."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, str(place)))
    else:
        yield path, value


def keys_in(value: Any) -> set[str]:
    """The names of all keys, at any depth."""
    if isinstance(value, Mapping):
        return {*value, *(key for inner in value.values() for key in keys_in(inner))}
    return {key for inner in value for key in keys_in(inner)} if isinstance(value, list) else set()


def everywhere(change: Callable[[str, Any], Mapping[str, Any]]) -> Change:
    """A change of each key with its value, at any depth: into the keys that it returns."""

    def apply(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {new: apply(inner) for key, old in value.items() for new, inner in change(key, old).items()}
        return [apply(inner) for inner in value] if isinstance(value, list) else value

    return apply


def without(name: str) -> Change:
    return everywhere(lambda key, value: {} if key == name else {key: value})


def renamed(name: str) -> Change:
    return everywhere(lambda key, value: {f"{key}_2" if key == name else key: value})


def emptied(name: str) -> Change:
    """Lists and objects under that key hold nothing; everything else is null."""

    def change(key: str, value: Any) -> Mapping[str, Any]:
        return {key: ([] if isinstance(value, list) else {} if isinstance(value, dict) else None)}

    return everywhere(lambda key, value: change(key, value) if key == name else {key: value})


def reworded(word: Any, other: Any) -> Change:
    """That word is another one wherever it stands."""

    def apply(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: apply(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [apply(inner) for inner in value]
        return other if type(value) is type(word) and value == word else value

    return apply


UNREADABLE_SCORES: tuple[Any, ...] = ("high", "95%", "0,9", -1, 10**6, True, [0.9], {"n": 0.9})
"""In words, of another scale, below and above every scale, of another type."""


def scores_in(answers: list[Any], result: Result) -> set[str]:
    """The names of the keys under which a number stands that the result has as a score."""
    scores = {check.score.raw for check in result.checks if check.score is not None}
    found = ((path, value) for answer in answers for path, value in leaves(answer))
    return {
        next((name for name in reversed(path) if not name.isdigit()), "")
        for path, value in found
        if (score := Score.read(value, -(10**9), 10**9)) is not None and score.raw in scores
    }


def rescored(name: str, other: Any) -> Change:
    """What stands under that key, where it is no list and no object, is something else."""
    return everywhere(lambda key, value: {key: other if key == name and not isinstance(value, (list, dict)) else value})


_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2} [A-Za-z]{3,9} \d{4}")
_PARTS = {"year", "month", "day"}
UNREADABLE_DATES: tuple[Any, ...] = (
    "09/03/2019",
    "30/06/19",
    "1447-09-01",
    "2999-01-01",
    "2031-02-30",
    "31.12.",
    "garbage",
    "٢٠٣١-٠١-٠١",
    310101,
    True,
    ["2031"],
    {"year": 2031, "month": 2, "day": 30},
    {"year": 2031},
)
"""Ambiguous, implausible, of another calendar, incomplete, of another type, or no date at all."""


MOVED_DATES = ("1990-04-30T18:30:00.000Z", "1990-04-30T19:00:00-05:00")
"""Midnight of somebody's birthday, written as a moment of another zone: which day is meant is not known."""

STRANGE_NAMES = (
    "Nguyễn Văn An",
    "Jose\u0301 D’Arcy-O'Neil",
    "\u200fمحمد بن سلمان",
    "Null",
    "O",
    "李",
    "ANA \U0001f469\u200d\U0001f680",
    "de la Cruz y " * 30 + "Mora",
)
"""Names that are somebody's, however they look."""


def dates_in(value: Any) -> set[str]:
    """The names of the keys under which a date stands, as text or as an object of year, month and day."""
    if isinstance(value, Mapping):
        here = {key for key, inner in value.items() if _is_date(inner)}
        return here | {key for inner in value.values() for key in dates_in(inner)}
    return {key for inner in value for key in dates_in(inner)} if isinstance(value, list) else set()


def redated(name: str, other: Any) -> Change:
    """The dates under that key are something else."""
    return everywhere(lambda key, value: {key: other if key == name and _is_date(value) else value})


def _is_date(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.keys() >= _PARTS
    return isinstance(value, str) and bool(_DATE.fullmatch(value))


def lost_dates(before: Result, after: Result | None) -> bool:
    """Whether a document no longer says when it was issued or ends, though it did."""
    return after is not None and _dates(after) < _dates(before)


def _dates(result: Result) -> int:
    return sum((one.issued_on is not None) + (one.expires_on is not None) for one in result.documents)


def told_of(result: Result | None, *names: FieldName) -> Iterator[ExtractedField]:
    """What a result tells of the person under these names, wherever it stands."""
    if result is not None:
        places = (result.fields, *(document.fields for document in result.documents))
        yield from (field for place in places for field in place if field.name in names)


CHANGES: Mapping[str, Callable[[str], Change]] = {"missing": without, "renamed": renamed, "empty": emptied}
"""What can happen to a key."""


def telling(good: Replayed, bad: Replayed, but: Collection[str]) -> tuple[set[str], set[str | bool]]:
    """The keys, and the words under them, in which answers about good documents differ from those about bad ones."""
    there = {path: value for answer in bad.answers for path, value in leaves(answer)}
    ours = {good.order.application_id, good.order.applicant.reference}
    keys: set[str] = set()
    words: set[str | bool] = set()
    for answer in good.answers:
        for path, value in leaves(answer):
            key = next((name for name in reversed(path) if not name.isdigit()), "")
            if key in but or key.casefold().endswith("id") or there.get(path, value) == value:
                continue
            if value not in ours and is_word(value) and is_word(there[path]):
                keys.add(key)
                words.add(value)
    return keys, words


def is_name(text: str) -> bool:
    """Whether it holds a part of that name, however it is written."""
    words = GIVEN_NAME, FAMILY_NAME.rpartition(" ")[2]
    return any(word.casefold() in text.casefold() for word in words)


def is_word(value: Any) -> bool:
    """Whether it looks like a word of the vendor's own: a status, an outcome, yes or no; no name, number, date or id."""
    if isinstance(value, bool):
        return True
    if not isinstance(value, str) or len(value) > 40 or not _WORD.fullmatch(value):
        return False
    return not _NAMES & {part.casefold() for part in value.split()}


def names(answers: list[Any], id: str) -> bool:
    """Whether the answers say which flow they are about."""
    return any(value == id for answer in answers for _, value in leaves(answer))


def is_borne(result: Result | None) -> bool:
    """Whether a check that says who somebody is has passed, or a score for which the harness's policy has a threshold."""
    checks = result.checks if result is not None else ()
    return any(check.outcome is CheckOutcome.PASSED and (check.by_policy or check.kind in IDENTITY) for check in checks)


def approves(result: Result | None) -> bool:
    return result is not None and result.decision is Decision.APPROVED
