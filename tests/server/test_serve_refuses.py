"""`idv serve` refuses what is insecure or cannot work: one sentence each, that says how to mend it."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.errors import ConfigError
from idv_core.ledger import LedgerError
from idv_core.ledger.store import connect
from idv_core.server import serving
from idv_core.server.console.web import ConsoleOptions
from idv_core.server.migrating import check_tables, migrate
from idv_core.server.serving import Binding, listen

KEY = "an-invented-key-of-the-ledger-0001"
ACCOUNT = """
[accounts.kz]
plugin = "verigram"
base_url = "https://kz.example"
api_key = { env = "TEST_VERIGRAM_KEY" }
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which the service would start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDV_LEDGER_KEY", KEY)
    monkeypatch.setenv("TEST_VERIGRAM_KEY", "an-invented-key-of-verigram")
    (tmp_path / "idv.toml").write_text(ACCOUNT)
    return tmp_path


def with_ledger(folder: Path, url: str) -> None:
    (folder / "idv.toml").write_text(f'{ACCOUNT}[ledger]\nurl = "{url}"\nkey = {{ env = "IDV_LEDGER_KEY" }}\n')


def refused(*words: str, code: int = 2) -> str:
    """What it says: one line of its own, and no traceback."""
    ended = CliRunner().invoke(app, ["serve", *words])
    assert ended.exit_code == code, ended.output
    (line,) = (line for line in ended.stderr.splitlines() if not line.startswith("idv: no key can use the API yet"))
    assert line.startswith("idv: ")
    return line


class Pair:
    """A certificate and its private key, as files."""

    def __init__(self, folder: Path, name: str, encryption: KeySerializationEncryption | None = None) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idv.example")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(who, who, key.public_key(), 1, now, now + timedelta(days=1))
        self.certificate, self.key = folder / f"{name}-cert.pem", folder / f"{name}-key.pem"
        self.certificate.write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
        self.key.chmod(0o600)

    @property
    def options(self) -> list[str]:
        return ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]


