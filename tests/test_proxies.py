"""One decision about the proxy for all transports, and what happens before the first byte leaves is never 'maybe sent'."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from hypothesis import given
from hypothesis import strategies as st

from idv_core import ConfigError, IdvError, OutcomeUnknown
from idv_core.config import Configuration, Retry
from idv_core.errors import VendorUnavailable
from idv_core.testing import FakeClock
from idv_core.transports import proxies
from idv_core.transports.calls import ssl_context
from idv_core.transports.causes import cause_of
from idv_core.transports.fast import FastTransport
from idv_core.transports.proxies import environment_proxy

KINDS = ["sync", "async", "fast", "fast sync"]
PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class TcpServer:
    """Runs `serve` for each connection in a thread, and counts them."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.serve, self.asked = serve, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.asked += 1
            with connection:
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[socket.socket], None]], TcpServer]]:
    servers: list[TcpServer] = []

    def serve(work: Callable[[socket.socket], None]) -> TcpServer:
        servers.append(TcpServer(work))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


def head_of(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError
        got += more
    return got


def opened(kind: str, url: str, account: Any = None) -> IdvError:
    """The error that an order ends with at this address."""
    account = attrs.evolve(
        account or ACCOUNT, plugin="bare", retry=Retry(attempts=1), settings={**ACCOUNT.settings, "base_url": url}
    )
    if kind in ("sync", "fast sync"):
        transport = FastTransport() if kind == "fast sync" else None
        with gateway(Vendor(), account=account, transport=transport) as idv, pytest.raises(IdvError) as caught:
            idv.open(order())
        if transport:
            transport.close()
        return caught.value

    async def run() -> IdvError:
        transport = FastTransport() if kind == "fast" else None
        async with async_gateway(Vendor(), account=account, transport=transport) as idv:
            with pytest.raises(IdvError) as caught:
                await idv.open(order())
            if transport:
                await transport.aclose()
            return caught.value

    return asyncio.run(run())


class TestDecision:
    @pytest.mark.parametrize(
        ("bypass", "url", "direct"),
        [
            ("vendor.example", "https://api.vendor.example", True),
            (".vendor.example", "https://api.vendor.example", True),
            (".vendor.example", "https://vendor.example", True),
            ("*.vendor.example", "https://api.vendor.example", True),
            ("*.vendor.example", "https://vendor.example", False),
            ("VENDOR.example", "https://api.Vendor.Example.", True),
            ("endor.example", "https://api.vendor.example", False),
            ("api.vendor.example", "https://vendor.example", False),
            ("vendor.example", "https://vendor.example.evil.example", False),
            ("api.vendor.example:443", "https://api.vendor.example", True),
            ("api.vendor.example:8443", "https://api.vendor.example", False),
            ("vendor.example:8443", "https://api.vendor.example:8443", True),
            ("10.0.0.0/8", "https://10.1.2.3", True),
            ("10.0.0.0/8", "https://11.1.2.3", False),
            ("10.1.2.3", "https://10.1.2.3:9", True),
            ("0.1.2.3", "https://10.1.2.3", False),
            ("10.1.2.3:9", "https://10.1.2.3:9", True),
            ("::1", "https://[::1]", True),
            ("[::1]", "https://[::1]:8", True),
            ("[::1]:8", "https://[::1]:9", False),
            ("fd00::/8", "https://[fd12::1]", True),
            ("rubbish/8", "https://api.vendor.example", False),
            ("*", "https://x.example", True),
            (" a.example , ,api.vendor.example ", "https://api.vendor.example", True),
            ("a.example api.vendor.example", "https://api.vendor.example", True),
            ("", "https://api.vendor.example", False),
            (".", "https://api.vendor.example", False),
        ],
    )
    @pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
    def test_no_proxy_is_read_as_others_read_it(
        self, monkeypatch: pytest.MonkeyPatch, name: str, bypass: str, url: str, direct: bool
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", PROXY)
        monkeypatch.setenv(name, bypass)
        assert environment_proxy(url) == (None if direct else PROXY)

    def test_a_scheme_is_added_where_none_stands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
        assert environment_proxy("https://acme.example") == PROXY
        monkeypatch.setenv("HTTPS_PROXY", f" {PROXY}\n")
        assert environment_proxy("https://acme.example") == PROXY
        monkeypatch.setenv("HTTPS_PROXY", "ana:pw@proxy.example:3128")
        assert environment_proxy("https://acme.example") == "http://ana:pw@proxy.example:3128"

    def test_where_the_environment_is_silent_the_system_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(proxies, "getproxies", lambda: {"https": PROXY})
        monkeypatch.setattr(proxies, "proxy_bypass", lambda host: host == "inside.example")
        assert environment_proxy("https://acme.example") == PROXY
        assert environment_proxy("https://inside.example") is None

    @pytest.mark.parametrize(
        ("name", "value", "why"),
        [
            ("HTTPS_PROXY", "ftp://ana:geheim@x:1", "must begin with one of"),
            ("ALL_PROXY", "socks4://ana:geheim@x:1", "must begin with one of"),
            ("all_proxy", "socks5://ana:geheim@x:1", "socksio"),
            ("ALL_PROXY", "socks5h://ana:geheim@x:1", "socksio"),
            ("https_proxy", "http://ana:geheim@x:port", "must be the URL of a proxy"),
            ("https_proxy", "http://", "must be the URL of a proxy"),
            ("https_proxy", "http://geheim x", "must be the URL of a proxy"),
            ("https_proxy", "http://[geheim", "must be the URL of a proxy"),
            ("https_proxy", "http://geheim..example:1", "must be the URL of a proxy"),
            ("https_proxy", f"http://geheim{'x' * 60}.example:1", "must be the URL of a proxy"),
            ("https_proxy", "http://geheim\u2603:1", "must be the URL of a proxy"),
        ],
    )
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_cannot_be_used_is_said_when_the_gateway_is_made(
        self, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, value: str, why: str
    ) -> None:
        monkeypatch.setattr(proxies, "find_spec", lambda _: None)
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=f"{name} .*{why}") as caught:
            made(kind)
        assert "geheim" not in str(caught.value)
        monkeypatch.setenv("NO_PROXY", "*")
        made(kind)

    @pytest.mark.parametrize("kind", KINDS)
    def test_and_when_it_is_reloaded(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """Everything stays as it was."""
        monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.example")
        monkeypatch.setenv("NO_PROXY", "acme.example")
        known = attrs.evolve(ACCOUNT, settings={**ACCOUNT.settings, "base_url": "https://acme.example"})
        new = attrs.evolve(known, name="new", settings={**known.settings, "base_url": "https://other.example"})
        make: Any = gateway if "sync" in kind.split() else async_gateway
        idv = make(Vendor(), account=known, transport=FastTransport() if "fast" in kind else None)
        with pytest.raises(ConfigError, match=r"HTTPS_PROXY .*must begin with one of"):
            idv.reload(Configuration(accounts=[known, new]))
        assert set(idv.health()) == {"acme-1"}

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_scheme_may_stand_in_capitals(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "HTTP://ana:HTTP@proxy.example:3128")
        made(kind)
        assert environment_proxy("https://acme.example") == "http://ana:HTTP@proxy.example:3128"

    @pytest.mark.parametrize("value", ["https://proxy.example:1", "socks5://proxy.example:1"])
    def test_the_quick_transport_refuses_what_it_would_go_around(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setattr(proxies, "find_spec", lambda _: True)
        monkeypatch.setenv("ALL_PROXY", value)
        made("sync")
        for kind in ("fast", "fast sync"):
            with pytest.raises(ConfigError, match="ALL_PROXY names a proxy that FastTransport does not support"):
                made(kind)
        with pytest.raises(ConfigError, match="proxy names a proxy that FastTransport"):
            FastTransport(proxy=value)

    def test_a_brought_transport_has_its_own_ways(self, monkeypatch: pytest.MonkeyPatch, vendor: Vendor) -> None:
        monkeypatch.setenv("ALL_PROXY", "ftp://x")
        gateway(vendor).status("acme-1/f-1")

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_nothing_makes_it_stumble(self, bypass: str, proxy: str) -> None:
        """Whatever stands in the variables: a proxy, none, or ConfigError."""
        given_ = {"https": proxy, "no": bypass}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(proxies, "getproxies", lambda: given_)
            patch.setattr(proxies, "getproxies_environment", lambda: given_)
            with contextlib.suppress(ConfigError):
                proxy = environment_proxy("https://acme.example") or ""
                assert not proxy or "://" in proxy


def made(kind: str) -> Any:
    make: Any = gateway if "sync" in kind.split() else async_gateway
    return make(Vendor(), transport=FastTransport() if "fast" in kind else None)


@pytest.mark.parametrize("kind", KINDS)
class TestProxies:
    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"])
    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_none_goes_around_it(
        self, monkeypatch: pytest.MonkeyPatch, serving: Any, kind: str, name: str, scheme: str
    ) -> None:
        def refuse(connection: socket.socket) -> None:
            assert head_of(connection).startswith(b"CONNECT localhost")
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        proxy, vendor = serving(refuse), serving(lambda _: None)
        monkeypatch.setenv(name, f"{scheme}127.0.0.1:{proxy.port}")
        error = opened(kind, f"https://localhost:{vendor.port}")
        assert (proxy.asked, vendor.asked) == (1, 0)
        assert isinstance(error, VendorUnavailable)
        assert error.nothing_done
        assert "the proxy refused" in str(error)

    def test_its_password_is_sent_in_utf_8_and_shown_nowhere(
        self, monkeypatch: pytest.MonkeyPatch, serving: Any, kind: str
    ) -> None:
        heads: list[bytes] = []

        def ask_again(connection: socket.socket) -> None:
            heads.append(head_of(connection))
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

        proxy = serving(ask_again)
        monkeypatch.setenv("HTTPS_PROXY", f"http://corp%5Cana:p%40ss%3Aw%C3%B6rd@127.0.0.1:{proxy.port}")
        error = opened(kind, "https://vendor.example")
        (line,) = [line for line in heads[0].split(b"\r\n") if line.lower().startswith(b"proxy-authorization")]
        assert base64.b64decode(line.split()[-1]) == "corp\\ana:p@ss:wörd".encode()
        assert isinstance(error, VendorUnavailable)
        assert "p@ss" not in str(error)

    @pytest.mark.parametrize("way", ["hangs up", "resets", "says rubbish", "hangs up after agreeing"])
    def test_what_it_does_before_the_vendor_is_reached_is_never_maybe_sent(
        self, monkeypatch: pytest.MonkeyPatch, serving: Any, kind: str, way: str
    ) -> None:
        def misbehave(connection: socket.socket) -> None:
            head_of(connection)
            match way:
                case "resets":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                case "says rubbish":
                    connection.sendall(b"\0\1\2\3 not HTTP\r\n\r\n")
                case "hangs up after agreeing":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{serving(misbehave).port}")
        error = opened(kind, "https://vendor.example")
        assert isinstance(error, VendorUnavailable), error
        assert error.nothing_done

    def test_a_netrc_file_is_not_read(
        self, monkeypatch: pytest.MonkeyPatch, serving: Any, tmp_path: Path, kind: str
    ) -> None:
        heads: list[bytes] = []

        def answer(connection: socket.socket) -> None:
            heads.append(head_of(connection))
            connection.sendall(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        netrc = tmp_path / "netrc"
        netrc.write_text("default login someone password other-password\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        opened(kind, f"http://localhost:{serving(answer).port}")
        assert heads
        assert not [head for head in heads if b"authorization" in head.lower()]


@pytest.mark.parametrize("kind", KINDS)
class TestCauses:
    def test_a_certificate_that_is_not_trusted_is_said_and_not_tried_again(
        self, serving: Any, self_signed: ssl.SSLContext, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def handshake(connection: socket.socket) -> None:
            self_signed.wrap_socket(connection, server_side=True)

        vendor = serving(handshake)
        error = opened(kind, f"https://localhost:{vendor.port}", attrs.evolve(ACCOUNT, retry=Retry(attempts=3)))
        assert isinstance(error, VendorUnavailable)
        assert "certificate not trusted" in str(error)
        assert not error.safe_to_retry
        assert error.nothing_done
        assert [record.levelname for record in caplog.records if "certificate not trusted" in record.message] == [
            "WARNING"
        ]

    def test_a_closed_port(self, kind: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error = opened(kind, f"http://localhost:{port}")
        assert "connection refused" in str(error)
        assert isinstance(error, VendorUnavailable)
        assert error.safe_to_retry

    def test_a_name_that_nobody_knows(self, kind: str) -> None:
        error = opened(kind, "https://no-such-host.invalid")
        assert "name not resolved" in str(error)
        assert isinstance(error, VendorUnavailable)
        assert error.safe_to_retry

    def test_no_tls_at_the_other_end(self, serving: Any, kind: str) -> None:
        vendor = serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad" + b"\r\n" * 20))
        error = opened(kind, f"https://localhost:{vendor.port}")
        assert "TLS failed" in str(error)
        assert isinstance(error, VendorUnavailable)
        assert error.nothing_done

    def test_hanging_up_after_the_request_is_an_unknown_outcome(self, serving: Any, kind: str) -> None:
        error = opened(kind, f"http://localhost:{serving(head_of).port}")
        assert isinstance(error, OutcomeUnknown), error


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_that_cannot_be_read_are_a_matter_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    ssl_context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone"))
    error = opened(kind, "https://vendor.example")
    assert isinstance(error, ConfigError)
    assert "SSL_CERT_FILE" in str(error)
    ssl_context.cache_clear()


def test_the_account_remembers_the_cause(clock: FakeClock) -> None:
    account = attrs.evolve(
        ACCOUNT, plugin="bare", settings={**ACCOUNT.settings, "base_url": "https://no-such-host.invalid"}
    )
    with gateway(Vendor(), clock, account, transport=None) as idv:
        with pytest.raises(VendorUnavailable):
            idv.status("acme-1/f-1")
        assert idv.health()["acme-1"].last_failure == "ConnectError: name not resolved"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (httpx.ConnectTimeout("x"), "no connection in time"),
        (httpx.PoolTimeout("x"), "no free connection in time"),
        (httpx.ReadTimeout("x"), "no response in time"),
        (httpx.WriteTimeout("x"), "the request could not be sent in time"),
        (httpx.ConnectError("somebody's secret"), "no connection"),
        (httpx.TransportError("x"), "connection failed"),
    ],
    ids=repr,
)
def test_words_for_causes_are_fixed(fault: httpx.TransportError, word: str) -> None:
    assert cause_of(fault) == word


def test_a_circular_chain_of_faults_ends() -> None:
    fault, other = httpx.ConnectError("a"), OSError("b")
    fault.__cause__, other.__cause__ = other, fault
    assert cause_of(fault) == "no connection"
    both = httpx.ConnectError("both")
    both.__cause__ = ExceptionGroup("several", [OSError("x"), ConnectionRefusedError()])
    assert cause_of(both) == "connection refused"
