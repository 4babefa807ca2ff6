"""The pages that people read, in pieces: code blocks and prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent
_PLACES = ("*.md", "docs/**/*.md", ".github/*.md", "plugins/*/README.md")
PAGES = sorted(page for place in _PLACES for page in ROOT.glob(place))
_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SNIPPET = re.compile(r'--8<-- "([^"]+)"\n')


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@attrs.frozen
class Block:
    """A block of code. `snippet` is the file that it shows, if it shows one."""

    page: str
    language: str
    text: str
    line: int

    @property
    def snippet(self) -> Path | None:
        shown = _SNIPPET.fullmatch(self.text)
        return ROOT / shown[1] if shown else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if not languages or found[2] in languages:
            indent = len(found[1])
            code = "".join(line[indent:] for line in found[3].splitlines(keepends=True))
            yield Block(name_of(page), found[2], code, text.count("\n", 0, found.start()) + 1)


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, *languages)]


def without_code(text: str) -> str:
    """The page with its blocks of code emptied; lines stay where they are."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)


def prose(text: str) -> str:
    """What is to be read as sentences: no code, addresses, HTML, nor names in backticks."""
    for noise in (r"<!--.*?-->", r"`+[^`]*?`+", r"\]\([^)]*\)", r"<[^>\n]+>", r"https?://\S+", r"\{[^}\n]*\}"):
        text = re.sub(noise, lambda found: "\n" * found[0].count("\n") or " ", text, flags=re.DOTALL)
    return text
