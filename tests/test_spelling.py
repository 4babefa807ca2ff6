"""The words of the pages stand in an English dictionary or in `docs/words.txt`, where names and terms of the trade are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from pages import PAGES, ROOT, name_of, prose, without_code
from spellchecker import SpellChecker

OURS = ROOT.joinpath("docs", "words.txt").read_text(encoding="utf-8").split()
VENDORS = {folder.name for folder in ROOT.joinpath("plugins").iterdir()}


@cache
def dictionary() -> SpellChecker:
    return SpellChecker()


def misspelled(text: str) -> set[str]:
    words = re.findall(r"[^\W\d_]+(?:'[a-z]+)?", prose(without_code(text)))
    # a name of our code, like LinkProtocol, is no word
    words = [word for word in words if not re.search("[a-z][A-Z]", word)]
    unknown: set[str] = dictionary().unknown([word.removesuffix("'s").lower() for word in words])
    return unknown - set(OURS) - VENDORS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_word_is_a_word(page: Path) -> None:
    assert misspelled(page.read_text(encoding="utf-8")) == set(), "mend it, or add it to docs/words.txt"


def test_a_slip_is_seen_in_sentences_only() -> None:
    assert misspelled("The vendro's answer.") == {"vendro"}
    assert misspelled("`vendro` [it](vendro.md) <vendro@example.org>\n```text\nvendro\n```\n") == set()


def test_the_list_holds_what_the_dictionary_lacks_in_order() -> None:
    assert sorted(set(OURS)) == OURS
    assert dictionary().known(OURS) == set()


if __name__ == "__main__":
    # what would have to be added
    print(*sorted(set().union(*(misspelled(page.read_text(encoding="utf-8")) for page in PAGES))), sep="\n")
