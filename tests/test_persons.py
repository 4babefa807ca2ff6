"""What is told of a person is kept exactly or not at all, nothing is guessed, and no error shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idv_core import Applicant, Check, Decision, Flow, Result
from idv_core.model import (
    Address,
    DocumentEvidence,
    ExtractedField,
    FieldName,
    IdentificationNumber,
    Place,
    Score,
    Threshold,
)
from idv_core.model.claims import Claim, Claims
from idv_core.model.countries import ALPHA_3, alpha_2
from idv_core.plugin import read_field
from idv_core.plugin.dates import read_date
from idv_core.policy import DEFAULT_POLICY, evaluate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = "Secretname Calle 4711"


def document(id: str = "d-1", **told: Any) -> DocumentEvidence:
    fields = [read_field(name, name, raw) for name, raw in told.items()]
    return DocumentEvidence(document_id=id, type="passport", fields=[one for one in fields if one])


def claim(name: str, *readings: Any) -> Claim[Any]:
    return Claims([document(str(at), **{name: raw}) for at, raw in enumerate(readings)])[name]


class TestTwoReadings:
    @pytest.mark.parametrize(
        ("name", "one", "other"),
        [
            ("name", "Müller", "MULLER"),
            ("name", "José", "Jose\u0301"),
            ("name", "O'Brien-Smith", "OBRIEN SMITH"),
            ("name", "ﬁona", "FIONA"),
            ("personal_number", "12.345.678", "12345678"),
            ("phone_number", "+57 300 555 0101", "+573005550101"),
            ("email", "Ana@Example.org ", "ana@example.org"),
            ("address", "Calle 10 # 20-30, Bogotá", "CALLE 10 20 30 BOGOTA"),
        ],
    )
    def test_one_person_written_in_two_ways(self, name: str, one: str, other: str) -> None:
        assert not claim(name, one, other).disagrees

    @pytest.mark.parametrize(
        ("name", "one", "other"),
        [
            ("name", "राम", "रमा"),
            ("name", "กิต", "กต"),
            ("name", "か", "が"),
            ("name", "Ana", "Ana Ruiz"),
            ("name", "...", "!!"),
            ("email", "a.b@example.org", "ab@example.org"),
            ("email", "a+b@example.org", "ab@example.org"),
            ("email", "\u212aim@example.org", "kim@example.org"),
            ("address", "1, 12 Street", "11, 2 Street"),
            ("total_amount", "1,500.00", "150,000"),
            ("closing_balance", "-5", "5"),
            ("age", "1.8", "18"),
            ("birthdate", "1990-05-03", "1990-05-04"),
            ("personal_number", "0123", "123"),
        ],
    )
    def test_two_that_differ_have_no_value(self, name: str, one: str, other: str) -> None:
        found = claim(name, one, other)
        assert found.value is None
        assert found.disagrees or all(source.field.value is None for source in found.sources)

    @given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
    def test_a_value_is_one_that_somebody_wrote(self, one: str, other: str) -> None:
        assert claim("name", one, other).value in (None, one.strip(), other.strip())

    @pytest.mark.parametrize("part", ["given_name", "middle_name", "family_name"])
    def test_a_name_is_not_joined_without_a_part_that_could_not_be_read(self, part: str) -> None:
        names: dict[str, Any] = {"given_name": "Ana", "middle_name": "María", "family_name": "Ruiz"}
        assert Claims([document(**names)]).name.value == "Ana María Ruiz"
        assert Claims([document(**{**names, part: ["?"]})]).name.value is None
        assert Claims([document(**{**names, part: ""})]).name.value is not None


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "03 MAY 1990",
            "3 de mayo de 1990",
            "03-Mai-1990",
            "3 de maio de 1990",
            "1990-05-03T00:00:00Z",
            "1990-05-03T00:00:00.000+05:30",
            "1990-05-03 23:59:59Z",
            "1990-05-03 10:30",
            {"year": 1990, "month": 5, "day": 3},
        ],
    )
    def test_that_say_one_day(self, text: Any) -> None:
        assert read_date(text) == date(1990, 5, 3)

    @pytest.mark.parametrize(
        "text",
        [
            "1990-05-02T18:30:00Z",
            "1990-05-02T19:00:00-05:00",
            "1990-05-03T24:00:00",
            "1990-05-03T25:99",
            "03/05/90",
            "03/05/1990",
            "1990",
            "1990-05",
            "1990-05-00",
            "29/02/1991",
            "2533-05-03",
            "1410-10-08",
            "3 Floréal 1990",
            "0001-01-01",
            {"year": 1990, "month": 5},
            {"year": 90, "month": 5, "day": 3},
            {"year": 1990, "month": 10**30, "day": 3},
            {"year": 1990, "month": 5, "day": -(10**30)},
            {"year": 10**30, "month": 5, "day": 3},
        ],
    )
    def test_that_may_mean_another(self, text: Any) -> None:
        assert read_date(text) is None
        field = read_field("birthdate", "dob", text)
        assert field is not None
        assert field.value is None

    @given(st.dates(date(1900, 1, 2), date(2199, 12, 30)), st.integers(-14, 14))
    def test_no_zone_moves_a_day(self, day: date, hours: int) -> None:
        """A day that somebody's machine wrote as a moment of another zone is read as that day, or not."""
        local = datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(hours=hours)))
        assert read_date(local.isoformat()) == day
        assert read_date(local.astimezone(UTC).isoformat()) in (None, day)


