"""What the command prints fits a terminal of 80 columns: where a table would cut words, there are lines instead."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from idv_core.cli.output import console, table

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def printed(made: object, width: int = 80) -> str:
    screen = io.StringIO()
    Console(file=screen, width=width, no_color=True, highlight=False, markup=False, emoji=False, soft_wrap=True).print(
        made
    )
    return screen.getvalue()


def test_a_table_that_fits_is_a_table() -> None:
    made = table("name", "roles")
    made.add_row("ana", "reader, reviewer")
    assert "| ana  | reader, reviewer |" in printed(made)


def test_where_words_would_be_cut_each_row_is_lines() -> None:
    made = table("number", "kind", "document", "file", "SHA-256", title="Media")
    made.add_row("1", "picture", "passport-of-the-applicant", "media/01-picture.jpeg", DIGEST)
    made.add_row("2", "report", "", "media/02-report.pdf", DIGEST)
    assert printed(made).splitlines() == [
        "Media",
        "",
        "number    1",
        "kind      picture",
        "document  passport-of-the-applicant",
        "file      media/01-picture.jpeg",
        f"SHA-256   {DIGEST}",
        "",
        "number    2",
        "kind      report",
        "document",
        "file      media/02-report.pdf",
        f"SHA-256   {DIGEST}",
    ]


def test_a_value_that_is_longer_than_the_screen_stays_in_one_piece() -> None:
    link = "https://vendor.example/go?token=" + "x" * 100
    made = table("flow", "stripe/vs_1")
    made.add_row("status", "awaiting_applicant")
    made.add_row("link", link)
    assert printed(made).splitlines() == ["", "flow    stripe/vs_1", "status  awaiting_applicant", f"link    {link}"]


def test_sentences_go_on_below_themselves() -> None:
    made = table("vendor", "why", "ref")
    made.add_row("acme", "the vendor's verdict is good\nand all of the checks that it made passed", "r" * 60)
    assert printed(made, 40).splitlines()[1:] == [
        "vendor  acme",
        "why     the vendor's verdict is good",
        "        and all of the checks that it",
        "        made passed",
        f"ref     {'r' * 60}",
    ]


@pytest.mark.parametrize("text", ["routes[wallet].to", "a :id: b", "[/closing]"])
def test_brackets_and_colons_are_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = table("what", "where")
    made.add_row("problem", text)
    console().print(made)
    assert text in capsys.readouterr().out


def test_a_table_without_rows_says_none() -> None:
    assert printed(table("number", "kind", "bytes")) == "none\n"
