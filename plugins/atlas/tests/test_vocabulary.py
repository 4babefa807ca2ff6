"""Atlas's words beside ours: what each table says, what is sent, and that the docs print the same tables."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from idv_atlas import AtlasOnboarding, AtlasSettings, Family, idv_plugin, vocabulary
from idv_atlas.mapping import read_cross_checks, read_documents
from idv_atlas.testing.harness import MEERA, PLATFORM, documents, order
from idv_atlas.vocabulary import TYPES, field_name, own_types, sent_types

from idv_core import Decision, Flow, FlowStatus, Gateway, Result, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import InvalidOrder
from idv_core.model import Claims, DocumentEvidence, DocumentType
from idv_core.policy import Policy, Threshold, evaluate
from idv_core.registry import registry_of
from idv_core.testing import Network
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.harness import Harness

DOCS = Path(__file__).parents[3] / "docs" / "vendors" / "atlas.md"
ONBOARDING = AtlasOnboarding(
    AtlasSettings(client_id=Secret("i"), client_secret=Secret("s"), product_type="PFL_CDL", family=Family.ONBOARDING)
)


def one(type_: str, **fields: Any) -> DocumentEvidence:
    content = {"document_type": type_, **{key: {"value": value} for key, value in fields.items()}}
    return read_documents([{"document_id": "d", "data": content}], "data").documents[0]


def read(type_: str, **fields: Any) -> Claims:
    return Result(flow=Flow(id="f", status=FlowStatus.FINISHED), documents=[one(type_, **fields)]).claims


class TestTypes:
    @pytest.mark.parametrize(
        ("word", "ours"),
        [
            ("PAN", "tax_card"),
            ("AADHAAR", "national_number_card"),
            ("AADHAR", "national_number_card"),
            ("DRIVING_LICENSE", "driving_permit"),
            ("VOTER_ID", "voter_card"),
            ("PASSPORT", "passport"),
            ("GST_CERT", "company_tax_registration"),
            ("UDYAM_CERT", "company_registration"),
            ("Certificate of Incorporation", "company_registration"),
            ("Memorandum of Association", "company_constitution"),
            ("FSSAI_CERTIFICATE", "business_licence"),
            ("SHOP_ACT_LICENSE", "business_licence"),
            ("WIFI_BILL", "utility_statement"),
            ("ITR", "tax_statement"),
            ("SALARY_SLIP", "payslip"),
            ("TAX_INVOICE", "invoice"),
            ("DELIVERY_ORDER", "delivery_order"),
            ("RENT_AGREEMENT", "contract"),
            ("RTO_FORM_26", "other"),
            ("pan", "other"),
        ],
    )
    def test_a_type_is_ours_and_other_where_the_vocabulary_has_none(self, word: str, ours: str) -> None:
        assert one(word, x="y").type == ours

    def test_the_vendors_word_stands_beside(self) -> None:
        assert one("PAN", x="y").vendor_type == "PAN"
        assert one("RTO_FORM_26", x="y").vendor_type == "RTO_FORM_26"

    def test_what_is_sent_comes_back_as_the_same_type(self) -> None:
        for ours in DocumentType:
            try:
                (word,) = sent_types([ours])
            except InvalidOrder:
                continue
            assert TYPES[word] is ours


class TestFields:
    def test_a_pan_card(self) -> None:
        claims = read(
            "PAN", name_as_per_pan="MEERA IYER", father_name="A IYER", dob="05/06/1991", pan_number="ZZZPI0000M"
        )
        assert claims.name.value == "MEERA IYER"
        assert claims["father_name"].value == "A IYER"
        assert claims.birthdate.value == date(1991, 6, 5)
        assert claims.document_number.value == "ZZZPI0000M"

    def test_an_aadhaar_card_shows_the_masked_number_and_keeps_the_whole_one(self) -> None:
        document = one("AADHAAR", name="Meera Iyer", date_of_birth="05/06/1991", aadhaar_number="0000 1111 2223")
        number = document.field("document_number")
        assert number is not None
        assert (number.value, number.vendor_text, number.vendor_name) == (
            "XXXX XXXX 2223",
            "XXXX XXXX 2223",
            "aadhaar_number",
        )
        assert number.reveal() == "0000 1111 2223"
        assert document.claims.birthdate.value == date(1991, 6, 5)

    def test_a_passport_and_a_licence_tell_when_they_end(self) -> None:
        passport = read("PASSPORT", passport_number="X1", date_of_issue="01/06/2024", date_of_expiry="31/05/2034")
        licence = read("DRIVING_LICENSE", dl_number="D1", issue_date="01-06-2024", valid_till="31-05-2034")
        for claims in (passport, licence):
            assert claims.date_of_issuance.value == date(2024, 6, 1)
            assert claims.date_of_expiry.value == date(2034, 5, 31)

    def test_trade_and_money_have_fields_of_their_own(self) -> None:
        invoice = read("INVOICE", customer_name="Meera Iyer", dealership_name="Lantern", invoice_date="01/03/2026")
        assert (invoice["buyer_name"].value, invoice["seller_name"].value) == ("Meera Iyer", "Lantern")
        assert invoice["invoice_date"].value == date(2026, 3, 1)
        assert not invoice.name
        statement = read("BANK_STATEMENT", name="Meera Iyer", ifsc_code="ABCD0001234", statement_period_to="31/05/2026")
        assert (statement["account_holder"].value, statement["bank_code"].value) == ("Meera Iyer", "ABCD0001234")
        assert statement["period_end"].value == date(2026, 5, 31)
        assert not statement.name

    def test_a_company_is_not_the_person(self) -> None:
        claims = read(
            "GST_CERT", legal_name="Iyer Stores", gst_number="32ABCDE1234F1Z5", constitution_of_business="LLP"
        )
        assert (claims["company_name"].value, claims["company_tax_number"].value) == ("Iyer Stores", "32ABCDE1234F1Z5")
        assert claims["company_type"].value == "LLP"
        assert not claims.name

    @pytest.mark.parametrize(
        "type_", ["RC_BOOK", "RTO_FORM_26", "GST_CERT", "Certificate of Incorporation", "RENT_AGREEMENT"]
    )
    def test_whose_name_stands_on_another_document_is_not_known(self, type_: str) -> None:
        told = {
            "name": "Rohan Das",
            "dob": "05/06/1991",
            "gender": "M",
            "mobile_number": "9005550101",
            "pan_number": "ZZZPD0000R",
        }
        document = one(type_, **told)
        assert {field.vendor_name: field.value for field in document.fields} == told
        assert {field.name for field in document.fields} == {"other"}
        claims = read(type_, **told)
        assert [name for name in ("name", "birthdate", "tax_number") if claims[name]] == []

    def test_a_document_without_a_type_speaks_of_nobody(self) -> None:
        (document,) = read_documents([{"data": {"name": {"value": "Rohan Das"}}}], "data").documents
        assert [field.name for field in document.fields] == ["other"]

    @pytest.mark.parametrize("type_", ["ITR", "SALARY_SLIP"])
    def test_a_persons_tax_number_is_not_a_companys(self, type_: str) -> None:
        person = read(type_, pan_number="ZZZPI0000M")
        assert (person["tax_number"].value, bool(person["company_tax_number"])) == ("ZZZPI0000M", False)
        company = read("UDYAM_CERT", pan_number="ZZZFI0000M")
        assert (company["company_tax_number"].value, bool(company["tax_number"])) == ("ZZZFI0000M", False)

    def test_what_is_in_the_address_does_not_come_again(self) -> None:
        group = {
            "city": {"value": "kochi", "confidence_score": 0.8},
            "landmark": {"value": "pier"},
            "postcode": {"value": 7},
        }
        content = {
            "document_type": "EBILL",
            "formatted_address": {**group, "state": {"value": "", "confidence_score": 0.1}},
        }
        (document,) = read_documents([{"document_id": "d", "data": content}], "data").documents
        assert [(field.name, field.vendor_name) for field in document.fields] == [
            ("address", "formatted_address"),
            ("other", "formatted_address.landmark"),
            ("other", "formatted_address.postcode"),
        ]
        assert document.fields[0].confidence == 0.8

    def test_an_address_is_one_with_its_parts(self) -> None:
        parts = {"city": "kochi", "postcode": "682001", "address_line_1": "14 hill road", "address_line_2": "fort"}
        group = {key: {"value": part, "confidence_score": 1} for key, part in parts.items()}
        content = {"document_type": "EBILL", "address": {"value": "14 Hill Road, Kochi"}, "formatted_address": group}
        (document,) = read_documents([{"document_id": "d", "data": content}], "data").documents
        address = document.claims.address.value
        assert address is not None
        assert (address.formatted, address.street_address) == ("14 Hill Road, Kochi", "14 hill road\nfort")
        assert (address.locality, address.postal_code, address.region) == ("kochi", "682001", None)

    def test_a_key_that_stands_in_no_table_is_other_under_its_own_name(self) -> None:
        (field,) = one("PAN", document_quality_flag="original").fields
        assert (field.name, field.vendor_name, field.value) == ("other", "document_quality_flag", "original")

    def test_an_approved_result_of_the_emulator_gives_the_claims(self, harness: Harness, network: Network) -> None:
        account = Account("atlas-india", "atlas", harness.settings)
        idv = Gateway(
            [account],
            webhooks=Webhooks(f"https://{PLATFORM}/idv", Secret("key-of-the-tests-0123456789abcdef")),
            policy=harness.policy,
            transport=network,
            clock=harness.clock,
            registry=registry_of(idv_plugin()),
        )
        papers = [*documents(network, MEERA), network.by_url("passport", MEERA)]
        result = idv.wait(idv.upload(idv.open(order()), papers))
        assert result.approved
        assert str(result.claims.name.value).casefold() == "meera iyer"
        assert result.claims.birthdate.value == MEERA.birthdate
        assert result.claims.document_number.value == "ZZZPI0000M"
        passport = next(document for document in result.documents if document.type is DocumentType.PASSPORT)
        assert passport.claims.document_number.value == "X00000001"
        assert passport.claims.date_of_expiry.value == date(2034, 5, 31)


class TestCrossChecks:
    @pytest.mark.parametrize(
        ("word", "ours"),
        [
            ("CUSTOMER_NAME", "name"),
            ("CUSTOMER_MOBILE_NUMBER", "phone_number"),
            ("CUSTOMER_DELIVERY_ADDRESS", "address"),
            ("DEALER_ADDRESS", "seller_address"),
            ("PHOTO_MATCH", "other"),
        ],
    )
    def test_a_pair_has_the_name_of_the_field_that_it_compares(self, word: str, ours: str) -> None:
        (check,) = read_cross_checks([{"name": word, "similarity_score": 90}])
        assert (check.name, check.vendor_name) == (ours, word)

    @pytest.mark.parametrize("word", ["NEW_CHECK", "customer_name", None])
    def test_a_pair_that_is_not_in_the_table_is_other_whatever_its_fields(self, word: str | None) -> None:
        item = {"name": word, "similarity_score": 95, "source_field_name": "name", "target_field_name": "name"}
        (check,) = read_cross_checks([item])
        assert check.name == "other"
        policy = Policy(thresholds={"cross_check.name": Threshold(approve_at=0.8, decline_below=0.6)})
        flow = Flow(id="f", status=FlowStatus.FINISHED)
        judged = evaluate(policy, Result(flow=flow, checks=[check]), datetime(2026, 8, 1, tzinfo=UTC))
        assert judged.decision is Decision.REVIEW


class TestSent:
    def test_ours_become_atlass(self) -> None:
        asked = order(documents=["tax_card", "national_number_card", "bank_statement"])
        ran = run_exchange(ONBOARDING.open_flow(asked), [reply({"flow_id": "F"}, status=201)])
        assert ran.requests[0].json["user_docs"] == ["PAN", "AADHAAR", "BANK_STATEMENT"]

    @pytest.mark.parametrize("type_", ["visa", "company_registration", "business_licence", "contract", "other"])
    def test_a_type_that_has_no_one_word_is_refused_and_the_way_out_is_told(self, type_: str) -> None:
        with pytest.raises(InvalidOrder, match=rf"'{type_}'.*user_docs") as caught:
            run_exchange(ONBOARDING.open_flow(order(documents=[type_])), [])
        assert caught.value.fields == ("documents",)

    def test_atlass_own_words_are_sent_in_place_of_ours(self) -> None:
        own = {"atlas": {"user_docs": ["UDYAM_CERT", "GAS_BILL"]}}
        asked = order(documents=["company_registration", "tax_card"], vendor_options=own)
        ran = run_exchange(ONBOARDING.open_flow(asked), [reply({"flow_id": "F"}, status=201)])
        assert ran.requests[0].json["user_docs"] == ["UDYAM_CERT", "GAS_BILL"]

    @pytest.mark.parametrize("words", ["PAN", ["PAN", 3], [""], {"PAN": True}, 5])
    def test_own_words_must_be_a_list_of_texts(self, words: Any) -> None:
        with pytest.raises(InvalidOrder, match="list of Atlas's types") as caught:
            own_types(words)
        assert caught.value.fields == ("vendor_options.atlas.user_docs",)

    def test_where_nothing_is_asked_for_nothing_is_sent(self) -> None:
        ran = run_exchange(ONBOARDING.open_flow(order()), [reply({"flow_id": "F"}, status=201)])
        assert "user_docs" not in ran.requests[0].json


class TestDocs:
    """The tables of docs/vendors/atlas.md are those of the code."""

    ROWS = frozenset(line for line in DOCS.read_text().splitlines() if line.startswith("|"))

    def test_every_document_type_is_printed(self) -> None:
        for word, ours in TYPES.items():
            row = next(row for row in self.ROWS if row.startswith(f"| `{ours.value}` |"))
            assert f"`{word}`" in row
            sent = vocabulary._SENT.get(ours)
            assert row.endswith(f"| `{sent}` |" if sent else "| name it yourself |")

    def test_every_field_is_printed(self) -> None:
        for key, name in vocabulary._PERSONAL.items():
            assert f"| a person's | `{key}` | `{name.value}` |" in self.ROWS
        for key, name in vocabulary._ANYWHERE.items():
            assert f"| any | `{key}` | `{name.value}` |" in self.ROWS
        for type_, names in vocabulary._IN_TYPE.items():
            for key, name in names.items():
                assert field_name(type_, key) is name
                assert any(f"`{type_}`" in row and row.endswith(f"| `{key}` | `{name.value}` |") for row in self.ROWS)

    def test_every_document_of_a_person_is_printed(self) -> None:
        (line,) = (line for line in DOCS.read_text().splitlines() if line.startswith("A person's documents are"))
        assert {*re.findall("`([A-Z_]+)`", line)} == vocabulary._OF_PERSONS - {"EBILL"}

    def test_every_cross_check_is_printed(self) -> None:
        for word, name in vocabulary.CROSS_CHECKS.items():
            assert f"| `cross_check.{name.value}` | `{word}` |" in self.ROWS
