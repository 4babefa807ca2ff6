"""The vocabulary: values that go through JSON unharmed and show nothing that must stay dark."""

from __future__ import annotations

import copy
import json
import pickle
import pprint
from collections.abc import Mapping
from datetime import UTC, date, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from idv_core import Applicant, Check, CheckKind, CheckOutcome, Document, Flow, FlowOrder, FlowStatus, Result, Secret
from idv_core.model import (
    Address,
    Decision,
    Deferred,
    DocumentEvidence,
    DocumentType,
    ExtractedField,
    FieldPair,
    FlowRef,
    FlowUrls,
    IdentificationNumber,
    Link,
    Place,
    Policy,
    Reason,
    Score,
    Upload,
    UploadKind,
    VendorVerdict,
    from_json,
    to_json,
)
from idv_core.model.check_names import CHECK_NAMES
from idv_core.testing.strategies import extracted_fields, json_values

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
secrets = st.builds(Secret, words)
moments = st.datetimes(timezones=st.just(UTC))
scores = st.builds(lambda raw: Score.read(raw, 0, 100), st.floats(0, 100))
kinds_and_names = st.sampled_from(
    [(kind, name) for kind in CheckKind for name in (*CHECK_NAMES[kind], "overall", "other")]
)
checks = st.builds(
    lambda kind_and_name, **more: Check(kind=kind_and_name[0], name=kind_and_name[1], **more),
    kinds_and_names,
    vendor_name=st.none() | words,
    outcome=st.none() | st.sampled_from(CheckOutcome),
    score=st.none() | scores,
    reasons=st.lists(words, max_size=2).map(tuple),
    document_id=st.none() | words,
    pair=st.none()
    | st.builds(FieldPair, source_document=words, source_field=words, target_document=words, target_field=words),
    vendor_word=st.none() | words,
)
flows = st.builds(
    Flow,
    id=words,
    status=st.sampled_from(FlowStatus),
    account=words,
    application_id=st.none() | words,
    link=st.none() | st.builds(Link, secrets, st.none() | moments),
    uploads=st.lists(
        st.builds(
            Upload,
            document_id=words,
            accepted=st.booleans(),
            vendor_ids=st.dictionaries(words, words, max_size=2),
            check=st.none() | checks,
        ),
        max_size=2,
    ),
    details=st.dictionaries(words, words, max_size=2),
    secrets=st.dictionaries(words, secrets, max_size=2),
    created_at=st.none() | moments,
)
fields = extracted_fields(secrets)
results = st.builds(
    Result,
    flow=flows,
    checks=st.lists(checks, max_size=2),
    documents=st.lists(
        st.builds(
            DocumentEvidence,
            document_id=st.none() | words,
            type=st.none() | st.sampled_from(DocumentType),
            vendor_type=st.none() | words,
            country=st.none() | st.sampled_from(["IN", "CO", "KZ"]),
            fields=st.lists(fields, max_size=2),
            images=st.dictionaries(words, secrets, max_size=1),
        ),
        max_size=2,
    ),
    fields=st.lists(fields, max_size=2),
    verdict=st.none() | st.sampled_from(VendorVerdict),
    decision=st.sampled_from(Decision),
    reasons=st.lists(st.builds(Reason, words, words, st.none() | words), max_size=2),
    received_at=st.none() | moments,
    raw=st.dictionaries(words, json_values, max_size=2),
)


@given(flows)
def test_a_flow_goes_through_json_and_back(flow: Flow) -> None:
    assert from_json(Flow, json.loads(json.dumps(to_json(flow, secrets=True)))) == flow


@given(results)
def test_a_result_goes_through_json_and_back(result: Result) -> None:
    assert from_json(Result, json.loads(json.dumps(to_json(result, secrets=True)))) == result


@given(results)
def test_without_being_asked_a_dump_holds_no_secret_and_still_loads(result: Result) -> None:
    loaded = from_json(Result, json.loads(json.dumps(to_json(result))))
    assert loaded.flow.link is None
    assert loaded.flow.secrets == {}
    read = (*loaded.fields, *(field for document in loaded.documents for field in document.fields))
    assert all(field.whole is None for field in read)
    assert attrs.evolve(loaded, flow=result.flow, documents=result.documents, fields=result.fields) == result


