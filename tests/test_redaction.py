"""A vendor's own words: bounded before they are looked at, and shown as far as they are harmless."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import idv_core.engine.redaction as redaction
from idv_core import Check, Flow, Result
from idv_core.engine.redaction import redact, redact_check, redact_code, redact_id, redact_result
from idv_core.model import DocumentEvidence, ExtractedField, Reason
from idv_core.plugin.http import Request

BARE = Request.get("/x")


class TestLength:
    @pytest.mark.parametrize("piece", ["a", "A", "1 ", "a@", "a1", "://", "_1", "é", "Ab ", "x://", "9", "aB3+/", "\n"])
    def test_a_megabyte_is_looked_at_in_one_go(self, piece: str) -> None:
        shown = redact(piece * (1_000_000 // len(piece)), BARE)
        assert shown is not None
        assert len(shown) <= 200

    @given(st.text(), st.integers(1, 3000))
    def test_no_pattern_sees_more_than_a_thousand_characters(self, text: str, times: int) -> None:
        assert len(redaction._cut(text * times)) <= 1000

    def test_what_is_cut_is_cut_between_words(self) -> None:
        """Half of a mail address is still somebody's."""
        text = "x" * 985 + " " + "meera.iyer@example.org"
        assert "meera" not in redaction._cut(text)
        assert redact("x" * 5000, BARE) == "***"

    @pytest.mark.parametrize("blank", [" ", "\n", "\u200b"])
    def test_of_a_text_of_blanks_the_beginning_is_looked_at(self, blank: str) -> None:
        assert redact_id(blank * 1_000_000 + "end", BARE) == "…"
        assert redact_id(blank * 100 + "end", BARE) == "end"

    def test_reasons_and_words_too(self) -> None:
        long = "Meera Iyer " * 100_000
        check = redact_check(Check(kind="document", vendor_name=long, reasons=[long], vendor_word=long))
        assert all(len(text) <= 200 for text in (check.vendor_name or "", *check.reasons, check.vendor_word or ""))


