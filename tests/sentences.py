"""One sentence a line in Markdown, so that a change shows as the sentences that changed.

`python tests/sentences.py` writes the pages anew; `tests/test_sentences.py` says which are not so. Code, tables, headings, HTML
and the lines of mkdocs' extensions stay as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import attrs
from pages import PAGES

# A sentence ends by one of these, perhaps within quotes, brackets, emphasis or a link, before the end of a line, or before a
# blank and what may begin a sentence.
_END = re.compile(r"""[.!?][)"'”’*_]*(?:\]\(\S*?\)[)*_]*)?(?P<gap>\n|[ ]+(?=[*_"“'(\[]*[A-Z0-9`<]))""")
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|vs|cf|etc|approx|No|Mr|Ms|Dr|St)\.|\.\.\.|\b[A-Z]\.)$")
_HIDDEN = re.compile(r"(`+)(?P<code>(?s:.*?))\1|\]\((?P<target>[^)]*)\)|<(?P<address>[^>]+)>")
_ITEM = re.compile(r"(?P<indent> *)(?P<mark>[-*+]|\d+[.)])(?P<gap> +)(?=\S)")
_QUOTE = re.compile(r"(?P<quote>(?: *> ?)+)")
_ALONE = re.compile(r" *(?:$|#|\||:?-{3,}|```|~~~|!!!|\?\?\?|:::|--8<--|<[a-z!/]|\[[^\]]+\]: |\*\[)")


@attrs.define
class Paragraph:
    """Lines that belong together: how the first begins, how the others do, and what they say."""

    first: str
    rest: str
    text: list[str]

    def lines(self) -> Iterator[str]:
        for index, sentence in enumerate(sentences("\n".join(line.strip() for line in self.text))):
            yield (self.rest if index else self.first) + sentence


def sentences(text: str) -> list[str]:
    """The sentences of one paragraph, which may have several lines."""
    plain = _HIDDEN.sub(lambda found: re.sub(r"[^`\[\]()<>]", "x", found[0]), text)
    ends = [end for end in _END.finditer(plain) if not _NO_END.search(plain[: end.start("gap")])]
    cuts = [0, *(end.end("gap") for end in ends), len(text)]
    return [text[start:end].strip().replace("\n", " ") for start, end in pairwise(cuts)]


def by_sentences(page: str) -> str:
    """The page with one sentence a line."""
    made: list[str] = []
    open_paragraph: Paragraph | None = None
    fence: str | None = None

    def end() -> None:
        nonlocal open_paragraph
        if open_paragraph is not None:
            made.extend(open_paragraph.lines())
            open_paragraph = None

    for line in page.splitlines():
        quote = _QUOTE.match(line)
        inner = line[quote.end() :] if quote else line
        mark = re.match(r" *(```|~~~)", inner)
        if fence is not None or mark:
            end()
            made.append(line)
            if mark:
                fence = None if fence == mark[1] else fence or mark[1]
            continue
        item = _ITEM.match(inner)
        begins = quote[0] if quote else ""
        if _ALONE.match(inner):
            end()
            made.append(line)
        elif item:
            end()
            head = begins + item[0]
            open_paragraph = Paragraph(head, begins + " " * len(item[0]), [inner[item.end() :]])
        elif open_paragraph is not None and bool(quote) == open_paragraph.rest.lstrip().startswith(">"):
            open_paragraph.text.append(inner)
        else:
            end()
            indent = " " * (len(inner) - len(inner.lstrip()))
            open_paragraph = Paragraph(begins + indent, begins + indent, [inner])
    end()
    return "\n".join(made) + "\n"


def main(pages: list[Path]) -> int:
    changed = 0
    for page in pages:
        text = page.read_text(encoding="utf-8")
        if (new := by_sentences(text)) != text:
            page.write_text(new, encoding="utf-8")
            changed += 1
            print(page)
    return changed


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or PAGES)