def test_an_order_goes_through_json_and_back() -> None:
    person = Applicant(
        reference="C",
        name="A B",
        birthdate=date(1990, 1, 2),
        phone_number="+573005550101",
        country="CO",
        address=Address(formatted="Calle 1\nBogotá", locality="Bogotá", country="CO"),
        place_of_birth=Place(locality="Cali", country="CO"),
        nationalities=["CO", "ES"],
        gender="female",
    )
    order = FlowOrder(
        product="p", application_id="a", applicant=person, documents=["tax_card"], metadata={"branch": "x"}
    )
    assert from_json(FlowOrder, json.loads(json.dumps(to_json(order)))) == order


def test_identification_numbers_leave_only_when_secrets_are_asked_for() -> None:
    number = IdentificationNumber("tax_card", "AAAPZ1234C", country="IN")
    person = Applicant(reference="C", identification_numbers=[number])
    order = FlowOrder(product="p", application_id="a", applicant=person)
    assert from_json(FlowOrder, json.loads(json.dumps(to_json(order, secrets=True)))) == order
    without = to_json(order)
    assert "AAAPZ1234C" not in json.dumps(without)
    assert from_json(FlowOrder, without).applicant == attrs.evolve(person, identification_numbers=())


@pytest.mark.parametrize(
    "data",
    [
        {"id": 3, "status": "open"},
        {"id": "a", "status": "weird"},
        {"id": "a", "status": "open", "unknown": 1},
        {"status": "open"},
        {"id": "a", "status": "open", "created_at": "2026-03-02T10:00:00"},
        [],
        None,
    ],
)
def test_what_is_no_flow_is_not_loaded(data: object) -> None:
    with pytest.raises(ValueError, match="not a stored Flow"):
        from_json(Flow, data)


class TestStored:
    """Flows, results and orders say in which form they are stored, so that old and new releases can share a store."""

    flow = Flow(id="f", status="open", account="a", policy=Policy(name="p"))
    result = Result(flow=flow)
    order = FlowOrder(product="p", application_id="a", applicant=Applicant(reference="r"))

    @pytest.mark.parametrize("value", [flow, result, order], ids=["flow", "result", "order"])
    def test_the_form_has_a_number_at_the_top_only(self, value: Flow | Result | FlowOrder) -> None:
        data = to_json(value)
        assert data["version"] == 1
        assert json.dumps(data).count('"version"') == 1
        assert "version" not in to_json(Check(kind="document"))

    @pytest.mark.parametrize("value", [flow, result, order], ids=["flow", "result", "order"])
    def test_what_was_stored_before_there_were_numbers_is_read(self, value: Flow | Result | FlowOrder) -> None:
        data = {key: item for key, item in to_json(value).items() if key != "version"}
        assert from_json(type(value), data) == value

    def test_an_older_release_reads_what_a_newer_one_added(self) -> None:
        data = to_json(self.result)
        data |= {"added": 1, "flow": {**data["flow"], "added_too": {"x": 1}}}
        assert from_json(Result, data) == self.result

    def test_but_never_half_of_a_policy(self) -> None:
        data = to_json(self.flow)
        data["policy"]["one_more_rule"] = True
        with pytest.raises(ValueError, match="one_more_rule"):
            from_json(Flow, data)

    def test_a_newer_form_is_left_to_the_newer_release(self) -> None:
        with pytest.raises(ValueError, match=r"stored by a newer release \(version 2\); this one reads up to 1"):
            from_json(Flow, {**to_json(self.flow), "version": 2})

    @pytest.mark.parametrize("version", ["1", 0, -1, 1.0, True, None, []])
    def test_a_number_that_is_none(self, version: object) -> None:
        with pytest.raises(ValueError, match="must be a whole number"):
            from_json(Flow, {**to_json(self.flow), "version": version})


def test_documents_are_not_stored() -> None:
    with pytest.raises(TypeError, match="cannot be stored"):
        to_json(Document("pan", content=b"x"))