class TestBirthdates:
    def decided(self, *documents: DocumentEvidence, fields: tuple[ExtractedField, ...] = ()) -> Result:
        passed = Check(kind="document", name="authenticity", outcome="passed")
        flow = Flow(id="f-1", status="finished")
        return evaluate(DEFAULT_POLICY, Result(flow=flow, checks=[passed], documents=documents, fields=fields), NOW)

    @pytest.mark.parametrize("born", ["1990-05-03", "1992-02-29", "2026-03-01", "1901-01-01", "garbage", ""])
    def test_that_may_be(self, born: str) -> None:
        assert self.decided(document(birthdate=born)).decision is Decision.APPROVED

    @pytest.mark.parametrize(
        ("born", "life"),
        [
            ("2026-03-02", {}),
            ("2047-05-03", {}),
            ("1990-05-03", {"issued_on": date(1990, 5, 2)}),
            ("1990-05-03", {"issued_on": date(1980, 1, 1), "expires_on": date(2030, 1, 1)}),
        ],
    )
    def test_that_cannot_be(self, born: str, life: dict[str, Any]) -> None:
        result = self.decided(attrs.evolve(document(birthdate=born), **life))
        assert result.decision is Decision.REVIEW
        (reason,) = result.reasons
        assert (reason.code, reason.document) == ("birthdate.implausible", "d-1")
        assert not any(char.isdigit() for char in reason.text.replace("d-1", ""))

    def test_a_person_is_born_once(self) -> None:
        register = read_field("birthdate", "dob", "1991-05-03")
        assert register is not None
        one, other = document(birthdate="1990-05-03"), document("d-2", birthdate="1991-05-03")
        for result in (self.decided(one, other), self.decided(one, fields=(register,))):
            assert (result.decision, result.claims.birthdate.value) == (Decision.REVIEW, None)
            assert [(reason.code, reason.text) for reason in result.reasons] == [
                ("birthdate.disagrees", "the evidence states two different birthdates")
            ]
        assert self.decided(one, attrs.evolve(one, document_id="d-2")).decision is Decision.APPROVED


class TestWordsOfAPerson:
    @pytest.mark.parametrize(
        "code", ["ß", "ﬁ", "ın", "UK", "EL", "SU", "XXA", "XXB", "UNO", "EUE", "GBD", "D<<", "１", ""]
    )
    def test_what_is_no_country(self, code: str) -> None:
        assert alpha_2(code) is None

    @given(st.text(max_size=4))
    def test_a_country_is_its_code(self, code: str) -> None:
        read = alpha_2(code)
        known = {"D": "DE", "RKS": "XK", "UNK": "XK"}
        assert read is None or code.strip().upper() in (read, ALPHA_3[read], *known)
        assert read is None or code.isascii()

    @pytest.mark.parametrize("raw", [{"CO": False}, [["IN"]], "CO, VE", ["CO", "?"], ["CO", None], 5, "stateless"])
    def test_nationalities_that_are_not_understood(self, raw: Any) -> None:
        field = read_field("nationalities", "nationality", raw)
        assert field is not None
        assert field.value is None

    @pytest.mark.parametrize("raw", ["-", "--", "<<<<", "N/A", "n/a ", "…", ["Ana"], {"first": "Ana"}, True])
    @pytest.mark.parametrize("name", ["name", "document_number", "address", "place_of_birth"])
    def test_what_says_nothing_is_no_value(self, name: str, raw: Any) -> None:
        field = read_field(name, "k", raw)
        assert field is not None
        assert field.value is None

    @pytest.mark.parametrize(
        "name", ["Na", "Null", "Ng", "O", "李", "Ἀθηνᾶ", "محمد", "J.-P.", "3rd", "👩 Ana", "x" * 5000]
    )
    def test_names_that_look_like_nothing_stay(self, name: str) -> None:
        assert claim("name", f" {name} ").value == name

    @pytest.mark.parametrize(
        ("name", "number", "value"),
        [
            ("name", 7, None),
            ("given_name", 1.5, None),
            ("address", 7, None),
            ("email", 7, None),
            ("document_number", 12345678, "12345678"),
            ("document_number", 10**20 + 1, "100000000000000000001"),
            ("document_number", -1, None),
            ("document_number", 1.2e7, None),
            ("personal_number", True, None),
            ("total_amount", 1.5, 1.5),
            ("document_number", 10**100, None),
            ("total_amount", 10**400, 10**400),
        ],
    )
    def test_a_number_stands_where_one_may(self, name: str, number: Any, value: Any) -> None:
        assert claim(name, number).value == value

    @pytest.mark.parametrize("age", [-1, 131, 1e9, float("nan"), float("inf"), True])
    def test_an_age_that_nobody_has(self, age: float) -> None:
        assert claim("age", age).value is None
        assert claim("age", 17).value == 17

    @pytest.mark.parametrize(
        "raw", ["1_0", "95%", "0,9", "0x1", "nan", "high", float("nan"), 1.0001, -0.1, True, [0.9], None]
    )
    def test_scores_that_are_none(self, raw: Any) -> None:
        assert Score.read(raw) is None
        assert Score.is_unread(raw) is (raw is not None)
        assert not Score.is_unread("")
        assert not Score.is_unread(" 0.5 ")

    @given(st.integers(0, 10_000), st.sampled_from([(0, 100), (0, 10), (-1, 1), (300, 850)]))
    def test_a_score_at_the_bound_has_reached_it(self, number: int, ends: tuple[int, int]) -> None:
        """`70.1` on a scale to 100 is the `0.701` that stands in a policy, whatever binary fractions make of it."""
        low, high = ends
        bound = Decimal(number) / 10_000
        score = Score.read(str(low + bound * (high - low)), low, high)
        assert score is not None
        assert score.value == float(bound)
        if number:
            assert Threshold(approve_at=float(bound), decline_below=0).outcome(score.value) == "passed"


