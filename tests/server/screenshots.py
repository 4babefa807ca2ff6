"""The pictures of the docs: `idv demo --serve`, seen in Chromium. `nox -s pictures` writes docs/images."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page
from server.browsing import chromium, log_in
from server.test_demo import ended, started

_LAPTOP, _PHONE = (1280, 860), (390, 844)
_COLOURS = 64


def main(folder: Path) -> None:
    process, told = started()
    try:
        with chromium() as browser:
            _take_all(browser, told, folder)
    finally:
        ended(process)


def _take_all(browser: Browser, told: dict[str, Any], folder: Path) -> None:
    console = told["console"]
    page = _page(browser, told, "eva", _LAPTOP, "light")
    for name, path in (
        ("overview", "?days=7"),
        ("list", "/verifications"),
        ("verification", _of(told, account="verigram", decision="declined")),
        ("performance", "/performance?by=account&by=country"),
    ):
        page.goto(console + path)
        _take(page, folder / f"{name}.png")
    # two people's documents, side by side
    page.goto(console + _of(told, account="atlas", decision="declined"))
    page.get_by_role("button", name="Show personal data").click()
    page.get_by_text("Personal data is shown").wait_for()
    page.get_by_role("heading", name="Claims").evaluate("heading => heading.scrollIntoView()")
    _take(page, folder / "claims.png")
    page.goto(console + _of(told, state="decided", decision="review"))
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("Reason").wait_for()
    _take(page, folder / "review.png")
    dark = _page(browser, told, "dan", _LAPTOP, "dark")
    dark.goto(console + _of(told, state="unknown"))
    _take(dark, folder / "unknown-dark.png")
    phone = _page(browser, told, "carla", _PHONE, "light")
    phone.goto(f"{console}?days=7")
    _take(phone, folder / "overview-phone.png")


def _page(browser: Browser, told: dict[str, Any], user: str, size: tuple[int, int], scheme: Any) -> Page:
    width, height = size
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    log_in(page, told["console"].removesuffix("/console"), user, told["users"][user]["password"])
    return page


def _of(told: dict[str, Any], **query: str) -> str:
    """The page of the newest verification of that kind."""
    headers = {"authorization": f"Bearer {told['key']}"}
    found = httpx.get(f"{told['api']}/verifications", params=query, headers=headers).json()["items"]
    return f"/verifications/{found[0]['id']}"


def _take(page: Page, file: Path) -> None:
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