class TestSecret:
    def test_it_shows_nothing(self) -> None:
        secret = Secret("s3cr3t")
        for text in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", repr([secret])):
            assert "s3cr3t" not in text
        assert secret.reveal() == "s3cr3t"

    def test_it_is_not_pickled_but_may_be_copied(self) -> None:
        secret = Secret("s3cr3t")
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)
        with pytest.raises(TypeError, match="is hidden"):
            secret.__getstate__()
        assert copy.deepcopy([secret]) == [secret]
        assert copy.copy(secret) == secret

    def test_it_compares_with_secrets_only(self) -> None:
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a")}) == 1
        assert Secret("\ud800") != Secret("a")

    @pytest.mark.parametrize("nothing", ["", None, 7])
    def test_there_is_no_empty_secret(self, nothing: object) -> None:
        with pytest.raises(ValueError, match="must be a non-empty string"):
            Secret(nothing)  # type: ignore[arg-type]


def test_personal_data_does_not_show() -> None:
    person = Applicant(
        reference="CUST-1",
        name="Meera Iyer",
        given_name="Meera",
        family_name="Iyer",
        birthdate=date(1991, 4, 12),
        email="meera@example.org",
        phone_number="+915550100101",
        country="IN",
        address=Address(street_address="14 Hill Road", locality="Mumbai", country="IN"),
        place_of_birth=Place(locality="Kochi"),
        nationalities="IN",
        gender="female",
        identification_numbers=[IdentificationNumber("national_number_card", "0000 1111 2223", country="IN")],
    )
    assert repr(person) == "Applicant(reference='CUST-1', country='IN', locale='en')"
    for text in ("Meera", "1991-04-12", "14 Hill Road", "Mumbai", "Kochi", "0000 1111 2223"):
        assert text in person.personal_texts()
    for dark in ("Hill", "Mumbai", "Kochi", "2223"):
        assert dark not in repr([person.address, person.place_of_birth, *person.identification_numbers])
    field = ExtractedField(
        name="personal_number",
        value="XXXX XXXX 2223",
        vendor_name="aadhaar_number",
        vendor_text="XXXX XXXX 2223",
        whole=Secret("0000 1111 2223"),
    )
    assert "2223" not in repr(field)
    assert field.reveal() == "0000 1111 2223"
    assert ExtractedField(name="name", value="Meera", vendor_name="name").reveal() == "Meera"
    pair = FieldPair(
        source_document="A", source_field="name", source_value="Meera", target_document="B", target_field="n"
    )
    assert "Meera" not in repr(pair)
    assert "t0k" not in repr(FlowUrls(lambda purpose: Secret(f"https://x/t0k/{purpose}")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"reference": " "},
        {"reference": "r", "country": "India"},
        {"reference": "r", "country": "in"},
        {"reference": "r", "phone_number": "3005550101"},
        {"reference": "r", "phone_number": "+12ab5678"},
        {"reference": "r", "gender": "F"},
        {"reference": "r", "address": "14 Hill Road"},
        {"reference": "r", "address": Place(locality="Mumbai")},
        {"reference": "r", "address": Address(locality=" ")},
        {"reference": "r", "place_of_birth": Address(locality="Mumbai")},
        {"reference": "r", "nationalities": 7},
        {"reference": "r", "identification_numbers": ["1234"]},
        {"reference": "r", "identification_numbers": 1234},
    ],
)
def test_an_applicant_is_checked_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must "):
        Applicant(**wrong)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (
            {"nationalities": ["IN", "in"]},
            "nationalities: must be ISO 3166-1 alpha-2 codes in capital letters, such as 'IN'; 'in' is not one",
        ),
        ({"address": Address(formatted="14 Hill Road\n\u202eMumbai")}, "address: must have no control characters"),
        ({"address": Address(formatted="x" * 501)}, "address: must have at most 500 characters"),
    ],
)
def test_what_is_wrong_with_an_applicant_is_said(wrong: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Applicant(reference="r", **wrong)


@pytest.mark.parametrize(
    ("type_", "value", "country", "problem"),
    [
        ("PAN", "AAAPZ1234C", "IN", "type: there is no document type 'PAN'; did you mean 'tax_card'?"),
        ("tax_card", "", "IN", "a secret must be a non-empty string|must be a non-empty string"),
        ("tax_card", 7, "IN", "value: must be a string or a Secret"),
        ("tax_card", "AAAPZ\n1234C", "IN", "value: must have no control characters"),
        ("tax_card", "AAAPZ1234C", "India", "country: must be ISO 3166-1 alpha-2 codes"),
        ("tax_card", "AAAPZ1234C", None, "country: "),
    ],
)
def test_an_identification_number_is_checked_and_never_told(
    type_: str, value: object, country: object, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        IdentificationNumber(type_, value, country=country)
    assert "1234C" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("PAN", "tax_card"),
        ("Aadhaar", "national_number_card"),
        ("PASSPORT", "passport"),
        ("driving_license", "driving_permit"),
        ("DRIVERS LICENCE", "driving_permit"),
        ("id_card", "idcard"),
    ],
)
def test_a_vendors_word_for_a_document_is_refused_with_ours(word: str, near: str) -> None:
    person = Applicant(reference="r")
    text = f"there is no document type '{word}'; did you mean '{near}'\\?"
    with pytest.raises(ValueError, match=f"^documents: {text}"):
        FlowOrder(product="p", application_id="a", applicant=person, documents=["passport", word])
    with pytest.raises(ValueError, match=f"^type: {text}"):
        Document("d", content=b"x", type=word)


