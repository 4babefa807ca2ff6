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
    page = _page(browser, told, "eva", _LAPTOP, "light")
    _take(page, told, "", folder / "overview.png")
    _take(page, told, "/verifications", folder / "list.png")
    _take(page, told, _of(told, state="decided", decision="declined"), folder / "verification.png")
    _take(page, told, "/performance?by=account&by=country", folder / "performance.png")
    waiting = _of(told, state="decided", decision="review")
    page.goto(told["console"] + waiting)
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("Reason").wait_for()
    _take(page, told, waiting, folder / "review.png")
    dark = _page(browser, told, "ben", _LAPTOP, "dark")
    _take(dark, told, _of(told, state="unknown"), folder / "unknown-dark.png")
    phone = _page(browser, told, "carla", _PHONE, "light")
    _take(phone, told, "", folder / "overview-phone.png")


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


def _take(page: Page, told: dict[str, Any], path: str, file: Path) -> None:
    page.goto(told["console"] + path)
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
