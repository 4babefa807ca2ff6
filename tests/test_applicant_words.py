"""Words for the applicant: every code in every language, and nothing in them that is not for the applicant."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import idv_core.applicant_words
from idv_core import CheckKind, Decision, FlowStatus, Reason
from idv_core.applicant_words import LANGUAGES, sentence, sentences
from idv_core.model.check_names import CHECK_NAMES
from idv_core.registry import discover
from idv_core.testing import FakeVendor

FOLDER = Path(idv_core.applicant_words.__file__).parent
ROOT = FOLDER.parent
CODES = tomllib.loads((FOLDER / "codes.toml").read_text())
WORDS = {language: tomllib.loads((FOLDER / f"{language}.toml").read_text()) for language in LANGUAGES}

# How the parts of a code that are not written out can be filled.
PARTS = {
    "flow.": [status.value for status in FlowStatus if status is not FlowStatus.FINISHED],
    "check.": ["failed", "inconclusive", "not_done", "no_outcome"],
    "shadow.": [decision.value for decision in Decision if decision is not Decision.UNDECIDED],
}
# What must not be in a sentence: vendors, scores, suspicion, screening.
FORBIDDEN = {
    "en": "fraud|fake|forg|suspic|score|risk|sanction|watchlist|threshold",
    "es": "fraude|fals|sospech|puntuaci|riesgo|sanci|umbral",
    "pt": "fraude|fals|suspeit|pontua|risco|sanç|limiar",
    "fr": "fraud|faux|falsifi|soupçon|suspect|score|risque|sanction|seuil",
    "de": "betrug|betrüg|fälsch|gefälscht|verdacht|punktzahl|risiko|sanktion|schwelle",
    "hi": "धोखा|धोखाधड़ी|नकली|जाली|संदेह|अंक|जोखिम|प्रतिबंध",
    "ru": "мошен|поддел|фальш|подозр|балл|риск|санкци|порог",
    "kk": "алаяқ|жалған|күдік|балл|тәуекел|санкци",
    "ar": "احتيال|مزور|تزوير|اشتباه|مشبوه|درجة|مخاطر|عقوبات",
    "id": "penipu|palsu|curiga|skor|risiko|sanksi|ambang",
}
SCRIPTS = {"hi": "[\u0900-\u097f]", "ru": "[\u0400-\u04ff]", "kk": "[\u0400-\u04ff]", "ar": "[\u0600-\u06ff]"}


def codes_in_core() -> Iterator[str]:
    """Every code that policy and gateway can give, read from their sources."""
    for file in (*(ROOT / "policy").glob("*.py"), *(ROOT / "gateway").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reason"):
                continue
            code = node.args[0]
            if isinstance(code, ast.Constant):
                yield code.value
            else:
                assert isinstance(code, ast.JoinedStr), ast.unparse(node)
                assert isinstance(code.values[0], ast.Constant), ast.unparse(node)
                begin = code.values[0].value
                yield from (begin + part for part in PARTS[begin])


def test_every_code_of_the_core_has_words() -> None:
    codes = set(codes_in_core())
    assert len(codes) > 25
    assert codes == CODES["codes"].keys()


def test_every_kind_of_check_has_words_when_it_fails() -> None:
    assert {kind.value for kind in CheckKind} <= CODES["failed"].keys()
    for table in ("failed", "inconclusive"):
        for label in CODES[table]:
            kind, _, name = label.partition(".")
            assert not name or name in CHECK_NAMES[CheckKind(kind)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_there_in_every_language(language: str) -> None:
    used = {name for table in CODES.values() for name in table.values()}
    assert WORDS[language].keys() == used
    told = [(words["says"], words["do"]) for words in WORDS[language].values()]
    assert all(set(words) == {"says", "do"} for words in WORDS[language].values())
    assert len({says for says, _ in told}) == len(told), "two messages say the same"
    for text in [text for pair in told for text in pair]:
        assert text.strip() == text
        assert text[-1] in ".।", text
        assert len(text) <= 160, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_names_a_vendor_a_score_or_a_suspicion(language: str) -> None:
    vendors = "|".join([*discover().found, "jumio", "sumsub", "veriff", "didit"])
    bad = re.compile(rf"{FORBIDDEN[language]}|\b(?:{vendors})\b|[0-9%]", re.IGNORECASE)
    text = (FOLDER / f"{language}.toml").read_text()
    for line in text.splitlines():
        said = line.partition("= ")[2]
        assert bad.search(said) is None, said


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_no_sentence_was_left_in_english(language: str) -> None:
    for name, words in WORDS[language].items():
        for part in ("says", "do"):
            assert words[part] != WORDS["en"][name][part]
            assert re.search(SCRIPTS.get(language, "[a-z]"), words[part]), words[part]


def test_a_reason_tells_what_to_do_in_the_applicants_language() -> None:
    expired = sentence(Reason("document.expired", "passport has expired"), "pt-BR")
    assert (expired.name, expired.language) == ("document_expired", "pt")
    assert str(expired) == "Seu documento está vencido. Use um documento válido."


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        (Reason("check.failed", "…", "face_match.selfie_to_document"), "face_differs"),
        (Reason("check.failed", "…", "document.image_quality", "id"), "document_unreadable"),
        (Reason("check.failed", "…", "document.authenticity"), "document_not_accepted"),
        (Reason("check.inconclusive", "…", "liveness.presentation_attack"), "face_unclear"),
        (Reason("check.failed", "…", "screening.sanctions"), "under_review"),
        (Reason("check.inconclusive", "…", "screening.watchlist"), "under_review"),
        (Reason("check.inconclusive", "…", "data_source.name"), "under_review"),
        (Reason("check.failed", "…"), "not_confirmed"),
        (Reason("session.failure", "a vendor's own code"), "under_review"),
        ("verdict.negative", "not_confirmed"),
        ("never.heard", "under_review"),
    ],
)
def test_which_words_go_with_which_reason(reason: Reason | str, name: str) -> None:
    assert sentence(reason).name == name


def test_several_reasons_that_say_the_same_are_said_once() -> None:
    reasons = (Reason("document.expired", "a"), Reason("document.expired", "b"), Reason("verdict.negative", "c"))
    assert [one.name for one in sentences(reasons, "kk")] == ["document_expired", "not_confirmed"]


@pytest.mark.parametrize("language", ["xx", "", "english", "../en"])
def test_a_language_without_words_is_refused(language: str) -> None:
    with pytest.raises(ValueError, match="en, es, pt"):
        sentence("document.expired", language)


def test_a_declined_applicant_hears_nothing_of_the_vendor(fake: FakeVendor) -> None:
    with fake.gateway() as idv:
        flow = fake.decide(idv.open(fake.order()), "declined")
        told = sentences(idv.result(flow).reasons, "en")
    assert [one.name for one in told] == ["face_differs", "not_confirmed"]


@pytest.fixture
def fake() -> FakeVendor:
    return FakeVendor()
