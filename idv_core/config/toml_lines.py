"""The line of each key in a TOML file. `tomllib` does not report lines, and error messages need them."""

from __future__ import annotations

import re
import tomllib

import attrs

from .places import Path, Place

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|\[\[|\]\]|[\[\]{}=,.\n]"
    r"|[^\s\[\]{}=,.\#\"']+",
    re.DOTALL,
)


def places_of(text: str, file: str) -> dict[Path, Place]:
    """The place of every table, key and array element.

    Args:
        text: TOML that `tomllib` accepts.
        file: The name to show in messages.
    """
    return _Scan(text, file).run()


@attrs.define
class _Scan:
    """Walks over the tokens of TOML 1.0. `tomllib` has validated the text already."""

    text: str
    file: str
    at: int = 0
    tokens: list[tuple[str, int]] = attrs.field(factory=list)
    found: dict[Path, Place] = attrs.field(factory=dict)
    lengths: dict[Path, int] = attrs.field(factory=dict)

    def run(self) -> dict[Path, Place]:
        line = position = 0
        for match in _TOKEN.finditer(self.text):
            line += self.text.count("\n", position, match.start())
            position = match.start()
            if not match[0].startswith("#"):
                self.tokens.append((match[0], line + 1))
        table: Path = ()
        while self.at < len(self.tokens):
            token, line = self.tokens[self.at]
            if token == "\n":  # noqa: S105, not a password
                self.at += 1
            elif token in ("[", "[["):
                self.at += 1
                table = self._header(self._key(), line, token == "[[")  # noqa: S105
            else:
                self._pair(table)
        return self.found

    def _header(self, key: Path, line: int, is_array: bool) -> Path:
        """`[a.b]` or `[[a.b]]`. A part that names an array means its last element."""
        self.at += 1
        table: Path = ()
        for position, part in enumerate(key):
            table = (*table, part)
            last = position == len(key) - 1
            if last and is_array:
                self.lengths[table] = self.lengths.get(table, 0) + 1
                self._note(table, line)
            if table in self.lengths:
                table = (*table, self.lengths[table] - 1)
            self._note(table, line)
        return table

    def _pair(self, table: Path) -> None:
        line = self.tokens[self.at][1]
        for part in self._key():
            table = (*table, part)
            self._note(table, line)
        self.at += 1  # the equals sign
        self._value(table)

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            token = self.tokens[self.at][0]
            if token in ("=", "]", "]]"):
                return tuple(parts)
            if token != ".":  # noqa: S105
                parts.append(_key_text(token))
            self.at += 1

    def _value(self, path: Path) -> None:
        token = self.tokens[self.at][0]
        self.at += 1
        if token in ("[", "[["):
            self._array(path, nested=token == "[[")  # noqa: S105
        elif token == "{":  # noqa: S105
            while self._skip("\n", ",") != "}":
                self._pair(path)
            self.at += 1
        else:
            # a float or a date may be several tokens, because of its dots
            while self.at < len(self.tokens) and self.tokens[self.at][0] not in ("\n", ",", "]", "]]", "}"):
                self.at += 1

    def _array(self, path: Path, nested: bool = False) -> None:
        index = 0
        if nested:
            self._note((*path, 0), self.tokens[self.at - 1][1])
            self._array((*path, 0))
            index = 1
        while True:
            token = self._skip("\n", ",")
            if token == "]":  # noqa: S105
                self.at += 1
                return
            if token == "]]":  # noqa: S105
                # closes this array and the one around it
                self.tokens[self.at] = ("]", self.tokens[self.at][1])
                return
            self._note((*path, index), self.tokens[self.at][1])
            self._value((*path, index))
            index += 1

    def _skip(self, *tokens: str) -> str:
        while self.tokens[self.at][0] in tokens:
            self.at += 1
        return self.tokens[self.at][0]

    def _note(self, path: Path, line: int) -> None:
        self.found.setdefault(path, Place(self.file, line))


def _key_text(token: str) -> str:
    if token[0] not in "\"'":
        return token
    (key,) = tomllib.loads(f"{token} = 0")
    return key
