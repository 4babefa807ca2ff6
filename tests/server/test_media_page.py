"""Pictures come from the vendor through the console to whoever may see them, and stay nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from acme import AcmeSettings
from books import account
from server.operators import DOUBTING, Doubting, V, log_in
from server.running import Running

from idv_core import Flow
from idv_core.model import Media
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.server.console import pictures

PNG = b"\x89PNG\r\n\x1a\n" + b"an invented picture"
JPEG = b"\xff\xd8\xff\xe0" + b"another"
HTML = b"<html><script>alert(1)</script>"
SECRET = "https://a.example/media/selfie?token=secret-of-a-link"


@attrs.frozen
class Picturing(Doubting):
    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        reply = yield Request.get("/flows/{}/media", flow.id)
        return tuple(Media(**one) for one in reply.json())

    def download(self, flow: Flow, media: Media) -> Exchange[bytes | None]:
        yield Request.fetch(media.id, streamed=True)
        return None


PICTURING = Plugin(name="picturing", summary="invented", settings=AcmeSettings, create=Picturing, adapters=(Picturing,))
FILES: dict[str, tuple[dict[str, Any], bytes, str]] = {
    "/media/selfie": ({"id": SECRET, "kind": "selfie"}, PNG, "text/html"),
    "/media/front": ({"id": "https://a.example/media/front", "kind": "document_front", "document": "passport"}, JPEG, "image/png"),
    "/media/report": ({"id": "https://a.example/media/report", "kind": "report", "content_type": "application/pdf"}, b"%PDF-1.7", "application/pdf"),
    "/media/odd": ({"id": "https://a.example/media/odd", "kind": "other", "size": 9}, HTML, "image/png"),
    "/media/film": ({"id": "https://a.example/media/film", "kind": "video"}, b"\0\0\0\x18ftypmp42", "video/mp4"),
}  # fmt: skip


@pytest.fixture
def registry() -> Any:
    return registry_of(DOUBTING, PICTURING)


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "picturing")]


@pytest.fixture
def files(running: Running, doubtful: str) -> str:
    answers = running.town.shops["a"].answers
    answers["GET /flows/f-1/media"] = lambda _: httpx.Response(200, json=[one for one, _, _ in FILES.values()])
    for path, (_, content, kind) in FILES.items():
        made = httpx.Response(200, content=content, headers={"content-type": kind})
        answers[f"GET {path}"] = lambda _, made=made: made
    return doubtful


def keys(page: str) -> dict[str, str]:
    """The key of each file, by its name on the page."""
    found = re.findall(r'/pictures(?:/|\?show=)([0-9a-f]{24})" aria-label="(?:Show|Save) ([^"]+)"', page)
    return {name: key for key, name in found}


def looks(running: Running, id: str) -> list[tuple[str, Any]]:
    return [(event.actor, event.data["kind"]) for event in running.ledger.events(id) if event.kind == "unmasked"]


class TestPictures:
    def test_they_are_listed_and_each_look_is_an_event(self, running: Running, files: str) -> None:
        client = log_in(running, "ana", "personal")
        assert f"{V}/{files}/pictures" in client.get(f"{V}/{files}").text
        page = client.get(f"{V}/{files}/pictures").text
        assert sorted(keys(page)) == ["document front of passport", "other", "report", "selfie"]
        assert "secret-of-a-link" not in page, "the vendor's id may be an address"
        assert looks(running, files) == [], "a list shows nothing of anybody"
        shown = client.get(f"{V}/{files}/pictures", params={"show": keys(page)["selfie"]}).text
        (source,) = re.findall(r'<img src="([^"]+)" alt="selfie">', shown)
        assert client.get(source).content == PNG
        assert looks(running, files) == [("user:ana", "selfie")]

    def test_their_type_is_what_their_bytes_say_and_nobody_keeps_them(self, running: Running, files: str) -> None:
        client = log_in(running, "ana", "personal")
        found = keys(client.get(f"{V}/{files}/pictures").text)
        selfie, front, report = (
            client.get(f"{V}/{files}/pictures/{found[name]}")
            for name in ("selfie", "document front of passport", "report")
        )
        assert (selfie.headers["content-type"], front.headers["content-type"]) == ("image/png", "image/jpeg")
        assert selfie.headers["content-disposition"] == 'inline; filename="selfie.png"'
        assert report.headers["content-disposition"] == 'attachment; filename="report.pdf"'
        for answer in (selfie, front, report):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        odd = client.get(f"{V}/{files}/pictures/{found['other']}")
        assert (odd.status_code, "no picture" in odd.text, "alert(1)" in odd.text) == (400, True, False)

    def test_nothing_of_them_reaches_the_database(self, running: Running, files: str, tmp_path: Path) -> None:
        client = log_in(running, "ana", "personal")
        key = keys(client.get(f"{V}/{files}/pictures").text)["selfie"]
        assert client.get(f"{V}/{files}/pictures/{key}").content == PNG
        assert not any(b"an invented picture" in file.read_bytes() for file in tmp_path.iterdir())

    def test_they_are_for_the_role_personal_and_for_pages_of_ours(self, running: Running, files: str) -> None:
        ana, ben = log_in(running, "ana", "personal"), log_in(running, "ben", "review", "operate")
        key = keys(ana.get(f"{V}/{files}/pictures").text)["selfie"]
        assert "/pictures" not in ben.get(f"{V}/{files}").text
        assert ben.get(f"{V}/{files}/pictures").status_code == 403
        assert ben.get(f"{V}/{files}/pictures/{key}").status_code == 403
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert ana.get(f"{V}/{files}/pictures/{key}", headers=elsewhere).status_code == 403
        assert looks(running, files) == []

    def test_what_is_too_large_is_refused(self, running: Running, files: str, monkeypatch: pytest.MonkeyPatch) -> None:
        client = log_in(running, "ana", "personal")
        key = keys(client.get(f"{V}/{files}/pictures").text)["selfie"]
        monkeypatch.setattr(pictures, "LARGEST", 10)
        assert client.get(f"{V}/{files}/pictures/{key}").status_code == 413

    def test_what_the_vendor_has_no_more_is_said(self, running: Running, files: str) -> None:
        client = log_in(running, "ana", "personal")
        assert client.get(f"{V}/{files}/pictures/{'0' * 24}").status_code == 404
        running.town.shops["a"].answers["GET /flows/f-1/media"] = lambda _: httpx.Response(403)
        assert client.get(f"{V}/{files}/pictures").status_code == 502
        running.ledger.erase(files, actor="user:ben")
        running.until(files, lambda now: now.erased_at)
        assert "erased" in client.get(f"{V}/{files}/pictures").text


class TestAVendorWithoutPictures:
    @pytest.fixture
    def accounts(self) -> list[Any]:
        return [account("a", "doubting")]

    def test_it_is_said(self, running: Running, doubtful: str) -> None:
        client = log_in(running, "ana", "personal")
        assert "gives out no pictures" in client.get(f"{V}/{doubtful}").text
        refused = client.get(f"{V}/{doubtful}/pictures")
        assert (refused.status_code, "gives out no pictures" in refused.text) == (422, True)
