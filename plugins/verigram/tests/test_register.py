"""The population register's record: read only where the account says so, and what is not understood is a doubt."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verigram import Verigram, VerigramSettings, idv_plugin
from idv_verigram.register import Register, read_register
from idv_verigram.testing.emulator import Variants, VerigramEmulator
from idv_verigram.testing.harness import AIGERIM, HOST, order, refused, walk

from idv_core import Decision, Flow, Gateway, Result, Secret
from idv_core.config import Account
from idv_core.errors import PermissionDenied
from idv_core.model import Address, DocumentType, FieldName, Place
from idv_core.plugin import NotAccepted
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.registry import registry_of
from idv_core.testing import FakeClock, Network, make_specimen
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_values

TODAY = date(2026, 3, 1)
SETTINGS = VerigramSettings(base_url=f"https://{HOST}", api_key=Secret("k"), read_register=True)
FLOW = Flow(id="f-1", status="awaiting_applicant", details={"person_id": "CUST-1"})
PASS = {"flow_id": "f-1", "flow_status": "pass", "verilive": {"service_status": "pass"}}
KAZAKHSTAN = {"code": "398", "nameRu": "КАЗАХСТАН", "nameKz": "ҚАЗАҚСТАН"}
CARD = {
    "type": {"code": "2", "nameRu": "УДОСТОВЕРЕНИЕ ЛИЧНОСТИ"},
    "number": "000000005",
    "beginDate": "2024-06-01",
    "endDate": "2034-05-31",
    "issueOrganization": {"nameRu": "МВД РК"},
    "status": {"nameRu": "ДОКУМЕНТ ДЕЙСТВИТЕЛЕН"},
    "name": "АЙГЕРИМ",
    "surname": "СЕРИК",
    "birthDate": "1996-09-09",
}
PERSON: dict[str, Any] = {
    "name": "АЙГЕРИМ",
    "surname": "СЕРИК",
    "patronymic": "ЕРЛАНКЫЗЫ",
    "iin": "000000000005",
    "mobilephone": "7005550101",
    "birthDate": "1996-09-09",
    "birthPlace": {"country": KAZAKHSTAN, "region": {"nameRu": "АЛМАТИНСКАЯ ОБЛАСТЬ"}, "city": "ТАЛГАР"},
    "regAddress": {
        "country": KAZAKHSTAN,
        "region": {"nameRu": "АЛМАТЫ"},
        "district": {"nameRu": "АЛМАЛИНСКИЙ РАЙОН"},
        "street": "УЛИЦА АБАЯ",
        "building": "5",
        "beginDate": "2019-01-01",
    },
    "citizenship": KAZAKHSTAN,
    "nationality": {"nameRu": "an ethnicity"},
    "gender": {"code": "2", "nameRu": "Женский"},
    "lifeStatus": {"code": "0", "nameRu": "Нормальный"},
    "documents": {"document": [CARD]},
}


def read(**changes: Any) -> Register:
    return read_register(json.dumps({"person": {**PERSON, **changes}}).encode(), TODAY)


def codes(register: Register) -> list[str]:
    return [doubt.code for doubt in register.doubts]


def decide(content: bytes, answer: dict[str, Any] = PASS) -> Result:
    result = run_exchange(Verigram(SETTINGS).result(FLOW), [reply(answer), reply(content)]).value
    return evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))


class TestWhatIsRead:
    def test_a_person_in_the_words_of_the_vocabulary(self) -> None:
        assert {field.name: field.value for field in read().fields} == {
            FieldName.GIVEN_NAME: "АЙГЕРИМ",
            FieldName.FAMILY_NAME: "СЕРИК",
            FieldName.MIDDLE_NAME: "ЕРЛАНКЫЗЫ",
            FieldName.BIRTHDATE: date(1996, 9, 9),
            FieldName.PERSONAL_NUMBER: "000000000005",
            FieldName.PHONE_NUMBER: "7005550101",
            FieldName.GENDER: "female",
            FieldName.NATIONALITIES: ("KZ",),
            FieldName.PLACE_OF_BIRTH: Place(locality="ТАЛГАР", region="АЛМАТИНСКАЯ ОБЛАСТЬ", country="KZ"),
            FieldName.ADDRESS: Address(
                street_address="УЛИЦА АБАЯ 5", locality="АЛМАЛИНСКИЙ РАЙОН", region="АЛМАТЫ", country="KZ"
            ),
        }
        assert codes(read()) == []

    def test_the_vendors_key_and_text_stand_beside(self) -> None:
        beside = {field.name: (field.vendor_name, field.vendor_text) for field in read().fields}
        assert beside[FieldName.NATIONALITIES] == ("citizenship", "КАЗАХСТАН")
        assert beside[FieldName.GENDER] == ("gender", "Женский")
        assert beside[FieldName.BIRTHDATE] == ("birthDate", "1996-09-09")

    def test_an_ethnicity_is_no_nationality_and_goes_no_further(self) -> None:
        register = read(citizenship=None)
        assert FieldName.NATIONALITIES not in {field.name for field in register.fields}
        assert "an ethnicity" not in str([attrs.asdict(field) for field in register.fields])

    def test_a_citizenship_and_a_gender_that_are_not_known_are_there_and_unread(self) -> None:
        register = read(citizenship={"nameRu": "УТОПИЯ"}, gender={"code": "9"})
        read_as = {field.name: (field.value, field.vendor_text) for field in register.fields}
        assert (read_as[FieldName.NATIONALITIES], read_as[FieldName.GENDER]) == ((None, "УТОПИЯ"), (None, "9"))

    def test_a_document(self) -> None:
        (card,) = read().documents
        assert (card.type, card.vendor_type, card.expires_on) == ("idcard", "УДОСТОВЕРЕНИЕ ЛИЧНОСТИ", date(2034, 5, 31))
        assert {claim.name.value: claim.value for claim in card.claims} == {
            "name": "АЙГЕРИМ СЕРИК",
            "given_name": "АЙГЕРИМ",
            "family_name": "СЕРИК",
            "birthdate": date(1996, 9, 9),
            "document_number": "000000005",
            "date_of_issuance": date(2024, 6, 1),
            "date_of_expiry": date(2034, 5, 31),
            "issuer": "МВД РК",
        }

    @pytest.mark.parametrize(
        ("word", "type_"),
        [
            ("Паспорт гражданина РК", DocumentType.PASSPORT),
            ("УДОСТОВЕРЕНИЕ РК", DocumentType.IDCARD),
            ("ВИД НА ЖИТЕЛЬСТВО ИНОСТРАННОГО ГРАЖДАНИНА", DocumentType.RESIDENCE_PERMIT),
            ("Водительское удостоверение", DocumentType.DRIVING_PERMIT),
            ("СВИДЕТЕЛЬСТВО О РОЖДЕНИИ", DocumentType.BIRTH_CERTIFICATE),
            ("УДОСТОВЕРЕНИЕ БЕЖЕНЦА", DocumentType.OTHER),
            ("7", DocumentType.OTHER),
        ],
    )
    def test_types_by_their_russian_names(self, word: str, type_: DocumentType) -> None:
        (paper,) = read(documents={"document": [{**CARD, "type": {"nameRu": word}}]}).documents
        assert (paper.type, paper.vendor_type) == (type_, word)

    @pytest.mark.parametrize("word", ["паспорт 000000005", "x" * 80, "a\nb"])
    def test_a_type_that_is_no_word_is_not_shown(self, word: str) -> None:
        assert read(documents={"document": [{**CARD, "type": word}]}).documents[0].vendor_type is None

    def test_one_document_alone_may_stand_without_a_list(self) -> None:
        assert read(documents={"document": CARD}).documents == read().documents

    def test_a_record_of_nothing(self) -> None:
        assert read_register(b'{"person": {}}', TODAY) == Register()
        assert codes(read_register(b'{"person": {"data": {"name": "x"}}}', TODAY)) == ["register.unread"]

    def test_base64_is_read_alike(self) -> None:
        plain = json.dumps({"person": PERSON}).encode()
        assert read_register(base64.b64encode(plain) + b"\n", TODAY) == read_register(plain, TODAY) == read()


class TestWhatIsNoneOrInDoubt:
    @pytest.mark.parametrize(
        "ended",
        [
            {"endDate": "2022-05-31"},
            {"endDate": "2026-02-28"},
            {"status": {"nameRu": "ДОКУМЕНТ НЕДЕЙСТВИТЕЛЕН"}},
            {"status": "утерян"},
        ],
    )
    def test_what_has_ended_is_a_note_beside_what_has_not(self, ended: dict[str, Any]) -> None:
        register = read(documents={"document": [{**CARD, "number": "1", **ended}, CARD]})
        assert (register.documents, codes(register)) == (read().documents, [])
        assert register.notes == ("1 documents in the register are not in force",)
        alone = read(documents={"document": [{**CARD, **ended}]})
        assert (alone.documents, codes(alone)) == ((), ["document.expired"])

    @pytest.mark.parametrize("status", [{"code": "77"}, {"nameRu": "НА ПРОВЕРКЕ"}, 7, ["ДЕЙСТВИТЕЛЕН"]])
    def test_a_status_that_is_not_known_is_a_doubt(self, status: object) -> None:
        register = read(documents={"document": [{**CARD, "status": status}]})
        assert (len(register.documents), codes(register)) == (1, ["register.document_status"])

    @pytest.mark.parametrize("said", [{"nameRu": "УМЕР"}, {"code": "3"}, "умерла", 0, ["жив"]])
    def test_a_person_of_whom_it_says_anything_but_to_be_alive(self, said: object) -> None:
        assert codes(read(lifeStatus=said)) == ["register.life_status"]
        assert codes(read(lifeStatus=None)) == codes(read(lifeStatus={"nameRu": "Жив"})) == []

    @pytest.mark.parametrize("documents", ["none", 7, [CARD, "x"], {"document": "x"}, {"document": [None]}])
    def test_documents_that_are_no_documents(self, documents: object) -> None:
        assert codes(read(documents=documents)) == ["register.unread"]

    @pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"person": []}', b"\xff\xfe", b"e30="])
    def test_a_file_that_is_no_record_goes_to_review(self, content: bytes) -> None:
        result = decide(content)
        assert (result.decision, [reason.code for reason in result.reasons]) == (Decision.REVIEW, ["register.unread"])

    def test_a_date_that_can_be_read_in_two_ways_goes_to_review(self) -> None:
        record = {"person": {**PERSON, "documents": {"document": [{**CARD, "endDate": "05/06/2034"}]}}}
        assert decide(json.dumps(record).encode()).decision is Decision.REVIEW

    @given(st.dictionaries(st.sampled_from(sorted(PERSON)), json_values, max_size=4), json_values)
    def test_any_record_is_read_and_none_makes_an_approval_of_a_doubtful_flow(self, odd: Any, paper: Any) -> None:
        record = {"person": {**PERSON, "documents": {"document": [paper]}, **odd}}
        answer = {**PASS, "end_cause": "interrupted"}
        assert decide(json.dumps(record).encode(), answer).decision is Decision.REVIEW


class TestWhenItIsAskedFor:
    def test_the_file_of_this_flow_and_no_other(self) -> None:
        ran = run_exchange(Verigram(SETTINGS).result(FLOW), [reply(PASS), reply({"person": PERSON})])
        assert [request.target for request in ran.requests] == [
            "/flow/f-1/result",
            "/resources/file?label=kisc_pii&flow_id=f-1",
        ]

    @pytest.mark.parametrize("answer", [{**PASS, "flow_status": "fail"}, {**PASS, "flow_status": None}])
    def test_not_of_somebody_turned_down_and_not_before_the_end(self, answer: dict[str, Any]) -> None:
        assert len(run_exchange(Verigram(SETTINGS).result(FLOW), [reply(answer)]).requests) == 1

    def test_documents_are_announced_only_with_it(self) -> None:
        for reads in (True, False):
            assert Verigram(attrs.evolve(SETTINGS, read_register=reads)).result_capabilities.documents is reads

    def test_not_for_a_status_and_not_unless_the_account_says_so(self) -> None:
        assert len(run_exchange(Verigram(SETTINGS).status(FLOW), [reply(PASS)]).requests) == 1
        silent = Verigram(attrs.evolve(SETTINGS, read_register=False))
        assert run_exchange(silent.result(FLOW), [reply(PASS)]).value.fields == ()

    def test_a_flow_without_a_record_is_decided_as_before(self) -> None:
        result = run_exchange(Verigram(SETTINGS).result(FLOW), [reply(PASS), reply({}, 404)]).value
        assert evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC)).decision is Decision.APPROVED
        assert result.notes == ("Verigram has no record of the register for this flow",)

    def test_a_page_in_its_place_is_not_verigrams_word_that_there_is_none(self) -> None:
        with pytest.raises(NotAccepted):
            run_exchange(Verigram(SETTINGS).result(FLOW), [reply(PASS), reply(b"<html>Not found</html>", 404)])

    def test_nothing_of_it_is_shown(self) -> None:
        result = decide(json.dumps({"person": PERSON}).encode())
        assert result.decision is Decision.APPROVED
        shown = f"{result!r} {result.raw} {result.reasons} {result.notes} {read()!r}"
        for personal in ("АЙГЕРИМ", "000000000005", "000000005", "УЛИЦА", "1996", "7005550101"):
            assert personal not in shown


class TestAgainstTheEmulator:
    @pytest.mark.parametrize("form", ["json", "base64"])
    def test_an_approved_result_says_who_it_is(
        self, form: Any, network: Network, clock: FakeClock, emulator: VerigramEmulator, settings: dict[str, object]
    ) -> None:
        emulator.variants = Variants(register=form)
        idv = self.gateway(network, clock, {**settings, "read_register": True})
        flow = idv.open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        result = idv.wait(flow)
        claims = result.claims
        assert result.decision is Decision.APPROVED
        assert (claims.name.value, claims.birthdate.value) == (AIGERIM.name, AIGERIM.birthdate)
        assert (claims.document_number.value, claims.date_of_expiry.value) == ("000000005", date(2034, 5, 31))
        assert claims.personal_number.value == "000000000005"
        by_reference = idv.result(flow.ref)
        assert (by_reference.decision, by_reference.fields) == (result.decision, result.fields)

    def test_what_is_planted_is_what_comes(
        self, network: Network, clock: FakeClock, emulator: VerigramEmulator, settings: dict[str, object]
    ) -> None:
        idv = self.gateway(network, clock, {**settings, "read_register": True})
        flow = idv.open(order())
        emulator.plant(flow.id, {"person": {**PERSON, "lifeStatus": {"nameRu": "УМЕР"}}})
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        result = idv.wait(flow)
        assert (result.decision, [reason.code for reason in result.reasons]) == (
            Decision.REVIEW,
            ["register.life_status"],
        )

    def test_an_account_that_may_not_read_it_is_told_so(
        self, network: Network, clock: FakeClock, emulator: VerigramEmulator, settings: dict[str, object]
    ) -> None:
        idv = self.gateway(network, clock, {**settings, "read_register": True})
        flow = idv.open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        clock.advance(10)
        emulator.fault("GET /resources/file", refused(403))
        with pytest.raises(PermissionDenied):
            idv.result(flow)

    @staticmethod
    def gateway(network: Network, clock: FakeClock, settings: dict[str, object]) -> Gateway:
        return Gateway(
            [Account("vg", "verigram", settings)], transport=network, clock=clock, registry=registry_of(idv_plugin())
        )