class TestTheConfiguration:
    def test_without_a_file_it_is_the_file_that_is_asked_for(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("IDV_LEDGER_KEY")
        (folder / "idv.toml").unlink()
        assert "there is no idv.toml" in refused()
        made = CliRunner().invoke(app, ["server", "key", "add", "loans", "--scope", "read"])
        assert "there is no idv.toml" in made.stderr

    def test_a_file_that_cannot_be_read_is_told_before_a_key_that_is_missing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("IDV_LEDGER_KEY")
        (folder / "idv.toml").write_text("[accounts\n")
        made = CliRunner().invoke(app, ["server", "key", "add", "loans", "--scope", "read"])
        assert made.exit_code == 2
        assert "idv.toml:1" in made.stderr

    def test_a_secret_of_an_account_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TEST_VERIGRAM_KEY")
        assert "TEST_VERIGRAM_KEY is not set" in CliRunner().invoke(app, ["serve"]).stderr

    def test_an_endpoint_whose_secret_cannot_sign(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_HOOKS", "no base64 at all")
        with_ledger(folder, f"sqlite:///{folder}/idv.db")
        with (folder / "idv.toml").open("a") as file:
            file.write('[ledger.endpoints.loans]\nurl = "https://loans.example"\nsecret = { env = "TEST_HOOKS" }\n')
        assert "endpoint 'loans': its secret must be 24 to 64 random bytes" in refused("--port", "0")


class TestTheCertificate:
    def test_that_is_not_there(self) -> None:
        assert "--tls-cert cert.pem cannot be read" in refused("--tls-cert", "cert.pem", "--tls-key", "key.pem")

    def test_that_is_of_another_key(self, folder: Path) -> None:
        one, other = Pair(folder, "one"), Pair(folder, "other")
        said = refused("--tls-cert", str(one.certificate), "--tls-key", str(other.key))
        assert "is not the private key of the certificate" in said

    def test_that_is_none(self, folder: Path) -> None:
        pair = Pair(folder, "one")
        pair.certificate.write_text("no certificate")
        assert "must be PEM files" in refused(*pair.options)

    def test_whose_key_everybody_can_read(self, folder: Path) -> None:
        pair = Pair(folder, "one")
        pair.key.chmod(0o600 | stat.S_IROTH)
        assert f"chmod o-r {pair.key}" in refused(*pair.options)

    def test_whose_key_has_a_password(self, folder: Path) -> None:
        pair = Pair(folder, "one", BestAvailableEncryption(b"an invented password"))
        assert "openssl pkey -in" in refused(*pair.options)


class TestTheConsole:
    def how_it_is_reached(self, monkeypatch: pytest.MonkeyPatch, *words: str) -> ConsoleOptions:
        served: list[ConsoleOptions] = []

        def run(app: Any, binding: Binding, sockets: list[socket.socket]) -> None:
            served.append(app.state.console.options)
            for one in sockets:
                one.close()

        monkeypatch.setattr(serving, "run", run)
        ended = CliRunner().invoke(app, ["serve", "--port", "0", *words])
        assert ended.exit_code == 0, ended.output
        return served[0]

    def test_tls_of_our_own_is_no_proxy(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = self.how_it_is_reached(monkeypatch, *Pair(folder, "one").options)
        assert (own.is_secure, own.is_behind_proxy) == (True, False)
        proxied = self.how_it_is_reached(monkeypatch, "--behind-proxy")
        assert (proxied.is_secure, proxied.is_behind_proxy) == (True, True)


class TestTheAddress:
    @pytest.fixture
    def taken(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as other:
            yield other.getsockname()[1]

    def test_a_port_that_is_taken(self, taken: int) -> None:
        said = refused("--port", str(taken))
        assert f"port {taken} of 127.0.0.1 is taken" in said
        assert "--port" in said

    @pytest.mark.parametrize("host", ["192.0.2.7", "nowhere.invalid"])
    def test_an_address_that_is_not_of_this_machine(self, host: str) -> None:
        with pytest.raises(ConfigError, match="for all it has"):
            listen(Binding(host=host, is_behind_proxy=True))

    def test_a_name_with_several_addresses_has_the_same_port_on_all(self) -> None:
        sockets = listen(Binding(host="localhost", port=0))
        try:
            assert len({one.getsockname()[1] for one in sockets}) == 1
        finally:
            for one in sockets:
                one.close()


class TestTheDatabase:
    @pytest.mark.parametrize(
        ("url", "sentence"),
        [
            ("sqlite:////nowhere/idv.db", "make its folder"),
            ("sqlite:///file:idv.db?mode=ro&uri=true", "read-only"),
            ("sqlite:///text.db", "not an SQLite database"),
            ("postgresql://idv@127.0.0.1:1/idv", "whether the server runs"),
        ],
    )
    def test_that_is_no_good(self, folder: Path, url: str, sentence: str) -> None:
        engine = connect("sqlite:///idv.db")
        migrate(engine)
        engine.dispose()
        (folder / "text.db").write_text("a text that is long enough to be looked at " * 20)
        with_ledger(folder, url)
        assert sentence in refused(code=1)

    def test_whose_tables_are_missing_or_that_is_read_only(self, folder: Path, postgresql: Callable[[], str]) -> None:
        url = postgresql()
        with_ledger(folder, url)
        assert "idv server migrate" in refused(code=1)
        assert CliRunner().invoke(app, ["server", "migrate"]).exit_code == 0
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as con:
            con.execute(text(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on"))
        engine.dispose()
        assert "read-only" in refused(code=1)

    @pytest.mark.parametrize("table", ["idv_migration", "idv_server_migration"])
    def test_whose_tables_a_newer_release_has_changed(self, folder: Path, table: str) -> None:
        engine = connect(f"sqlite:///{folder}/idv.db")
        migrate(engine)
        with engine.begin() as con:
            con.execute(text(f"UPDATE {table} SET version_num = '9999'"))
        engine.dispose()
        assert "were changed by a newer release: install that one again" in refused(code=1)

    def test_whose_tables_an_older_release_has_made(self, folder: Path) -> None:
        engine = connect(f"sqlite:///{folder}/idv.db")
        migrate(engine)
        check_tables(engine)
        with engine.begin() as con:
            con.execute(text("UPDATE idv_server_migration SET version_num = '0002'"))
        with pytest.raises(LedgerError, match="of an older release: run 'idv server migrate'"):
            check_tables(engine)
        engine.dispose()

    def test_that_is_away_when_its_tables_are_to_be_made(self, folder: Path) -> None:
        with_ledger(folder, "postgresql://idv@127.0.0.1:1/idv")
        ended: Any = CliRunner().invoke(app, ["server", "migrate"])
        assert (ended.exit_code, "whether the server runs" in ended.stderr) == (1, True)


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    (listening,) = listen(Binding(port=0))
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
