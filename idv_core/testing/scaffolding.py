"""`idv new-plugin`: a whole distribution to begin with. It is the small plugin in `scaffold/`, under another name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_TEMPLATE = Path(__file__).parent / "scaffold"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new_plugin(name: str, into: Path) -> Path:
    """Make the folder `idv-{name}`. Raises ValueError for a name that is none, FileExistsError where something is already."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r}: a plugin's name must have lower-case letters, digits and single hyphens, such as 'my-vendor'"
        )
    place = into / f"idv-{name}"
    if place.exists():
        raise FileExistsError(f"{place} is there already; choose another name or folder")
    words = {"idv_acme": f"idv_{name.replace('-', '_')}", "Acme": name.title().replace("-", ""), "acme": name}
    for source in _files():
        target = place / _renamed(str(source.relative_to(_TEMPLATE)), words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_renamed(source.read_text(encoding="utf-8"), words), encoding="utf-8")
    return place


def _files() -> Iterator[Path]:
    return (file for file in sorted(_TEMPLATE.rglob("*")) if file.is_file() and file.suffix != ".pyc")


def _renamed(text: str, words: dict[str, str]) -> str:
    for word, other in words.items():
        text = text.replace(word, other)
    return text
