"""Where requests go and what is sent: servers, fetched addresses, raw bodies, signatures over the body, large files."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from acme import Vendor
from acme_whole import ACCOUNT, WHOLE, Idv, served

from idv_core import Flow, FlowStatus, Secret
from idv_core.errors import InvalidOrder, OutcomeUnknown, PluginError, UnexpectedResponse, VendorUnavailable
from idv_core.model import Document
from idv_core.plugin import FilePart, FileSource, Request
from idv_core.transports.fast import FastTransport

FLOW = Flow(id="f-1", account="whole-1", status=FlowStatus.OPEN)


@pytest.fixture(params=["sync", "async"])
def idv(request: pytest.FixtureRequest, vendor: Vendor) -> Iterator[Idv]:
    made = Idv(request.param, [ACCOUNT], vendor)
    yield made
    made.shut()


class TestServers:
    def test_a_call_goes_to_the_server_that_it_names(self, idv: Idv, vendor: Vendor) -> None:
        idv.ask(Request.post("/session/{}", "a/b", server="login", query={"q": "x y"}, json={"a": 1}))
        token, call = vendor.requests
        assert str(token.url) == "https://acme.example/token"
        assert str(call.url) == "https://login.acme.example/session/a%2Fb?q=x%20y"
        assert call.headers["host"] == "login.acme.example"
        assert call.headers["authorization"] == "token-1"

    def test_it_is_a_setting(self, vendor: Vendor) -> None:
        settings = {**ACCOUNT.settings, "login_url": "https://login.eu.acme.example/v2/"}
        idv = Idv("sync", [attrs.evolve(ACCOUNT, settings=settings)], vendor)
        idv.ask(Request.get("/session", server="login"))
        assert str(vendor.requests[-1].url) == "https://login.eu.acme.example/v2/session"

    def test_one_that_is_not_declared_is_a_bug_of_the_plugin(self, idv: Idv, vendor: Vendor) -> None:
        with pytest.raises(PluginError, match="names the server 'upload', and `servers` has: login"):
            idv.ask(Request.post("/files", server="upload", signed=False))
        assert vendor.requests == []


GOOD = [
    ("https://files.acme.example/a?signature=s%2F1", "/a?signature=s%2F1"),
    ("https://FILES.acme.example:443/a", "/a"),
    ("https://eu.cdn.acme.example/a", "/a"),
    ("https://acme.example/a", "/a"),
    ("https://login.acme.example", "/"),
]
ELSEWHERE = [
    "https://evil.example/a",
    "https://files.acme.example.evil.example/a",
    "https://evilfiles.acme.example/a",
    "https://cdn.acme.example/a",
    "https://evil.example/files.acme.example",
    "https://evil.example?@files.acme.example/",
    "https://evil.example#.cdn.acme.example/",
    "http://files.acme.example/a",
    "https://files.acme.example:8443/a",
    "https://127.0.0.1/a",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/a",
]
NO_ADDRESSES = [
    "https://files.acme.example@evil.example/a",
    "https://evil.example@files.acme.example/a",
    "https://user:password@files.acme.example/a",
    "https://evil.example\\.cdn.acme.example/a",
    "https://files.acme.example:https/a",
    "https://0x7f.1/a",
    "https://files.acme.example /a",
    "https://files.acme.example/a\r\nHost: evil.example",
    "https://fıles.acme.example/a",
    "//files.acme.example/a",
    "/a",
    "file:///etc/passwd",
    "ftp://files.acme.example/a",
    "",
]


class TestFetchedAddresses:
    @pytest.mark.parametrize(("address", "target"), GOOD)
    def test_those_of_the_declared_hosts_are_called(self, idv: Idv, vendor: Vendor, address: str, target: str) -> None:
        idv.ask(Request.fetch(address))
        (call,) = vendor.requests
        assert call.url.raw_path.decode() == target
        assert call.url.scheme == "https"
        assert call.headers["host"] == call.url.host

    @pytest.mark.parametrize("address", ELSEWHERE)
    def test_those_of_other_hosts_are_not(self, idv: Idv, vendor: Vendor, address: str) -> None:
        with pytest.raises(UnexpectedResponse, match="not in the allowed_hosts"):
            idv.ask(Request.fetch(address))
        assert vendor.requests == []

    @pytest.mark.parametrize("address", NO_ADDRESSES)
    def test_what_is_no_plain_address_is_refused(self, address: str) -> None:
        with pytest.raises(UnexpectedResponse, match="not a valid web address"):
            Request.fetch(address)

    def test_the_credentials_stay_with_the_vendor(self, idv: Idv, vendor: Vendor) -> None:
        idv.ask(Request.fetch(Secret("https://files.acme.example/a")))
        (call,) = vendor.requests
        assert {"authorization", "nonce", "digest"}.isdisjoint(call.headers)
        idv.ask(Request.fetch("https://files.acme.example/a", signed=True))
        assert vendor.requests[-1].headers["authorization"] == "token-1"

    def test_a_redirect_is_not_followed(self, idv: Idv, vendor: Vendor) -> None:
        moved = httpx.Response(302, headers={"location": "https://evil.example/a"})
        vendor.answers["PUT /a"] = lambda call: moved
        with pytest.raises(UnexpectedResponse):
            idv.ask(
                Request.fetch("https://files.acme.example/a", method="PUT", content=b"x", content_type="image/jpeg")
            )
        assert {call.url.host for call in vendor.requests} == {"files.acme.example"}

    def test_the_address_is_kept_secret(self, idv: Idv, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        vendor.answers["GET /dark"] = lambda call: httpx.Response(403)
        request = Request.fetch("https://files.acme.example/dark?signature=dark")
        with pytest.raises(Exception, match="GET \\(an address from an answer\\)") as caught:
            idv.ask(request)
        assert vendor.paths() == ["/dark"]
        assert "dark" not in f"{request!r}{caught.value}{caught.value!r}{caplog.text}"

    def test_the_bytes_go_up_as_they_are(self, idv: Idv, vendor: Vendor) -> None:
        picture = bytes(range(256))
        request = Request.fetch(
            "https://files.acme.example/up?s=1", method="PUT", content=picture, content_type="image/jpeg"
        )
        assert request.idempotent
        idv.ask(request)
        (call,) = vendor.requests
        assert (call.method, call.content) == ("PUT", picture)
        assert (call.headers["content-type"], call.headers["content-length"]) == ("image/jpeg", "256")


@pytest.mark.parametrize("path", ["/a/../b", "/a/..", "/./a", "/a/.", "/.."])
def test_a_path_with_segments_that_would_be_dropped_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="must have no segment"):
        Request.get(path)
    assert Request.get("/.well-known/a..b/...").path == "/.well-known/a..b/..."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"json": {"a": 1}, "form": {"a": "1"}}, "one of them"),
        ({"json": {"a": 1}, "content": b"x", "content_type": "text/plain"}, "one of them"),
        ({"content": b"x"}, "together with its content_type"),
        ({"content_type": "text/plain"}, "together with its content_type"),
    ],
)
def test_a_request_has_one_body_with_its_type(body: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Request.post("/a", **body)


def bodies(place: Path) -> dict[str, dict[str, Any]]:
    file = place / "file"
    file.write_bytes(b"0123456789" * 20_000)
    source = FileSource(file, 200_000)
    return {
        "nothing": {},
        "json": {"json": {"name": "Ana Ruíz", "list": [1, 2.5, None]}},
        "form": {"form": {"name": "Ana Ruíz & co", "empty": ""}},
        "multipart": {"form": {"file": FilePart('a"b.png', b"\x89PNG\r\n--", "image/png"), "name": "Ana Ruíz"}},
        "multipart with a large file": {"form": {"file": FilePart("a.bin", source)}},
        "raw": {"content": b"\x00\xff", "content_type": "application/zip"},
        "raw large file": {"content": source, "content_type": "video/mp4"},
    }


class TestWhatIsSignedIsWhatIsSent:
    """Acme signs the SHA-256 of the body; over real sockets, blocking and async, and with the extra `fast`."""

    @pytest.mark.parametrize("kind", ["sync", "async", "fast", "fast sync"])
    @pytest.mark.parametrize("name", bodies(Path("/tmp")))
    def test_byte_for_byte(self, vendor: Vendor, tmp_path: Path, kind: str, name: str) -> None:
        request = Request.put("/things", **bodies(tmp_path)[name])
        with served(vendor) as url:
            account = attrs.evolve(ACCOUNT, settings={**ACCOUNT.settings, "base_url": url})
            transport = FastTransport() if "fast" in kind else None
            idv = Idv("sync" if "sync" in kind.split() else "async", [account], None, transport=transport)
            idv.ask(request)
            idv.shut()
        call = vendor.requests[-1]
        assert call.headers["digest"] == hashlib.sha256(call.content).hexdigest()
        assert call.headers["content-length"] == str(len(call.content))
        assert (call.content == b"") == (name == "nothing")
        if "multipart" not in name:
            # in a form with files the boundary is another one at each attempt
            assert call.content == request.body_bytes()
        if "large" in name:
            assert b"0123456789" * 20_000 in call.content
        if name == "multipart":
            assert b"\x89PNG\r\n--" in call.content
            assert "Ana Ruíz".encode() in call.content

    def test_a_copy_is_the_same_request(self) -> None:
        """A plugin may put headers on before it looks at the body."""
        request = Request.post("/a", form={"file": FilePart("a", b"x")})
        copy = request.with_headers({"A": "b"}).with_query({"c": "d"})
        assert copy.body_bytes() == request.body_bytes() == b"".join(copy.body_chunks())
        assert copy.nonce == request.nonce

    def test_what_cannot_be_sent_is_said_before_anything_is(self, idv: Idv, vendor: Vendor) -> None:
        with pytest.raises((InvalidOrder, PluginError)):
            idv.ask(Request.post("/a", json={"a": float("nan")}))
        assert "/a" not in vendor.paths()


class TestNonces:
    def of(self, vendor: Vendor, path: str = "/a") -> list[str]:
        return [call.headers["nonce"] for call in vendor.requests if call.url.path == path]

    def test_another_one_for_each_attempt(self, idv: Idv, vendor: Vendor) -> None:
        answers = iter([503, 503, 200])
        vendor.answers["GET /a"] = lambda call: httpx.Response(next(answers), json={})
        idv.ask(Request.get("/a"))
        seen = self.of(vendor)
        assert len(seen) == len(set(seen)) == 3
        assert all(len(nonce) == 32 and set(nonce) <= set("0123456789abcdef") for nonce in seen)

    def test_another_one_with_a_new_token(self, idv: Idv, vendor: Vendor) -> None:
        """A vendor that keeps nonces would take the same one for a replay."""
        vendor.refused_tokens = {"token-1"}
        idv.ask(Request.get("/a"))
        seen = self.of(vendor)
        assert (vendor.tokens, len(seen), len(set(seen))) == (2, 2, 2)

    def test_another_one_when_a_plugin_asks_again(self, idv: Idv, vendor: Vendor) -> None:
        request = Request.post("/a", form={"file": FilePart("a", b"x")})
        idv.ask(request)
        idv.ask(request)
        seen = self.of(vendor)
        assert len(set(seen)) == 2
        # the boundary goes with it, and what was signed is still what was sent
        calls = [call for call in vendor.requests if call.url.path == "/a"]
        assert [call.headers["digest"] for call in calls] == [hashlib.sha256(c.content).hexdigest() for c in calls]


class TestLargeFiles:
    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        file = tmp_path / "video.bin"
        file.write_bytes(bytes(range(256)) * 1000)
        return file

    def test_a_file_is_read_again_at_a_retry(self, idv: Idv, vendor: Vendor, video: Path) -> None:
        answers = iter([503, 200])
        vendor.answers["PUT /flows/f-1/files"] = lambda call: httpx.Response(next(answers), json={})
        idv.upload(FLOW, [Document("video", path=video)])
        calls = [call for call in vendor.requests if call.method == "PUT"]
        assert len(calls) == 2
        for call in calls:
            assert video.read_bytes() in call.content
            assert call.headers["content-length"] == str(len(call.content))
            assert "transfer-encoding" not in call.headers

    @pytest.mark.parametrize("now", [b"short", bytes(300_000), None])
    def test_a_file_that_changes_meanwhile_is_not_sent_whole(
        self, idv: Idv, vendor: Vendor, video: Path, now: bytes | None
    ) -> None:
        source = FileSource(video, video.stat().st_size)
        if now is None:
            video.unlink()
        else:
            video.write_bytes(now)
        for method, error in (("PUT", VendorUnavailable), ("POST", OutcomeUnknown)):
            request = Request.fetch(
                "https://files.acme.example/up", method=method, content=source, content_type="video/mp4"
            )
            with pytest.raises(error) as caught:
                idv.ask(request)
            assert str(video) not in str(caught.value)
        assert vendor.requests == []

    def test_over_a_socket_the_vendor_never_has_the_whole_of_it(self, vendor: Vendor, video: Path) -> None:
        with served(vendor) as url:
            account = attrs.evolve(ACCOUNT, settings={**ACCOUNT.settings, "base_url": url})
            idv = Idv("sync", [account], None, plugins=(WHOLE,))
            request = Request.put("/up", content=FileSource(video, 255_999), content_type="video/mp4", signed=False)
            with pytest.raises(VendorUnavailable):
                idv.ask(request)
            idv.shut()
        assert vendor.requests == []

    def test_a_file_that_is_gone_is_said(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        with pytest.raises(InvalidOrder, match=r"cannot be read|not found"):
            idv.upload(FLOW, [Document("video", path=tmp_path / "none")])
        assert vendor.requests == []
