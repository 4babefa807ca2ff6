"""What is done with a flow besides reading it: its files, planted results, what Verigram can do at all."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from idv_verigram import idv_plugin
from idv_verigram.testing.emulator import VerigramEmulator
from idv_verigram.testing.harness import AIGERIM, order, walk

from idv_core import Decision, Flow, Gateway
from idv_core.config import Account
from idv_core.errors import FlowNotFound, InvalidOrder, UnexpectedResponse, UnsupportedOperation
from idv_core.model import Media, MediaKind
from idv_core.registry import registry_of
from idv_core.testing import FakeClock, Network, make_specimen

SIGNING = {"pipeline": [{"service_name": "verilive"}, {"service_name": "esign", "action": "sign"}]}
SIGNED = Media(id="signed_doc", kind=MediaKind.REPORT)
RECORD = Media(id="kisc_pii", kind=MediaKind.OTHER)

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(clock: FakeClock, network: Network, settings: dict[str, object]) -> Connect:
    def connect(test: bool = False, **changes: Any) -> Gateway:
        account = Account("verigram", "verigram", {**settings, **changes}, test=test)
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


@pytest.fixture
def ended(clock: FakeClock, network: Network) -> Callable[[Gateway], Flow]:
    def end(idv: Gateway) -> Flow:
        flow = idv.open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        clock.advance(10)
        return flow

    return end


class TestFiles:
    def test_a_signed_document_comes_whole_to_a_path_and_to_a_file(
        self, connect: Connect, ended: Callable[[Gateway], Flow], emulator: VerigramEmulator, tmp_path: Path
    ) -> None:
        idv = connect(template=SIGNING)
        flow = ended(idv)
        kept = emulator.flows[flow.id].signed or b""
        assert idv.media(flow) == (SIGNED,)
        there = idv.download(flow.ref, SIGNED, tmp_path / "signed.p7s")
        assert (tmp_path / "signed.p7s").read_bytes() == kept
        assert (there.sha256, there.size) == (hashlib.sha256(kept).hexdigest(), len(kept))
        assert there.content_type == "application/octet-stream"
        opened = io.BytesIO()
        assert idv.download(flow, SIGNED, opened).sha256 == there.sha256
        assert opened.getvalue() == kept

    def test_there_are_none_while_a_flow_is_open_and_none_of_steps_that_it_has_not(
        self, connect: Connect, ended: Callable[[Gateway], Flow]
    ) -> None:
        idv = connect(template=SIGNING)
        assert idv.media(idv.open(order())) == ()
        other = connect()
        assert other.media(ended(other)) == ()

    def test_the_registers_record_is_a_file_for_accounts_that_read_it(
        self, connect: Connect, ended: Callable[[Gateway], Flow], tmp_path: Path
    ) -> None:
        idv = connect(read_register=True)
        flow = ended(idv)
        assert idv.media(flow) == (RECORD,)
        idv.download(flow, RECORD, tmp_path / "record")
        assert json.loads((tmp_path / "record").read_bytes())["person"]["iin"]

    def test_nobody_else_gets_anything_of_the_register(
        self, connect: Connect, ended: Callable[[Gateway], Flow], emulator: VerigramEmulator
    ) -> None:
        idv = connect()
        flow = ended(idv)
        for label in ("kisc_pii", "kisc_face_image"):
            with pytest.raises(InvalidOrder, match="read_register = true"):
                idv.download(flow, Media(id=label, kind="other"), io.BytesIO())
        assert not [call for call in emulator.calls if "/resources/file" in call]

    @pytest.mark.parametrize("status", [404, 200])
    def test_a_file_that_is_not_there_is_no_file(
        self,
        connect: Connect,
        ended: Callable[[Gateway], Flow],
        emulator: VerigramEmulator,
        tmp_path: Path,
        status: Any,
    ) -> None:
        emulator.variants.missing_file = status
        idv = connect()
        flow = ended(idv)
        with pytest.raises(FlowNotFound if status == 404 else UnexpectedResponse, match="of this name for this flow"):
            idv.download(flow, SIGNED, tmp_path / "signed.p7s")
        assert not list(tmp_path.iterdir())

    def test_ids_of_others_are_told_from_ours(self, connect: Connect) -> None:
        idv = connect()
        with pytest.raises(InvalidOrder, match="none of Verigram's"):
            idv.download("verigram/a b", SIGNED, io.BytesIO())
        with pytest.raises(FlowNotFound):
            idv.media("verigram/nobody")
        with pytest.raises(FlowNotFound, match="Verigram has no file"):
            idv.download("verigram/nobody", SIGNED, io.BytesIO())


class TestPlantedResults:
    @pytest.mark.parametrize(
        ("outcome", "decision"), [("kisc_match", Decision.APPROVED), ("kisc_mismatch", Decision.DECLINED)]
    )
    def test_what_the_register_is_to_say_counts_when_the_applicant_is_through(
        self, connect: Connect, network: Network, outcome: str, decision: Decision
    ) -> None:
        idv = connect(test=True)
        flow = idv.open(order())
        first = idv.simulate(flow, outcome)
        assert (first.ref, first.status) == (flow.ref, flow.status)
        assert idv.simulate(first, outcome) == first
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        result = idv.wait(flow)
        compared = next(check for check in result.checks if check.name == "selfie_to_record")
        assert compared.score is not None
        assert (compared.score.value > 0.9) is (outcome == "kisc_match")
        assert result.decision is decision

    def test_the_last_planting_counts_and_is_this_persons_only(
        self, connect: Connect, network: Network, emulator: VerigramEmulator
    ) -> None:
        idv = connect(test=True)
        flow = idv.open(order())
        idv.simulate(flow, "kisc_mismatch")
        idv.simulate(flow, "kisc_match")
        (planted,) = emulator.planted.values()
        assert planted["result"]["face_match"] is True
        assert list(emulator.planted) == [("production-key-1", "CUST-9283")]

    def test_a_live_account_and_a_word_that_there_is_not_plant_nothing(
        self, connect: Connect, emulator: VerigramEmulator
    ) -> None:
        idv = connect()
        with pytest.raises(UnsupportedOperation, match="test = true"):
            idv.simulate(idv.open(order()), "kisc_match")
        idv = connect(test=True)
        with pytest.raises(InvalidOrder, match="kisc_match, kisc_mismatch"):
            idv.simulate(idv.open(order()), "approved")
        assert emulator.planted == {}

    def test_a_reference_does_not_name_the_person(self, connect: Connect) -> None:
        idv = connect(test=True)
        with pytest.raises(InvalidOrder, match="the Flow that open returned"):
            idv.simulate(idv.open(order()).ref, "kisc_match")


class TestCoverage:
    def test_it_names_the_checks_and_no_document_or_country_that_no_page_tells(self, connect: Connect) -> None:
        coverage = connect().coverage()
        assert coverage.document_types is None
        assert coverage.countries is None
        assert {"liveness", "document", "data_source.government_register", "face_match.selfie_to_record"} <= (
            coverage.checks or set()
        )
        assert "other" not in (coverage.checks or set())

    def test_what_verigram_has_no_call_for_says_what_remains(self, connect: Connect) -> None:
        idv = connect()
        flow = idv.open(order())
        for operation in (idv.cancel, idv.erase):
            with pytest.raises(UnsupportedOperation):
                operation(flow)
        with pytest.raises(UnsupportedOperation, match="another flow"):
            idv.retry(flow, order())