def test_a_word_far_from_all_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"^type: there is no document type 'zzz' \(there are: idcard, passport, .*other\)$"
    ):
        Document("d", content=b"x", type="zzz")


@pytest.mark.parametrize(
    ("word", "near"), [("dob", "birthdate"), ("firstName", "given_name"), ("brithdate", "birthdate")]
)
def test_a_vendors_word_for_a_field_is_refused_with_ours(word: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{near}'"):
        Result(flow=Flow(id="a", status="open")).claims[word]


def test_a_full_name_is_put_together() -> None:
    assert Applicant(reference="r", given_name="Ana", family_name="Ruiz").full_name == "Ana Ruiz"
    assert Applicant(reference="r").full_name is None


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ({}, "exactly one of"),
        ({"url": "https://x", "content": b"x"}, "exactly one of"),
        ({"content": b"x", "back_path": "a", "back_content": b"b"}, "only one of"),
        ({"content": b"x", "country": "Colombia"}, "ISO 3166"),
    ],
)
def test_a_document_is_one_picture(given_: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Document("pan", **given_)


def test_a_document_is_dark_and_a_selfie_is_a_document() -> None:
    assert "sig=1" not in repr(Document("pan", url="https://x/?sig=1"))
    assert Document.selfie(content=b"x").kind is UploadKind.SELFIE


@pytest.mark.parametrize(
    ("raw", "low", "high", "value"),
    [(90, 0, 100, 0.9), ("72", 0, 100, 0.72), (0.5, 0, 1, 0.5), (9, 0, 10, 0.9), (0, 0, 1, 0.0), (100, 0, 100, 1.0)],
)
def test_scores_are_read_on_the_vendors_scale(raw: object, low: float, high: float, value: float) -> None:
    score = Score.read(raw, low, high)
    assert score is not None
    assert score.value == pytest.approx(value)
    assert score.scale == (low, high)


@pytest.mark.parametrize("raw", [None, True, "high", "nan", float("inf"), -1, 101, [], "9" * 400, 10**400])
def test_what_is_no_score_is_none(raw: object) -> None:
    assert Score.read(raw, 0, 100) is None


def test_a_reference_names_account_and_vendors_id() -> None:
    flow = Flow(id="LOS-1/2", status="open", account="atlas-india")
    assert flow.ref == "atlas-india/LOS-1/2"
    assert FlowRef.parse(flow.ref) == FlowRef(account="atlas-india", id="LOS-1/2")
    for wrong in ("", "atlas", "/x", "atlas/"):
        with pytest.raises(ValueError, match="must look like"):
            FlowRef.parse(wrong)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Flow(id="a", status="open", created_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_evidence_can_be_asked() -> None:
    check = Check(kind="liveness", outcome=CheckOutcome.FAILED)
    result = Result(flow=Flow(id="a", status="finished"), checks=[check])
    assert result.checks_of(CheckKind.LIVENESS) == (check,)
    assert result.failed_checks() == (check,)
    document = DocumentEvidence(document_id="d", fields=[ExtractedField(name="age", value=1, vendor_name="n")])
    assert document.field("age") == document.fields[0]
    assert document.field("name") is None
    assert str(Reason("code", "because")) == "because"


def passed(kind: str, name: str = "overall", outcome: str | None = "passed") -> Check:
    return Check(kind=kind, name=name, outcome=outcome)


class TestEvidenceSteps:
    """NIST SP 800-63A: collection, validation, verification."""

    @pytest.mark.parametrize(
        ("checks_", "steps"),
        [
            ([], set()),
            ([passed("document")], {"collection", "validation"}),
            ([passed("document", "image_quality")], {"collection"}),
            ([passed("document", "authenticity"), passed("face_match")], {"collection", "validation", "verification"}),
            ([passed("data_source", "birthdate")], {"validation"}),
            ([passed("face_match", "selfie_to_record")], {"verification"}),
            ([passed("face_match", "selfie_to_selfie")], set()),
            ([passed("liveness", "presentation_attack"), passed("email", "possession")], set()),
            ([passed("document", "other"), passed("face_match", "other"), passed("data_source", "other")], set()),
            ([passed("document", outcome=None)], set()),
        ],
    )
    def test_what_passed_checks_hold(self, checks_: list[Check], steps: set[str]) -> None:
        assert Result(flow=Flow(id="a", status="finished"), checks=checks_).evidence_steps == steps

    @pytest.mark.parametrize("outcome", [None, "failed", "inconclusive", "not_done"])
    def test_one_that_did_not_pass_takes_its_step_away(self, outcome: str | None) -> None:
        result = Result(
            flow=Flow(id="a", status="finished"),
            checks=[passed("document"), passed("face_match"), passed("face_match", outcome=outcome)],
        )
        assert result.evidence_steps == {"collection", "validation"}


class TestDeferred:
    def test_it_is_made_once_and_only_when_looked_at(self) -> None:
        made: list[int] = []

        def make() -> dict[str, int]:
            made.append(1)
            return {"a": 1}

        raw = Deferred(make)
        result = Result(flow=Flow(id="f", status="open"), raw=raw)
        assert attrs.evolve(result, notes=("x",)).raw is raw
        assert "a" not in repr(raw)
        assert made == []
        assert (result.raw["a"], list(result.raw), len(result.raw), dict(result.raw)) == (1, ["a"], 1, {"a": 1})
        assert made == [1]

    def test_it_goes_through_json_like_any_mapping(self) -> None:
        result = Result(flow=Flow(id="f", status="open"), raw=Deferred(lambda: {"a": [1, {"b": 2}]}))
        assert to_json(result)["raw"] == {"a": [1, {"b": 2}]}
        assert from_json(Result, to_json(result)) == result


class TestRaw:
    @pytest.mark.parametrize(
        "raw", [{"name": "Meera Iyer"}, Deferred(lambda: {"name": "Meera Iyer"})], ids=["dict", "deferred"]
    )
    def test_it_is_read_like_a_mapping_and_shows_nothing(self, raw: Mapping[str, str]) -> None:
        result = Result(flow=Flow(id="f", status="open"), raw=raw)
        assert (result.raw["name"], dict(result.raw), result.raw) == ("Meera Iyer", {"name": "Meera Iyer"}, dict(raw))
        for text in (
            repr(result.raw),
            str(result.raw),
            f"{result.raw}",
            pprint.pformat(result.raw),
            pretty_repr(result.raw),
        ):
            assert "Meera" not in text
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(result.raw)
        assert copy.deepcopy(result.raw) is result.raw
        assert attrs.evolve(result, notes=("x",)).raw is result.raw

    def test_what_the_plugin_changes_later_stays_out(self) -> None:
        answer = {"a": 1}
        result = Result(flow=Flow(id="f", status="open"), raw=answer)
        answer["b"] = 2
        assert result.raw == {"a": 1}
