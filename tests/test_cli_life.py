"""`idv cancel`, `erase`, `media`, `coverage`, `retry`, against an invented vendor over a real socket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from acme import PLUGIN, Vendor
from acme_whole import WHOLE, served
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.registry import registry_of

REF = "whole/f-1"
ORDER = ("--product", "wallet", "--application-id", "APP-1", "--reference", "CUST-1", "--name", "Ana Ruiz")
SELFIE = b"\xff\xd8selfie"


@pytest.fixture
def place(tmp_path: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("idv_core.gateway.sync.discover", lambda: registry_of(WHOLE, PLUGIN))
    monkeypatch.setenv("ACME_KEY", "key-of-acme-0001")
    monkeypatch.chdir(tmp_path)
    with served(vendor) as url:
        accounts = [
            f'[accounts.{name}]\nplugin = "{plugin}"\nbase_url = "{url}"\nkey = {{ env = "ACME_KEY" }}\n'
            for name, plugin in (("whole", "whole"), ("plain", "acme"))
        ]
        (tmp_path / "idv.toml").write_text("".join(accounts))
        yield tmp_path


def run(*args: str):
    return CliRunner().invoke(app, list(args))


def told(*args: str) -> dict:
    done = run(*args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_cancel(place: Path, vendor: Vendor) -> None:
    assert told("cancel", REF)["status"] == "cancelled"
    plain = run("cancel", REF)
    assert plain.exit_code == 0
    assert "cancelled" in plain.stdout
    assert vendor.paths().count("/flows/f-1/cancel") == 2


def test_erase(place: Path, vendor: Vendor) -> None:
    answer = {"status": "kept", "until": "2031-01-02T00:00:00+00:00", "reason": "the law asks for it"}
    vendor.answers["POST /flows/f-1/erase"] = lambda call: httpx.Response(200, json=answer)
    assert told("erase", REF) == {
        "ref": REF,
        "status": "kept",
        "kept_until": "2031-01-02T00:00:00+00:00",
        "reason": "the law asks for it",
        "shadow": None,
    }
    plain = run("erase", REF)
    assert plain.exit_code == 0
    assert "kept until 2031-01-02: the law asks for it" in plain.stdout


def test_an_erasure_that_is_refused_is_an_exit_code(place: Path, vendor: Vendor) -> None:
    answer = {"status": "refused", "reason": "open a ticket"}
    vendor.answers["POST /flows/f-1/erase"] = lambda call: httpx.Response(200, json=answer)
    for more in ((), ("--json",)):
        done = run("erase", REF, *more)
        assert done.exit_code == 1
        assert "open a ticket" in done.stdout


class TestMedia:
    @pytest.fixture(autouse=True)
    def _has_pictures(self, vendor: Vendor) -> None:
        there = [["dark-1", "selfie"], ["inside-2", "report"]]
        vendor.answers["GET /flows/f-1/media"] = lambda call: httpx.Response(200, json=there)
        headers = {"content-type": "image/jpeg"}
        vendor.answers["GET /media/dark-1"] = lambda call: httpx.Response(200, content=SELFIE, headers=headers)
        vendor.answers["GET /media/inside-2"] = lambda call: httpx.Response(200, json={"content": "JVBERg=="})

    def test_a_list(self, place: Path) -> None:
        listed = told("media", REF)
        assert [row["kind"] for row in listed["media"]] == ["selfie", "report"]
        plain = run("media", REF)
        assert "selfie" in plain.stdout
        # an id may be an address that opens without a password
        assert "dark" not in plain.stdout + json.dumps(listed)
        assert [file.name for file in place.iterdir()] == ["idv.toml"]

    def test_saved(self, place: Path) -> None:
        saved = told("media", REF, "--save", "new/pictures")["media"]
        assert [row["file"] for row in saved] == ["new/pictures/01-selfie.jpg", "new/pictures/02-report.bin"]
        assert (saved[0]["size"], saved[0]["sha256"]) == (len(SELFIE), hashlib.sha256(SELFIE).hexdigest())
        folder = place / "new" / "pictures"
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
            "01-selfie.jpg": SELFIE,
            "02-report.bin": b"%PDF",
        }
        assert [path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())] == [0, 0, 0]
        plain = run("media", REF, "--save", "new/pictures")
        assert plain.exit_code == 0
        assert saved[0]["sha256"] in plain.stdout
        assert len(list(folder.iterdir())) == 2

    @pytest.mark.parametrize("folder", ["idv.toml", "idv.toml/below", "/proc/none"])
    def test_a_folder_that_cannot_be_written(self, place: Path, vendor: Vendor, folder: str) -> None:
        done = run("media", REF, "--save", folder)
        assert done.exit_code == 2
        assert done.stderr.startswith(f"idv: {folder}: ")
        assert vendor.requests == []

    def test_what_fails_half_way_leaves_no_half_file(self, place: Path, vendor: Vendor) -> None:
        vendor.answers["GET /media/inside-2"] = lambda call: httpx.Response(403, json={"code": "no_report"})
        done = run("media", REF, "--save", "pictures", "--json")
        assert done.exit_code == 1
        assert json.loads(done.stdout)["error"]["code"] == "no_report"
        assert [file.name for file in (place / "pictures").iterdir()] == ["01-selfie.jpg"]


def test_coverage(place: Path, vendor: Vendor) -> None:
    vendor.answers["GET /coverage"] = lambda call: httpx.Response(200, json={"countries": ["IN", "CO"]})
    assert told("coverage", "whole") == {
        "document_types": None,
        "countries": ["CO", "IN"],
        "checks": ["document.authenticity", "liveness.presentation_attack"],
        "templates": [],
    }
    plain = run("coverage", "whole")
    assert plain.exit_code == 0
    assert "CO, IN" in plain.stdout
    assert "not said" in plain.stdout


def test_retry(place: Path, vendor: Vendor) -> None:
    link = {"id": "f-2", "link": None}
    vendor.answers["POST /flows/f-1/attempts"] = lambda call: httpx.Response(201, json=link)
    again = told("retry", REF, *ORDER)
    assert (again["ref"], again["attempt"], again["previous_id"]) == ("whole/f-2", 2, "f-1")
    assert "whole/f-2" in run("retry", REF, *ORDER).stdout
    vendor.answers["POST /flows/f-1/attempts"] = lambda call: httpx.Response(500)
    lost = run("retry", REF, *ORDER, "--json")
    assert lost.exit_code == 5
    assert json.loads(lost.stdout)["error"]["kind"] == "OutcomeUnknown"
    assert "Ruiz" not in lost.output


EVERY = {
    "cancel": ("cancel", "{}"),
    "erase": ("erase", "{}"),
    "media": ("media", "{}"),
    "save": ("media", "{}", "--save", "pictures"),
    "retry": ("retry", "{}", *ORDER),
}


class TestTriedWrong:
    @pytest.mark.parametrize("command", EVERY)
    @pytest.mark.parametrize(
        ("ref", "code", "said"),
        [
            ("nobody/f-1", 2, "no account 'nobody'"),
            ("nonsense", 2, "account/vendor-id"),
            ("whole/unknown", 1, "does not know this flow"),
            ("plain/f-1", 1, "plugin 'acme' does not offer"),
        ],
    )
    def test_a_reference(self, place: Path, vendor: Vendor, command: str, ref: str, code: int, said: str) -> None:
        for method in ("GET", "POST"):
            vendor.answers[f"{method} /flows/unknown"] = lambda call: httpx.Response(404)
        args = [text.format(ref) for text in EVERY[command]]
        done = run(*args)
        assert done.exit_code == code, done.output
        assert said in done.stderr
        assert "Traceback" not in done.output
        error = json.loads(run(*args, "--json").stdout)["error"]
        assert (error["exit_code"], said in error["message"]) == (code, True)

    def test_coverage(self, place: Path, vendor: Vendor) -> None:
        for args, code, said in (
            (("coverage", "nobody"), 2, "no account 'nobody'"),
            (("coverage",), 2, "name one of them"),
            (("coverage", "plain"), 1, "its pages say what it can do"),
        ):
            done = run(*args, "--json")
            assert done.exit_code == code, done.output
            assert said in json.loads(done.stdout)["error"]["message"]
        assert vendor.requests == []

    @pytest.mark.parametrize("command", [("cancel",), ("media", "--json"), ("retry", REF), ("erase", REF, "--now")])
    def test_usage(self, place: Path, command: tuple[str, ...]) -> None:
        assert run(*command).exit_code == 2

    def test_an_order_that_is_none(self, place: Path, vendor: Vendor) -> None:
        done = run("retry", REF, *ORDER, "--country", "India")
        assert (done.exit_code, "ISO 3166" in done.stderr) == (2, True)
        assert vendor.requests == []
