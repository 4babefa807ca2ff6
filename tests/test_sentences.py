"""Pages have one sentence a line; what writes them so changes nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import PAGES, ROOT, name_of
from sentences import by_sentences, main, sentences


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_line_is_a_sentence(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert by_sentences(text) == text, f"run python tests/sentences.py {name_of(page)}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("It is here. It is there.", ["It is here.", "It is there."]),
        (
            "**Bold.** Then `code. Not` this. [A link.](x. Y) Done",
            ["**Bold.**", "Then `code. Not` this.", "[A link.](x. Y)", "Done"],
        ),
        (
            "See e.g. RFC 9110, section 4.4. (It is short.) Is it? Yes!",
            ["See e.g. RFC 9110, section 4.4.", "(It is short.)", "Is it?", "Yes!"],
        ),
        ("Say `open`, ... Or option A. Either way", ["Say `open`, ... Or option A. Either way"]),
        ("Version 1.2 of a.b stays.", ["Version 1.2 of a.b stays."]),
        ("It is so.\nidv is small,\nand stays so.", ["It is so.", "idv is small, and stays so."]),
    ],
)
def test_where_a_sentence_ends(text: str, told: list[str]) -> None:
    assert sentences(text) == told


PAGE = """# A heading. With two

One sentence that is
broken. Another.

1. First. Second.
   Third
   goes on.

> Quoted. Twice.

!!! note "A title. Here"
    Inside. It is.

| a. B | c |
|---|---|

```python
x = "One. Two."
```
"""
WRITTEN = """# A heading. With two

One sentence that is broken.
Another.

1. First.
   Second.
   Third goes on.

> Quoted.
> Twice.

!!! note "A title. Here"
    Inside.
    It is.

| a. B | c |
|---|---|

```python
x = "One. Two."
```
"""


def test_only_sentences_are_moved(tmp_path: Path) -> None:
    assert by_sentences(PAGE) == WRITTEN
    assert by_sentences(WRITTEN) == WRITTEN
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert (main([page]), main([page])) == (1, 0)
    assert page.read_text() == WRITTEN


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_word_is_lost(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = by_sentences(text)
    assert [word for word in written.split() if word != ">"] == [word for word in text.split() if word != ">"]
    assert by_sentences(written) == written


def test_there_are_pages() -> None:
    assert ROOT / "README.md" in PAGES
    assert len(PAGES) > 40
