"""Plain HTML pages for emulators that have a hosted page: readable, keyboard-friendly, fit for a narrow screen."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_STYLE = """
:root { color-scheme: light dark; --accent: #1a56c4; }
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 32rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
.step { color: GrayText; font-size: .9rem; margin: 0; }
.banner { background: #b3261e; color: #fff; text-align: center; padding: .4rem 1rem; font-size: .85rem; }
label { display: block; font-weight: 600; margin: 1rem 0 .3rem; }
label.choice { font-weight: 400; display: flex; gap: .6rem; align-items: start; }
label.choice input { margin-top: .3rem; width: 1.2rem; height: 1.2rem; flex: none; }
input[type=text], input[type=email], input[type=tel], input[type=file] {
  width: 100%; padding: .7rem; font: inherit; border: 1px solid GrayText; border-radius: .4rem; }
button { margin-top: 1.5rem; width: 100%; min-height: 3rem; font: inherit; font-weight: 600; border: 0;
  border-radius: .4rem; background: var(--accent); color: #fff; cursor: pointer; }
button:focus-visible, input:focus-visible { outline: 3px solid #f2a900; outline-offset: 2px; }
.error { border-left: 4px solid #b3261e; padding: .5rem .8rem; margin: 1rem 0; }
"""


def page(vendor: str, title: str, body: str, *, step: str = "", error: str = "") -> str:
    """A whole page. `body` is HTML; the other arguments are text."""
    told = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>"
        f'<div class="banner">Emulator of {escape(vendor)}: nothing here is real</div>'
        f'<main><p class="step">{escape(step)}</p><h1>{escape(title)}</h1>{told}{body}</main></body></html>'
    )


def form(fields: Iterable[str], button: str) -> str:
    """A form that posts to the same address, files included."""
    inner = "".join(fields)
    return f'<form method="post" enctype="multipart/form-data">{inner}<button type="submit">{escape(button)}</button></form>'


def text_field(name: str, label: str, *, kind: str = "text", value: str = "", required: bool = True) -> str:
    needed = " required" if required else ""
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input type="{kind}" id="{name}" name="{name}" value="{escape(value)}"{needed}>'
    )


def file_field(name: str, label: str) -> str:
    return f'<label for="{name}">{escape(label)}</label><input type="file" id="{name}" name="{name}" accept="image/*" required>'


def consent_field(name: str, label: str) -> str:
    return f'<label class="choice"><input type="checkbox" name="{name}" value="yes" required>{escape(label)}</label>'


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
