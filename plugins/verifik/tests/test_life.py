"""What is done with a registration besides reading it: pictures, the report, deletion; and what the project can do."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verifik import SmartEnroll, Verifik, VerifikSettings, idv_plugin
from idv_verifik.testing.emulator import VerifikEmulator
from idv_verifik.testing.harness import ANA, HOST, order
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from idv_core import Document, Flow, Gateway, Secret
from idv_core.config import Account
from idv_core.errors import FlowNotFound, InvalidOrder, PermissionDenied, UnexpectedResponse, UnsupportedOperation
from idv_core.model import DocumentType, ErasureStatus, Media, MediaKind
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network, make_specimen
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_values

FRONT, BACK = make_specimen("cedula", ANA), make_specimen("cedula", ANA, flaw="back")
SELFIE = make_specimen("selfie", ANA)
ADAPTER = Verifik(VerifikSettings(token=Secret("t"), project="p-1"))
FLOW = Flow(id="r-1", status="finished")

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object]) -> Connect:
    def connect(**changes: object) -> Gateway:
        account = Account("vf", "verifik", {**settings, **changes})
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


@pytest.fixture
def idv(connect: Connect) -> Gateway:
    return connect()


@pytest.fixture
def flow(idv: Gateway) -> Flow:
    """A registration with a document of two sides and a selfie."""
    both = Document("card", content=FRONT, back_content=BACK, country="CO")
    return idv.upload(idv.open(order()), [both, Document.selfie(content=SELFIE)])


class TestPictures:
    def test_what_was_handed_in_is_listed_under_our_id(self, idv: Gateway, flow: Flow) -> None:
        assert [(media.id, media.kind, media.document) for media in idv.media(flow)] == [
            ("front", MediaKind.DOCUMENT_FRONT, "card"),
            ("back", MediaKind.DOCUMENT_BACK, "card"),
            ("portrait", MediaKind.PORTRAIT, "card"),
            ("selfie", MediaKind.SELFIE, None),
        ]

    def test_a_reference_knows_the_type_in_place_of_our_id(self, idv: Gateway, flow: Flow) -> None:
        assert {media.document for media in idv.media(flow.ref)} == {"idcard", None}

    @pytest.mark.parametrize(
        ("id", "content"), [("front", FRONT), ("back", BACK), ("portrait", FRONT), ("selfie", SELFIE)]
    )
    def test_each_comes_whole_to_a_path_and_to_a_file(
        self, idv: Gateway, flow: Flow, tmp_path: Path, id: str, content: bytes
    ) -> None:
        media = next(one for one in idv.media(flow) if one.id == id)
        there = idv.download(flow.ref, media, tmp_path / "picture")
        assert (tmp_path / "picture").read_bytes() == content
        assert (there.sha256, there.size) == (hashlib.sha256(content).hexdigest(), len(content))
        opened = io.BytesIO()
        assert idv.download(flow, media, opened).sha256 == there.sha256
        assert opened.getvalue() == content

    def test_the_address_is_asked_for_anew_each_time(self, idv: Gateway, flow: Flow, emulator: VerifikEmulator) -> None:
        front = idv.media(flow)[0]
        emulator.kept.pictures.clear()
        document = emulator.documents[emulator.registrations[flow.id]["documentValidation"]]
        document["url"] = emulator.kept.keep_picture(FRONT, f"https://{HOST}")
        assert idv.download(flow, front, io.BytesIO()).size == len(FRONT)

    def test_the_report_is_there_when_it_is_settled(self, idv: Gateway, flow: Flow, tmp_path: Path) -> None:
        assert MediaKind.REPORT not in {media.kind for media in idv.media(flow)}
        (report,) = [media for media in idv.media(idv.submit(flow)) if media.kind is MediaKind.REPORT]
        there = idv.download(flow, report, tmp_path / "report.pdf")
        assert there.content_type == "application/pdf"
        assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")

    def test_json_in_place_of_the_report_is_no_report(
        self, idv: Gateway, flow: Flow, emulator: VerifikEmulator, tmp_path: Path
    ) -> None:
        emulator.variants.report_answer = "json"
        with pytest.raises(UnexpectedResponse, match="in place of the report"):
            idv.download(flow, Media(id="report", kind="report"), tmp_path / "report.pdf")
        assert not list(tmp_path.iterdir())

    def test_an_address_elsewhere_is_not_followed_unless_the_account_says_so(
        self, connect: Connect, idv: Gateway, flow: Flow, emulator: VerifikEmulator, network: Network
    ) -> None:
        document = emulator.documents[emulator.registrations[flow.id]["documentValidation"]]
        document["url"] = "https://pictures.elsewhere.example/a.png?signature=5ecre7"
        front = idv.media(flow)[0]
        with pytest.raises(UnexpectedResponse, match=r"pictures\.elsewhere\.example") as caught:
            idv.download(flow, front, io.BytesIO())
        assert "5ecre7" not in f"{caught.value!r}{front!r}"
        assert ADAPTER.allowed_hosts == ("*.verifik.co",)
        other = connect(media_hosts=["pictures.elsewhere.example"])
        pictures = Starlette(routes=[Route("/a.png", lambda _: Response(FRONT, media_type="image/png"))])
        network.add("pictures.elsewhere.example", pictures)
        assert other.download(flow, front, io.BytesIO()).size == len(FRONT)

    def test_an_address_that_has_ended_is_an_error_and_no_picture(
        self, idv: Gateway, flow: Flow, emulator: VerifikEmulator, tmp_path: Path
    ) -> None:
        front = idv.media(flow)[0]
        emulator.kept.pictures.clear()
        with pytest.raises(FlowNotFound, match="leads to nothing"):
            idv.download(flow, front, tmp_path / "picture")
        assert not list(tmp_path.iterdir())

    def test_what_there_is_not_is_said_clearly(self, idv: Gateway, flow: Flow) -> None:
        with pytest.raises(FlowNotFound, match=r"those that media\(flow\) lists"):
            idv.download(flow, Media(id="video", kind="video"), io.BytesIO())
        with pytest.raises(FlowNotFound):
            idv.media("vf/6b20aa00c1d2e3f405162799")
        with pytest.raises(InvalidOrder, match="names no registration"):
            idv.media("vf/a/b")

    @pytest.mark.parametrize("part", [{"deleted": True}, {"appRegistration": "r-2"}])
    def test_a_part_that_is_deleted_or_anothers_gives_no_picture(self, part: dict[str, Any]) -> None:
        document = {"_id": "d-1", "url": "https://cdn.verifik.co/a.png", **part}
        answer = {"data": {"_id": "r-1", "status": "ONGOING", "documentValidation": document}}
        assert run_exchange(ADAPTER.media(FLOW), [reply(answer)]).value == ()

    @pytest.mark.parametrize(
        "biometric",
        [
            {"face": {"base64": base64.b64encode(SELFIE).decode()}},
            {"face": {"base64": f"data:image/png;base64,{base64.b64encode(SELFIE).decode()}"}},
            {"url": f"data:image/png;base64,{base64.b64encode(SELFIE).decode()}"},
        ],
    )
    def test_a_selfie_inside_the_answer_is_taken_from_it(self, biometric: dict[str, Any]) -> None:
        answer = {"data": {"_id": "r-1", "status": "ONGOING", "biometricValidation": {"_id": "b-1", **biometric}}}
        media = Media(id="selfie", kind="selfie")
        assert run_exchange(ADAPTER.download(FLOW, media), [reply(answer)]).value == SELFIE

    def test_what_is_no_picture_is_not_made_one(self) -> None:
        media, answer = Media(id="selfie", kind="selfie"), {"data": {"_id": "r-1", "status": "ONGOING", "face": "i-1"}}
        for image, words in (
            ({"_id": "i-1", "base64": "*"}, "no base64"),
            ({"_id": "i-2", "base64": "aW1n"}, "another picture"),
        ):
            with pytest.raises(UnexpectedResponse, match=words):
                run_exchange(ADAPTER.download(FLOW, media), [reply(answer), reply({"data": image})])
        with pytest.raises(FlowNotFound, match="neither its content nor its address"):
            run_exchange(ADAPTER.download(FLOW, media), [reply(answer), reply({"data": {"_id": "i-1"}})])

    @given(
        st.sampled_from(["documentValidation", "biometricValidation", "face", "documentFace"]),
        json_values,
        st.sampled_from(["url", "backUrl", "face", "documentType", "deleted", "base64"]),
    )
    def test_whatever_stands_there_lists_pictures_or_none(self, name: str, value: object, key: str) -> None:
        for told in (value, {"_id": "x-1", key: value}):
            answer = {"data": {"_id": "r-1", "status": "ONGOING", name: told}}
            listed = run_exchange(ADAPTER.media(FLOW), [reply(answer)]).value
            assert {media.id for media in listed} <= {"front", "back", "portrait", "selfie"}


class TestDeletion:
    def test_everything_that_has_a_call_is_deleted_and_the_rest_is_told(
        self, idv: Gateway, flow: Flow, emulator: VerifikEmulator
    ) -> None:
        erasure = idv.erase(flow)
        assert erasure.status is ErasureStatus.REQUESTED
        assert "ask Verifik in writing" in (erasure.reason or "")
        assert not emulator.registrations | emulator.documents | emulator.biometrics
        assert [call.split("/")[2] for call in emulator.calls if call.startswith("DELETE")] == [
            "document-validations",
            "biometric-validations",
            "app-registrations",
        ]
        with pytest.raises(FlowNotFound):
            idv.result(flow)

    def test_failed_attempts_go_too(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        flow = idv.upload(idv.open(order()), [Document("card", content=SELFIE)])
        assert len(emulator.documents) == 1
        idv.erase(flow)
        assert emulator.documents == {}

    def test_again_is_harmless_and_does_not_say_done(self, idv: Gateway, flow: Flow, emulator: VerifikEmulator) -> None:
        idv.erase(flow)
        before = len(emulator.calls)
        again = idv.erase(flow)
        assert again.status is ErasureStatus.REQUESTED
        assert "it was deleted, or there never was one" in (again.reason or "")
        assert not [call for call in emulator.calls[before:] if call.startswith("DELETE")]

    def test_a_bare_reference_that_verifik_does_not_know_may_be_wrong(self, idv: Gateway) -> None:
        with pytest.raises(FlowNotFound, match="there never was one of this id"):
            idv.erase("vf/6b20aa00c1d2e3f405162799")

    def test_what_broke_off_is_finished_the_next_time(
        self, idv: Gateway, flow: Flow, emulator: VerifikEmulator
    ) -> None:
        refused = EmulatedResponse(403, {"message": "Access forbidden", "code": "Forbidden"})
        emulator.fault("DELETE /v2/biometric-validations", refused)
        with pytest.raises(PermissionDenied):
            idv.erase(flow)
        assert list(emulator.registrations) == [flow.id]
        idv.erase(flow)
        assert not emulator.registrations | emulator.documents | emulator.biometrics

    def test_an_answer_that_nothing_was_deleted_is_an_error(
        self, idv: Gateway, flow: Flow, emulator: VerifikEmulator
    ) -> None:
        emulator.variants.deletes = False
        with pytest.raises(UnexpectedResponse, match="deleted nothing"):
            idv.erase(flow)
        assert list(emulator.registrations) == [flow.id]

    def test_a_404_of_somebody_in_between_proves_nothing(
        self, idv: Gateway, flow: Flow, emulator: VerifikEmulator
    ) -> None:
        emulator.fault("GET /v2/app-registrations/", EmulatedResponse(404, content=b"<html>", type="text/html"))
        with pytest.raises(UnexpectedResponse):
            idv.erase(flow)
        assert list(emulator.registrations) == [flow.id]

    def test_the_same_person_can_register_again(self, idv: Gateway, flow: Flow) -> None:
        idv.erase(flow)
        assert idv.open(order(application_id="APP-8")).id != flow.id


class TestCoverage:
    def test_it_is_what_the_active_project_flows_take(
        self, idv: Gateway, emulator: VerifikEmulator, smart_enroll: SmartEnroll
    ) -> None:
        emulator.project_flows.clear()
        first = idv.provision(smart_enroll.template("wallet CO"))
        coverage = idv.coverage()
        assert coverage.countries == {"CO"}
        assert coverage.document_types == {DocumentType.IDCARD}
        assert coverage.templates == (first.id,)
        assert {"document", "liveness", "face_match.selfie_to_document"} <= (coverage.checks or set())

    def test_a_flow_that_names_no_documents_takes_any(self, idv: Gateway) -> None:
        coverage = idv.coverage()
        assert coverage.countries is None
        assert coverage.document_types is None

    @pytest.mark.parametrize(
        ("documents", "countries", "types"),
        [
            ([], None, None),
            ([{"country": "Colombia", "configurations": []}], {"CO"}, None),
            ([{"country": "Wakanda", "configurations": [{"documentCategory": "passport"}]}], None, {"passport"}),
            ([{"country": "Peru", "configurations": [{"documentCategory": "bank_document"}]}], {"PE"}, None),
            (
                [
                    {
                        "country": "Peru",
                        "configurations": [
                            {"active": True, "documentCategory": "license"},
                            {"active": False, "documentCategory": "passport"},
                        ],
                    }
                ],
                {"PE"},
                {"driving_permit"},
            ),
        ],
    )
    def test_what_is_not_known_limits_nothing(
        self, idv: Gateway, emulator: VerifikEmulator, documents: Any, countries: Any, types: Any
    ) -> None:
        emulator.project_flows.clear()
        id = emulator.add_project_flow(documents={"documentTypes": documents})
        emulator.add_project_flow(status="draft")
        coverage = idv.coverage()
        assert (coverage.countries, coverage.document_types) == (countries, types)
        assert coverage.templates == (id,)

    def test_a_flow_without_documents_adds_none(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        emulator.project_flows.clear()
        emulator.add_project_flow(steps={"document": "skip", "liveness": "mandatory"})
        peru = [{"country": "Peru", "configurations": [{"active": True, "documentCategory": "passport"}]}]
        emulator.add_project_flow(documents={"documentTypes": peru})
        assert idv.coverage().countries == {"PE"}


def test_a_project_flow_is_deleted_once_nobody_uses_it(idv: Gateway, flow: Flow, emulator: VerifikEmulator) -> None:
    (id,) = emulator.project_flows

    def delete() -> None:
        idv.vendor(lambda verifik: verifik.project_flows.delete(id))

    with pytest.raises(InvalidOrder):
        delete()
    idv.submit(flow)
    delete()
    delete()
    assert emulator.project_flows == {}


def test_what_verifik_has_no_call_for_says_what_remains(idv: Gateway, flow: Flow) -> None:
    with pytest.raises(UnsupportedOperation, match="do not hand out the link"):
        idv.cancel(flow)
    with pytest.raises(UnsupportedOperation, match="another flow"):
        idv.retry(flow, order())