class TestWhatWeSent:
    @pytest.mark.parametrize("said", ["kiosk-ines", "KIOSK-INES", "\u212aIO\u017fK-İNES", "\u212aıosk-ines"])
    def test_one_of_many_values_goes_in_any_letters_that_are_like_its_own(
        self, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And only those that may stand in the text are looked for with a pattern."""
        looked: list[str] = []
        escape = re.escape
        monkeypatch.setattr(redaction.re, "escape", lambda value: looked.append(value) or escape(value))
        sent = {f"key{number}": f"value {number}" for number in range(5000)}
        request = Request.post("/x", json={**sent, "name": "kiosk-ines"})
        assert redact(f"no {said} found", request) == "no *** found"
        assert looked == ["kiosk-ines"]

    """The word that says which step was refused stays; what speaks of a person does not."""

    request = Request.put(
        "/sync",
        json={
            "step": "signUpForm",
            "status": "ONGOING",
            "os": "DESKTOP",
            "type": "onboarding",
            "category": "driver_license",
            "fullName": "ruiz",
            "address": {"street": "magnolia"},
            "note": "Magdalena",
            "reference": "ax93k",
            "greeting": "hola vecina",
            "tags": ["internalReview"],
        },
    )

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("signUpForm_validation_not_passed", "signUpForm_validation_not_passed"),
            ("ONGOING is no status for DESKTOP", "ONGOING is no status for DESKTOP"),
            ("onboarding of driver_license is off", "onboarding of driver_license is off"),
            ("internalReview is off", "internalReview is off"),
            ("no ruiz in magnolia", "no *** in ***"),
            ("no magdalena here", "no *** here"),
            ("ax93k is unknown", "*** is unknown"),
            ("hola vecina is no greeting", "*** is no greeting"),
            ("VERANO is no status", "*** is no status"),
        ],
    )
    def test_words(self, text: str, shown: str) -> None:
        assert redact(text, self.request) == shown

    def test_a_name_of_the_applicant_goes_though_it_looks_like_a_step(self) -> None:
        assert (
            redact("active_form and ACTIVE", Request.put("/x", json={"step": "active"}), ("Active Ruiz",))
            == "***_form and ***"
        )

    @given(
        name=st.from_regex(r"[A-Za-z]{3,12}( [A-Za-z]{3,12})?", fullmatch=True),
        text=st.text(max_size=50),
        key=st.sampled_from(["step", "name", "x"]),
    )
    def test_no_name_of_the_applicant_comes_through(self, name: str, text: str, key: str) -> None:
        shown = redact(f"{text} {name} {text}", Request.put("/x", json={key: name}), (name,))
        remains = (shown or "").lower().replace("***", "")
        assert not any(re.search(rf"\b{word}\b", remains) for word in name.lower().split() if word not in text.lower())

    @given(mail=st.emails())
    def test_no_mail_address_comes_through(self, mail: str) -> None:
        assert mail not in (redact(f"no account for {mail} here", BARE) or "")

    @pytest.mark.parametrize("born", ["1987-06-05", "05/06/1987", "5.6.1987", "05-06-1987", "19870605"])
    def test_no_date_of_birth_comes_through(self, born: str) -> None:
        assert redact(f"born {born} or so", BARE) == "born *** or so"


SENTENCE = "Aadhaar 1234 5678 9012 of Meera Nair does not match"
LINK = "see https://vendor.example/x?sig=abc"


def result(**fields: Any) -> Result:
    return Result(flow=Flow(id="f", status="finished"), **fields)


class TestResults:
    @pytest.mark.parametrize("text", [SENTENCE, LINK, "Blocked: Ana Ruiz 79001122", "ana.ruiz@example.org is blocked"])
    @pytest.mark.parametrize(
        "place",
        [
            lambda text: result(vendor_word=text),
            lambda text: result(notes=[text]),
            lambda text: result(checks=[Check(kind="document", vendor_word=text)]),
            lambda text: result(checks=[Check(kind="document", reasons=[text])]),
            lambda text: result(checks=[Check(kind="document", vendor_word=text, reasons=[text])]),
            lambda text: result(doubts=[Reason("document.error", f"the error reads {text}")]),
        ],
    )
    def test_a_vendors_sentence_is_redacted_wherever_it_stands(self, place: Any, text: str) -> None:
        shown = repr(redact_result(place(text)))
        for dark in ("1234", "5678 9012", "vendor.example", "79001122", "ana.ruiz"):
            assert dark not in shown
        if "doubts=(R" not in shown:
            assert "Meera" not in shown
            assert "Ruiz" not in shown

    @pytest.mark.parametrize("text", [SENTENCE, LINK, "ana.ruiz@example.org"])
    def test_the_vendors_names_of_checks_and_types_of_documents_too(self, text: str) -> None:
        given_ = result(
            checks=[Check(kind="document", vendor_name=text)],
            documents=[DocumentEvidence(document_id="d", vendor_type=text)],
        )
        shown = repr(redact_result(given_))
        for dark in ("1234", "Meera", "vendor.example", "ana.ruiz"):
            assert dark not in shown

    @pytest.mark.parametrize("label", ["PAN", "Driving License", "Cédula de Ciudadanía", "FORM_16", "document_front", "INDEX_2", "Sale Deed (registered)", "verilive.face_match", "document:data_consistency"])  # fmt: skip
    def test_what_the_vendor_calls_a_check_or_a_document_stays(self, label: str) -> None:
        given_ = result(
            checks=[Check(kind="document", vendor_name=label)],
            documents=[DocumentEvidence(document_id="d", vendor_type=label)],
        )
        assert redact_result(given_) is given_

    def test_codes_stay_and_nothing_is_made_anew(self) -> None:
        given_ = result(
            vendor_word="NEEDS_MANUAL_VERIFICATION",
            notes=["sandbox", "last_error consent_declined"],
            checks=[Check(kind="liveness", vendor_word="liveness_failed", reasons=["ERR_NO_FACE_DETECTED"])],
        )
        assert redact_result(given_) is given_

    def test_a_note_may_say_the_vendors_word_again(self) -> None:
        given_ = result(vendor_word="COMPLETED", notes=["COMPLETED, but not every step has a passed check"])
        assert redact_result(given_) is given_

    @given(st.text(max_size=400))
    def test_doing_it_twice_changes_nothing(self, text: str) -> None:
        check = Check(kind="document", vendor_word=text, reasons=[text])
        once = redact_check(check)
        assert redact_check(once) == once

    def test_raw_and_fields_are_data_and_stay(self) -> None:
        given_ = result(raw={"name": "Meera Nair"}, vendor_word=SENTENCE)
        shown = redact_result(given_)
        assert shown.raw == {"name": "Meera Nair"}
        assert attrs.evolve(shown, vendor_word=None) == attrs.evolve(given_, vendor_word=None)


class TestWhatMayBeAName:
    """Capitals, hyphens and underscores do not make a code of a name."""

    @pytest.mark.parametrize("name", ["Jean-Luc", "McDonald", "MacArthur", "Al-Rashid", "al-Rashid", "Meera_Nair", "MEERA_NAIR", "MeeraNair", "Ángel", "A\u0301ngel", "Núñez", "Me\u200bera", "O'Brien", "Meera", "MEERA"])  # fmt: skip
    def test_in_a_sentence(self, name: str) -> None:
        shown = redact_check(Check(kind="document", reasons=[f"name of {name} differs"])).reasons[0]
        rest = shown.replace("***", "").replace("al-", "").replace("name of", "").replace("differs", "").strip()
        assert rest.lower() in ("", "o", "o'")

    @pytest.mark.parametrize("word", ["Meera", "Meera-Nair", "MeeraNair", "Meera_Nair", "rejected meera nair", "rejected: meera nair"])  # fmt: skip
    def test_as_the_vendors_word(self, word: str) -> None:
        shown = repr(redact_result(result(vendor_word=word, notes=[f"unknown flow_status {word!r}"])))
        assert "meera" not in shown.lower()
        assert "nair" not in shown.lower()
        assert "unknown flow_status" in shown

    @pytest.mark.parametrize("text", ["name of meera differs", "nair_meera", "MEERA", "jose nunez is another"])
    def test_names_that_the_documents_hold_in_any_case(self, text: str) -> None:
        fields = [
            ExtractedField(name="name", value="Meera Nair", vendor_name="holder"),
            ExtractedField(name="other", value="José Núñez", vendor_name="nombre_completo"),
        ]
        given_ = result(
            documents=[DocumentEvidence(document_id="d", fields=fields)],
            checks=[Check(kind="document", reasons=[text], vendor_word=text)],
        )
        shown = repr(redact_result(given_).checks).lower()
        assert not any(name in shown for name in ("meera", "nair", "jose", "nunez"))

    @pytest.mark.parametrize("text", ["MissingParameter", "InvalidClientTokenId", "ERR_NO_FACE_DETECTED", "liveness_failed", "signUpForm", "identity.session.verified", "Rejected", "APPROVED"])  # fmt: skip
    def test_codes_stay(self, text: str) -> None:
        assert redact_result(result(vendor_word=text)).vendor_word == text

    def test_names_that_a_register_holds_though_the_value_could_not_be_read(self) -> None:
        field = ExtractedField(name="family_name", value=None, vendor_name="x", vendor_text="Nair")
        given_ = result(fields=[field], checks=[Check(kind="data_source", reasons=["nair is another"])])
        assert redact_result(given_).checks[0].reasons == ("*** is another",)


class TestNumbersAndLinks:
    @pytest.mark.parametrize("between", [" ", "  ", "–", " - ", ", ", ":", "|", ") (", "_", "/", "\u200b", " • "])
    def test_digits_go_whatever_stands_between(self, between: str) -> None:
        shown = redact(f"no 2345{between}6789{between}0123 match", BARE) or ""
        assert not any(char.isdigit() for char in shown)

    @pytest.mark.parametrize("text", ["vendor.example/x?token=abc", "www.vendor.example/abc", "https:\\\\vendor.example\\abc", "Bearer abc", "sk_live_abc", "data:image/png;base64,abc=", "meera(at)abc.example", "meera @ abc.example", "1 may 1990", "May 1, 1990", "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh"])  # fmt: skip
    def test_what_opens_or_tells_something(self, text: str) -> None:
        assert redact(f"see {text} now", BARE) == "see *** now"


class TestCodesAndFields:
    @pytest.mark.parametrize("field", ["first_name", "firstName", "document.expiration_date", "documents[0].issuing_country", "data.object.id", "x-api-key"])  # fmt: skip
    def test_names_of_fields_stay(self, field: str) -> None:
        assert redact_code(field, BARE) == field

    @pytest.mark.parametrize("field", ["Meera Nair", "meera nair", "Meera-Nair", "Meera_Nair", "234567890123", "Meera"])
    def test_people_go(self, field: str) -> None:
        shown = (redact_code(field, BARE) or "").replace("***", "").strip()
        assert shown == ""

    def test_the_applicants_own_name_goes_though_it_looks_like_a_field(self) -> None:
        assert redact_code("meera_nair", BARE, ("Meera Nair",)) == "***_***"

    @pytest.mark.parametrize("id", ["req_AbC123xYz", "550e8400-e29b-41d4-a716-446655440000", "Root=1-67891233-abcdef012345678912345678", "1699999999999"])  # fmt: skip
    def test_ids_of_calls_stay(self, id: str) -> None:
        assert redact_id(id, BARE) == id

    def test_unless_they_speak_of_a_person(self) -> None:
        assert redact_id("Meera-Nair-234567890123", BARE) == "***-***-***"
        assert redact_id("meera-1", BARE, ("Meera Nair",)) == "***-1"