BROKEN: list[Callable[[], object]] = [
    lambda: Address(formatted=[MINE]),  # type: ignore[arg-type]
    lambda: Address(country=[MINE]),  # type: ignore[arg-type]
    lambda: Place(locality={MINE: 1}),  # type: ignore[arg-type]
    lambda: ExtractedField(name="birthdate", value=MINE, vendor_name="k"),
    lambda: ExtractedField(name="birthdate", value="1990-W10-1", vendor_name="k"),
    lambda: ExtractedField(name="birthdate", value="1990-02-30", vendor_name="k"),
    lambda: ExtractedField(name="address", value={MINE: 1}, vendor_name="k"),
    lambda: ExtractedField(name="address", value={"formatted": [MINE]}, vendor_name="k"),
    lambda: ExtractedField(name="place_of_birth", value={"locality": [MINE]}, vendor_name="k"),
    lambda: ExtractedField(name="gender", value=[MINE], vendor_name="k"),
    lambda: ExtractedField(name="name", value=[MINE], vendor_name="k"),
    lambda: ExtractedField(name="age", value=float("nan"), vendor_name="k"),
    lambda: ExtractedField(name="name", value="x", vendor_name=[MINE]),  # type: ignore[arg-type]
    lambda: ExtractedField(name="name", value="x", vendor_name="k", vendor_text=[MINE]),  # type: ignore[arg-type]
    lambda: ExtractedField(name="name", value="x", vendor_name="k", confidence=MINE),  # type: ignore[arg-type]
    lambda: DocumentEvidence(document_id=None, vendor_type=[MINE]),  # type: ignore[arg-type]
    lambda: DocumentEvidence(document_id=None, issued_on=MINE),  # type: ignore[arg-type]
    lambda: Check(kind="document", document_id=[MINE]),  # type: ignore[arg-type]
    lambda: Check(kind="document", score=MINE),  # type: ignore[arg-type]
    lambda: Score(MINE, 1.0),  # type: ignore[arg-type]
    lambda: Threshold(approve_at=MINE, decline_below=0.1),  # type: ignore[arg-type]
    lambda: Applicant(reference="r", gender=[MINE]),  # type: ignore[arg-type]
    lambda: Applicant(reference="r", nationalities=[[MINE]]),
    lambda: Applicant(reference="r", birthdate=MINE),  # type: ignore[arg-type]
    lambda: IdentificationNumber("passport", MINE, country=[MINE]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", BROKEN)
def test_an_error_names_the_field_and_shows_nothing_of_the_person(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"^[a-z_]+: ") as caught:
        make()
    assert "Secretname" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("blank", ["\u3164", "\u115f\u1160", "\uffa0 ", "\u2800\u2800"])
def test_a_name_of_letters_that_nobody_sees_is_none(blank: str) -> None:
    with pytest.raises(ValueError, match="name: must be a non-empty string"):
        Applicant(reference="r", name=blank)
    assert Applicant(reference="r", name=f"김{blank}").name == f"김{blank}"


@given(st.sampled_from(FieldName), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text())))
def test_a_field_is_what_was_written_or_nothing(name: FieldName, raw: Any) -> None:
    field = read_field(name, "k", raw)
    if field is not None and isinstance(field.value, (str, int, float)) and name is not FieldName.GENDER:
        assert str(field.value) == str(raw.strip() if isinstance(raw, str) and name is not FieldName.OTHER else raw)
