"""What a caller hands in: refused where it enters, by the name of the field, or fit to be sent by every vendor."""

from __future__ import annotations

import array
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, gateway, order
from harnesses import HARNESSES
from hypothesis import given
from hypothesis import strategies as st

from idv_core import Applicant, AsyncGateway, Document, Flow, FlowOrder, Gateway, IdvError, Secret, from_json
from idv_core.config import Configuration
from idv_core.engine.account import Limits
from idv_core.errors import ConfigError, InvalidOrder, PluginError, UnsupportedOperation
from idv_core.gateway.documents import check_pictures, read_document
from idv_core.model import FlowUrls, Template, UploadKind
from idv_core.plugin.http import Request
from idv_core.plugin.pictures import JPEG, PDF, PNG, picture_names, picture_type
from idv_core.plugin.protocols import PictureProtocol, UploadProtocol
from idv_core.routing import Route
from idv_core.testing import FakeClock
from idv_core.testing.harness import ACCOUNT as UNDER_TEST
from idv_core.testing.harness import Driver
from idv_core.testing.strategies import json_values
from idv_core.transports.calls import encode

JPEG_BYTES = b"\xff\xd8\xff\xe0 picture"
# the whole of Unicode, halves of pairs too
anything = st.text(st.characters(exclude_categories=()), max_size=20)
near = st.sampled_from(
    [
        "\ud800",
        "a\nb",
        "\x00",
        "\u202egnp",
        "\ufeffAna",
        "\u200b",
        "\U000e0041",
        " ",
        "",
        "x" * 201,
        "José",
        "阮文安",
        "O'Brien",
        "x\u2028y",
        "\x85",
    ]
)
texts = anything | near


class TestTexts:
    @pytest.mark.parametrize("text", ["", " ", "x" * 2001, "a\ud800", "a\nb", "a\x00", "a\x7f", "a\x85", "a\u202eb", "\u2066a", "\ufeffa", "a\u2028b", 5, b"a", "\u200b", "\u2060\u00ad ", "\ufe0f", "a\u200eb", "a\u200fb", "a\u061cb", "a\ufffe", "a\ufdd0", "a\U0001ffff", "\U000e0041x", "a\ufff9b"])  # fmt: skip
    @pytest.mark.parametrize("field", ["reference", "name", "given_name", "family_name", "email"])
    def test_an_applicants(self, field: str, text: Any) -> None:
        with pytest.raises(ValueError, match=rf"^{field}: "):
            Applicant(**{"reference": "r", field: text})

    @pytest.mark.parametrize("text", ["", "x" * 2001, "a\ud800", "a\tb", "a\u202d", 5])
    @pytest.mark.parametrize("field", ["product", "application_id", "template", "tenant", "documents"])
    def test_an_orders(self, field: str, text: Any) -> None:
        with pytest.raises(ValueError, match=rf"^{field}: "):
            order(**{field: [text] if field == "documents" else text})

    @pytest.mark.parametrize("field", ["id", "type"])
    @pytest.mark.parametrize("text", ["", "a\ud800", "a\nb", "x" * 201, 5])
    def test_a_documents(self, field: str, text: Any) -> None:
        with pytest.raises(ValueError, match=rf"^{field}: "):
            Document(**{"id": "pan", "content": b"x", field: text})

    @pytest.mark.parametrize("text", ["", "a\ud800", "a\nb", "x" * 201, 5])
    def test_a_templates(self, text: Any) -> None:
        with pytest.raises(ValueError, match=r"^name: "):
            Template(name=text)

    def test_names_of_people_are_let_be(self) -> None:
        for name in ("José Ñandú", "阮文安", "محمد", "O'Brien-Smith", "Suharto", "X Æ A-12", "नेहा\u200dशर्मा", "d’Arc"):
            assert Applicant(reference="r", name=name).full_name == name

    def test_what_is_said_holds_nothing_of_the_text(self) -> None:
        for value in ("Zyxonara\n", "Zyxonara\ud800", "Zyxonara" * 100):
            with pytest.raises(ValueError) as caught:
                Applicant(reference="r", name=value)
            assert "Zyxonara" not in str(caught.value)


class TestApplicants:
    @pytest.mark.parametrize("born", ["1990-01-02", datetime(1990, 1, 2, tzinfo=UTC), date(1899, 12, 31), date(9999, 1, 1), 19900102])  # fmt: skip
    def test_a_birthdate_is_a_plausible_date(self, born: Any) -> None:
        with pytest.raises(ValueError, match=r"^birthdate: "):
            Applicant(reference="r", birthdate=born)

    @pytest.mark.parametrize("number", ["+٩٦٦٥٠٠٠٠٠٠٠١", "+４９１２３４５６７８", "+4912345678²", "+0123456789", "+49 123 456", 49123456, "+573005550101\n"])  # fmt: skip
    def test_a_phone_number_has_ascii_digits(self, number: Any) -> None:
        with pytest.raises(ValueError, match=r"^phone_number: "):
            Applicant(reference="r", phone_number=number)

    @pytest.mark.parametrize("mail", ["ana", "@example.org", "ana@", "a na@example.org", "a@b@c", "x" * 250 + "@b.org", "<ana@example.org>", "ana@example..org", ".ana@example.org", "a..b@example.org", "ana@.example.org", "ana@example.org.", "ana@-example.org", "a@b.org,c@d.org", "mailto:a@b.org", "ana@[192.0.2.1]"])  # fmt: skip
    def test_an_email_is_an_address(self, mail: str) -> None:
        with pytest.raises(ValueError, match=r"^email: "):
            Applicant(reference="r", email=mail)

    @pytest.mark.parametrize("mail", ["ana+kyc@example.org", "o'brien@mail.example.org", "josé@españa.example", "ana_ruiz-x@a-b.co"])  # fmt: skip
    def test_mail_addresses_of_people_are_taken(self, mail: str) -> None:
        assert Applicant(reference="r", email=mail).email == mail

    @pytest.mark.parametrize("locale", ["", "es_CO", "en-US.UTF-8", "es-", "e s", "x" * 40, "español", None])
    def test_a_locale_is_a_language_tag(self, locale: Any) -> None:
        with pytest.raises(ValueError, match=r"^locale: "):
            Applicant(reference="r", locale=locale)

    def test_countries(self) -> None:
        assert Applicant(reference="r", country="XK").country == "XK"
        for wrong in ("XX", "xk", ["IN"], 7):
            with pytest.raises(ValueError, match=r"^country: "):
                Applicant(reference="r", country=wrong)  # type: ignore[arg-type]

    def test_nobody_is_born_tomorrow(self, vendor: Vendor) -> None:
        clock = FakeClock()
        young = Applicant(reference="r", name="A B", birthdate=clock.now().date().replace(year=clock.now().year + 1))
        with pytest.raises(InvalidOrder, match="must be in the past") as caught:
            gateway(vendor, clock).open(order(applicant=young))
        assert caught.value.fields == ("applicant.birthdate",)
        assert vendor.requests == []


class TestOrders:
    @pytest.mark.parametrize("url", ["https://platform.example", "https://platform.example:8443/a?b=c%20d#e", "http://localhost:3000/x", "http://127.0.0.1/x", "http://[::1]:80/x", "HTTPS://Platform.Example/"])  # fmt: skip
    def test_a_browser_can_be_sent_there(self, url: str) -> None:
        assert order(return_url=url).return_url == url

    @pytest.mark.parametrize(
        "url",
        [
            "http://platform.example/",
            "platform.example",
            "/done",
            "javascript:alert(1)",
            "https://platform.example/\r\nSet-Cookie: a=b",
            "https://platform.example/a b",
            "https://user:pw@platform.example/",
            "https://good.example\\@evil.example/",
            "https://platform.example/%zz",
            "https://platform.example/\ud800",
            "https://platform.example/<x>",
            "https://platform..example/",
            "https://:443/",
            "https://platform.example:x/",
            "https://platform.example:99999/",
            "https://platform.example:0/",
            "https://[:::::]/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://0x7f000001/",
            "http://127.999.1.1/",
            "https://platform.example/%0d%0aSet-Cookie:a",
            "https://platform.example/%00",
            "http://localhost.evil.example/",
            "https://platform.example/" + "x" * 2000,
            "",
            7,
        ],
    )
    def test_or_not(self, url: Any) -> None:
        with pytest.raises(ValueError, match=r"^return_url: "):
            order(return_url=url)

    def test_an_iri_is_refused_with_advice(self) -> None:
        with pytest.raises(ValueError, match="percent-encode"):
            order(return_url="https://platform.example/спасибо")

    @pytest.mark.parametrize("option", [float("nan"), float("inf"), date(2026, 1, 1), {1, 2}, "\ud800", {"deep": [b"x"]}, Secret("x"), "x" * 100_001, {5: "x"}, [{"a": {None: 1}}], 10**400])  # fmt: skip
    def test_options_are_json(self, option: Any) -> None:
        with pytest.raises(ValueError, match=r"^vendor_options\.atlas\.flow_params: "):
            order(vendor_options={"atlas": {"flow_params": option}})

    def test_options_that_hold_themselves_are_no_json(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(ValueError, match=r"^vendor_options\.atlas\.x: "):
            order(vendor_options={"atlas": {"x": endless}})

    @pytest.mark.parametrize(
        "options", ["x", {"atlas": "x"}, {"atlas": None}, {5: {}}, [("atlas", {})], {"atlas": {5: 1}}]
    )
    def test_options_belong_to_a_vendor(self, options: Any) -> None:
        with pytest.raises(ValueError, match=r"^vendor_options"):
            order(vendor_options=options)

    @pytest.mark.parametrize(
        "metadata", [{"a": 1}, {"a": None}, {"a": "\ud800"}, {"a\n": "x"}, {1: "x"}, "x", {"a": "x" * 2001}]
    )
    def test_metadata_are_texts(self, metadata: Any) -> None:
        with pytest.raises(ValueError, match=r"^metadata"):
            order(metadata=metadata)

    def test_one_document_type_is_a_list_of_one(self) -> None:
        assert order(documents="tax_card").documents == ("tax_card",)

    @pytest.mark.parametrize("wrong", [None, {"product": "x"}, "APP-1"])
    def test_the_gateway_takes_orders_only(self, vendor: Vendor, wrong: Any) -> None:
        idv = gateway(vendor)
        for call in (idv.open, idv.recover, idv.explain):
            with pytest.raises(InvalidOrder, match="must be a FlowOrder"):
                call(wrong)
        with pytest.raises(ValueError, match=r"^applicant: "):
            order(applicant=wrong)

    @pytest.mark.parametrize("wrong", [None, 5, "", "x", "acme-1/", "acme-1/\ud800", "acme-1/" + "x" * 5000, "acme-1/a\nb", b"acme-1/x"])  # fmt: skip
    def test_a_flow_is_named_by_a_reference(self, vendor: Vendor, wrong: Any) -> None:
        idv = gateway(vendor)
        one = [Document("pan", content=b"x")]
        for call in (idv.result, idv.status, idv.submit, idv.wait, idv.renew_link, lambda flow: idv.upload(flow, one)):
            with pytest.raises(InvalidOrder):
                call(wrong)
        assert vendor.requests == []

    @pytest.mark.parametrize("id", ["\ud800", "x" * 5000, ".."])
    def test_a_flow_value_with_an_id_that_cannot_be_sent(self, vendor: Vendor, id: str) -> None:
        with pytest.raises(InvalidOrder):
            gateway(vendor).result(Flow(id=id, status="open", account="acme-1"))

    @pytest.mark.parametrize("wrong", [Document("pan", content=b"x"), None, 5, "pan", ["pan"], [None]])
    def test_documents_are_a_list(self, vendor: Vendor, wrong: Any) -> None:
        with pytest.raises(InvalidOrder, match="must be a list") as caught:
            gateway(vendor).upload("acme-1/f-1", wrong)
        assert caught.value.fields == ("documents",)

    def test_what_we_refuse_ourselves_speaks_of_no_repeat(self, vendor: Vendor) -> None:
        with pytest.raises(InvalidOrder) as caught:
            gateway(vendor).status("nonsense")
        assert "repeat" not in str(caught.value)


class TestConfigurationsInPython:
    """What is a table in the file is a class in Python: a dict for it is refused by name, and not found out in use."""

    @pytest.mark.parametrize(
        "wrong", ["idv.toml", Path("idv.toml"), {"acme-1": {}}, None, 5, [{"name": "acme-1"}], ACCOUNT]
    )
    def test_a_gateway_is_made_of_accounts(self, wrong: Any) -> None:
        for cls in (Gateway, AsyncGateway):
            with pytest.raises(ConfigError, match=r"^accounts: must be a list of Account.*use load\(path\)"):
                cls(wrong)

    @pytest.mark.parametrize("wrong", ["strict", {"verdict": "require"}, None])
    def test_its_policy_is_a_policy(self, wrong: Any) -> None:
        with pytest.raises(ConfigError, match=r"^policy: must be Policy\(\.\.\.\), not "):
            Gateway([ACCOUNT], policy=wrong)

    @pytest.mark.parametrize("field", ["limits", "retry", "circuit", "polling", "price"])
    def test_the_parts_of_an_account_are_values(self, field: str) -> None:
        with pytest.raises(ValueError, match=rf"^{field}: must be {field.capitalize()}\(\.\.\.\), not a table"):
            attrs.evolve(ACCOUNT, **{field: {}})

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"to": "acme-1", "when": {"product": "x"}}, r"^when: must be When\(\.\.\.\), not a table"),
            ({"to": "acme-1", "shadow": "acme-2"}, r"^shadow: must be Shadow\(\.\.\.\), not a string"),
            ({"to": ["acme-1"]}, r"^to: must be a non-empty string"),
        ],
    )
    def test_the_parts_of_a_route_are_values(self, more: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Route(name="a", **more)

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"accounts": [{"name": "acme-1"}]}, r"^accounts: must hold Account values only"),
            (
                {"accounts": [ACCOUNT], "routes": [{"name": "a", "to": "acme-1"}]},
                r"^routes: must hold Route values only",
            ),
            ({"accounts": [ACCOUNT], "policies": {"a": {}}}, r"^policies: must hold a Policy under each name"),
        ],
    )
    def test_the_parts_of_a_configuration_are_values(self, more: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Configuration(**more)


@pytest.mark.parametrize("wrong", ["{}", b"{}", None, []])
def test_what_was_stored_is_read_from_a_dict(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be a dict, as to_json gave it, not ") as caught:
        from_json(Flow, wrong)
    assert ("json.loads" in str(caught.value)) is isinstance(wrong, (str, bytes))


def test_an_operation_that_a_vendor_does_not_have_is_no_bug_of_its_plugin(vendor: Vendor) -> None:
    with pytest.raises(UnsupportedOperation, match="plugin 'acme' has no 'reslt'; did you mean 'result'"):
        gateway(vendor).vendor(lambda acme: acme.reslt("f-1"))
    with pytest.raises(PluginError, match="bug in plugin 'acme'"):
        gateway(vendor).vendor(lambda acme: [].nothing)


class Pieces(io.RawIOBase):
    """A raw stream such as a pipe: gives a few bytes at a time, and cannot be turned back."""

    def __init__(self, content: bytes, piece: int) -> None:
        self._left, self._piece = content, piece

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._left = self._left[: min(self._piece, len(buffer))], self._left[min(self._piece, len(buffer)) :]
        buffer[: len(part)] = part
        return len(part)


class Unsaid:
    """A file that does not tell whether it can be turned back."""

    def __init__(self, content: bytes) -> None:
        inner = io.BytesIO(content)
        self.read, self.seek = inner.read, inner.seek


class Speaks:
    """An object whose read() gives what it is told to."""

    def __init__(self, *said: Any) -> None:
        self._said: Iterator[Any] = iter(said)

    def read(self, _: int) -> Any:
        said = next(self._said, b"")
        if isinstance(said, Exception):
            raise said
        return said


def content_of(document: Document, limit: int = 10_000) -> Any:
    return read_document(document, limit).content


class TestContents:
    @pytest.mark.parametrize(
        "content",
        [
            JPEG_BYTES,
            bytearray(JPEG_BYTES),
            memoryview(JPEG_BYTES),
            array.array("B", JPEG_BYTES),
            io.BytesIO(JPEG_BYTES),
            io.BytesIO(JPEG_BYTES).getbuffer(),
        ],
        ids=lambda content: type(content).__name__,
    )
    def test_bytes_in_any_holder(self, content: Any) -> None:
        back = io.BytesIO(JPEG_BYTES) if isinstance(content, io.BytesIO) else content
        read = read_document(Document("id", content=content, back_content=back), 100)
        assert (read.content, read.back_content) == (JPEG_BYTES, JPEG_BYTES)

    def test_one_open_file_is_one_picture(self, vendor: Vendor) -> None:
        file = io.BytesIO(JPEG_BYTES)
        with pytest.raises(ValueError, match="must be two file objects"):
            Document("id", content=file, back_content=file)
        with pytest.raises(InvalidOrder, match="another document has the same file object") as caught:
            gateway(vendor).upload("acme-1/f", [Document("id", content=file), Document("pan", content=file)])
        assert caught.value.fields == ("pan",)
        assert vendor.requests == []

    def test_what_is_changed_later_stays_out(self) -> None:
        buffer = bytearray(JPEG_BYTES)
        document = Document("id", content=buffer)
        buffer[:] = b"y" * len(buffer)
        assert content_of(document) == JPEG_BYTES

    @pytest.mark.parametrize("content", ["front.jpg", 5, None, object(), [1, 2], Path("x"), io.BytesIO])
    def test_others_are_refused_when_the_document_is_made(self, content: Any) -> None:
        with pytest.raises(ValueError, match="content"):
            Document("id", content=content)
        if content is not None:
            with pytest.raises(ValueError, match=r"^back_content: "):
                Document("id", content=b"x", back_content=content)

    def test_an_asynchronous_file_is_told_apart(self) -> None:
        class Starlettes:
            async def read(self, _: int = -1) -> bytes:
                return b"x"

        with pytest.raises(ValueError, match="await"):
            Document("id", content=Starlettes())  # type: ignore[arg-type]

        async def later() -> bytes:
            return b"x"

        with pytest.raises(InvalidOrder, match="must be blocking"):
            content_of(Document("id", content=Speaks(later())))  # type: ignore[arg-type]

    @given(content=st.binary(min_size=1, max_size=300), piece=st.integers(1, 50))
    def test_a_stream_is_read_to_its_end_whatever_it_gives_at_a_time(self, content: bytes, piece: int) -> None:
        assert content_of(Document("id", content=Pieces(content, piece))) == content  # type: ignore[arg-type]

    def test_no_more_is_read_than_is_taken(self) -> None:
        endless = Pieces(b"x" * 100_000, 10)
        with pytest.raises(InvalidOrder, match="larger than 100 bytes"):
            content_of(Document("id", content=endless), 100)  # type: ignore[arg-type]
        assert len(endless._left) > 90_000

    @pytest.mark.parametrize("position", [0, 4, len(JPEG_BYTES)])
    def test_a_file_is_read_from_its_beginning_each_time(self, position: int) -> None:
        file = io.BytesIO(JPEG_BYTES)
        file.seek(position)
        document = Document("id", content=file)
        assert [content_of(document), content_of(document)] == [JPEG_BYTES, JPEG_BYTES]

    def test_a_file_that_does_not_say_that_it_can_be_turned_back_is_tried(self) -> None:
        """As mmap before Python 3.13."""
        file = Unsaid(JPEG_BYTES)
        file.read(4)
        document = Document("id", content=file)  # type: ignore[arg-type]
        assert [content_of(document), content_of(document)] == [JPEG_BYTES, JPEG_BYTES]

    def test_a_stream_that_cannot_be_turned_back_says_that_it_was_read(self) -> None:
        document = Document("id", content=Pieces(JPEG_BYTES, 5))  # type: ignore[arg-type]
        assert content_of(document) == JPEG_BYTES
        with pytest.raises(InvalidOrder, match="already read"):
            content_of(document)

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            (None, "non-blocking"),
            ("text", "binary mode"),
            (OSError("x"), "cannot be read"),
            (ValueError("x"), "closed"),
            (EOFError("Meera"), r"cannot be read \(EOFError\)"),
            (KeyError("Meera"), r"cannot be read \(KeyError\)"),
            (RuntimeError("Meera"), r"cannot be read \(RuntimeError\)"),
            (UnicodeDecodeError("utf-8", b"x", 0, 1, "Meera"), "binary mode"),
        ],
    )
    def test_what_goes_wrong_while_reading(self, said: Any, problem: str) -> None:
        with pytest.raises(InvalidOrder, match=problem) as caught:
            content_of(Document("id", content=Speaks(b"x", said)))  # type: ignore[arg-type]
        assert caught.value.fields == ("id",)

    @pytest.mark.parametrize("broken", [{"read": lambda self: b"x"}, {"seekable": True}, {"seek": lambda *_: 1 / 0}])
    def test_what_only_looks_like_a_file(self, broken: dict[str, Any]) -> None:
        stream = type("Broken", (io.BytesIO,), broken)(JPEG_BYTES)
        with pytest.raises(InvalidOrder, match="cannot be read") as caught:
            content_of(Document("id", content=stream))
        assert caught.value.fields == ("id",)

    def test_a_closed_file(self) -> None:
        file = io.BytesIO(JPEG_BYTES)
        file.close()
        with pytest.raises(InvalidOrder, match="closed"):
            content_of(Document("id", content=file))

    def test_a_pipe_by_its_path_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InvalidOrder, match="must be a regular file"):
            content_of(Document("id", path=tmp_path / "pipe"))
        with pytest.raises(InvalidOrder, match="must be a regular file"):
            content_of(Document("id", path=tmp_path))

    @pytest.mark.parametrize("path", ["a\x00b", "\ud800"])
    def test_a_path_that_is_none(self, path: str) -> None:
        with pytest.raises(InvalidOrder):
            content_of(Document("id", path=path))

    @pytest.mark.parametrize("path", [5, b"x", object()])
    def test_a_path_is_a_text_or_a_path(self, path: Any) -> None:
        with pytest.raises(ValueError, match=r"^path: "):
            Document("id", path=path)

    def test_a_back_belongs_to_a_picture_that_is_read(self) -> None:
        with pytest.raises(ValueError, match="make a second Document"):
            Document("id", url="https://files.example/a", back_content=b"x")

    def test_a_failed_upload_can_be_repeated_with_the_same_value(self, vendor: Vendor) -> None:
        vendor.answers["POST /flows/f-1/files"] = lambda _: httpx.Response(503)
        idv, document = gateway(vendor), Document("id", content=io.BytesIO(JPEG_BYTES))
        with pytest.raises(IdvError):
            idv.upload("acme-1/f-1", [document])
        vendor.answers.clear()
        assert [upload.document_id for upload in idv.upload("acme-1/f-1", [document]).uploads] == ["id"]


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
KINDS = [
    (JPEG_BYTES, JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"%PDF-1.7", PDF),
    (b"\xef\xbb\xbf\r\n%PDF-1.4", PDF),
    (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
    (HEIC, "image/heic"),
    (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heicmiaf", "image/heic"),
    (b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1", "image/heif"),
    (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1", "image/avif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00", "image/bmp"),
]


class TestPictures:
    @pytest.mark.parametrize(("content", "kind"), KINDS)
    def test_they_are_told_by_their_first_bytes(self, content: bytes, kind: str) -> None:
        assert picture_type(content + bytes(100)) == kind
        assert picture_names([kind])

    @pytest.mark.parametrize(
        "content",
        [b"", b"root:x:0:0:root:/root:/bin/bash\n", b"<svg/>", b"BMW is no picture, but a car", b"\x00\x00\x00\x18ftypisom", b"RIFF....WAVE", b"{}", b"ftyp"],
    )  # fmt: skip
    def test_others_are_no_pictures(self, content: bytes) -> None:
        assert picture_type(content) is None

    @given(
        st.binary(max_size=64) | st.sampled_from([content for content, _ in KINDS]).flatmap(lambda c: st.just(c[:-1]))
    )
    def test_any_bytes_are_looked_at(self, content: bytes) -> None:
        picture_type(content)

    class Adapter:
        accepts = {UploadKind.DOCUMENT: frozenset({JPEG, PNG, PDF}), UploadKind.SELFIE: frozenset({JPEG, PNG})}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            (Document("id", content=HEIC), "document 'id' is a HEIC picture; this vendor reads JPEG, PNG, PDF"),
            (Document("id", content=JPEG_BYTES, back_content=HEIC), "document 'id' is a HEIC picture"),
            (Document.selfie(content=b"%PDF-1.7"), "document 'selfie' is a PDF; this vendor reads JPEG, PNG"),
            (Document("id", content=b"root:x:0:0"), "document 'id' is not a picture; this vendor reads JPEG, PNG, PDF"),
        ],
    )
    def test_what_a_vendor_does_not_read_is_refused_by_name(self, document: Document, said: str) -> None:
        with pytest.raises(InvalidOrder) as caught:
            check_pictures([document], self.Adapter())
        assert said in str(caught.value)
        assert caught.value.fields == (document.id,)

    def test_the_rest_passes(self) -> None:
        good = [
            Document("a", content=b"%PDF-1.7"),
            Document.selfie(content=JPEG_BYTES),
            Document("b", url="https://x/y"),
        ]
        check_pictures(good, self.Adapter())
        check_pictures([Document("a", content=b"x")], object())

    @pytest.mark.parametrize("vendor", ["onfido-checks", "verifik"])
    def test_vendors_that_take_pictures_say_which(self, vendor: str) -> None:
        harness = HARNESSES[vendor](FakeClock())
        asked: list[str] = []
        idv = Driver(attrs.evolve(harness, transport=httpx.MockTransport(lambda r: asked.append(r.url.path))), "sync")
        assert isinstance(idv.adapter, PictureProtocol)
        for document in (
            Document("id", content=HEIC),
            Document.selfie(content=b"%PDF-1.7"),
            Document("x", content=b"text"),
        ):
            with pytest.raises(InvalidOrder, match="this vendor reads"):
                idv.upload(f"{UNDER_TEST}/f-1", [document])
        assert asked == []


# One gateway for each vendor; what is looked at below happens before anything is sent.
DRIVERS = {name: Driver(make(FakeClock()), "sync") for name, make in HARNESSES.items()}
PERSON = {
    "reference": "C-1",
    "name": "Ana Ruiz",
    "given_name": "Ana",
    "family_name": "Ruiz",
    "email": "ana@example.org",
}
OF_PERSON = st.sampled_from([*PERSON, "phone_number", "country", "locale"])
OF_ORDER = st.sampled_from(["product", "application_id", "template", "tenant", "documents", "return_url"])


def made(make: Any, **fields: Any) -> Any:
    """The value, or None where it was refused at once by the name of a field."""
    try:
        return make(**fields)
    except ValueError as error:
        named = str(error).replace(".", ":").partition(":")[0].split()[0]
    if named not in fields:
        pytest.fail(f"{named} is no field of {make.__name__}")
    return None


def first_request(exchange: Any) -> Request | None:
    try:
        return next(exchange)  # type: ignore[no-any-return]
    except InvalidOrder:
        return None


def sent(driver: Driver, exchange: Any) -> None:
    """Its first request goes as far as the bytes, whatever stands in it."""
    request = first_request(exchange)
    if request is not None:
        session = driver.gateway._state.active.sessions[UNDER_TEST]
        signed = session.adapter.authorize(request, Secret("token"), session_now(driver))
        try:
            encode(session, signed, session.base_url + signed.target, 10.0)
        except InvalidOrder:
            pytest.fail("what was let in cannot be sent")


def session_now(driver: Driver) -> datetime:
    return driver.gateway._state.clock.now()  # type: ignore[no-any-return]


@pytest.mark.parametrize("vendor", HARNESSES)
class TestWhatIsLetInCanBeSent:
    @given(field=OF_PERSON, value=texts)
    def test_applicants(self, vendor: str, field: str, value: str) -> None:
        person = made(Applicant, **{**PERSON, field: value})
        if person is not None:
            self.opened(vendor, FlowOrder(product="p", application_id="A", applicant=person))

    @given(field=OF_ORDER, value=texts)
    def test_orders(self, vendor: str, field: str, value: str) -> None:
        fields = {"product": "p", "application_id": "A", "applicant": Applicant(**PERSON), field: value}
        asked = made(FlowOrder, **fields)
        if asked is not None:
            self.opened(vendor, asked)
            self.opened(
                vendor,
                attrs.evolve(asked, urls=FlowUrls(lambda word: Secret(f"https://platform.example/idv/a/{word}"))),
            )

    def opened(self, vendor: str, asked: FlowOrder) -> None:
        driver = DRIVERS[vendor]
        sent(driver, driver.adapter.open_flow(asked))

    @given(id=texts, type=st.none() | texts)
    def test_documents(self, vendor: str, id: Any, type: Any) -> None:
        driver = DRIVERS[vendor]
        if not isinstance(driver.adapter, UploadProtocol):
            return
        flow = Flow(id="a:b", status="open", account=UNDER_TEST, secrets={"token": Secret("t")})
        for source in ({"content": JPEG_BYTES, "back_content": JPEG_BYTES}, {"url": "https://files.example/a"}):
            document = made(Document, id=id, type=type, country="XK", **source)
            if document is not None:
                sent(driver, driver.adapter.upload(flow, (document,)))


@given(json_values)
def test_any_json_is_taken_as_an_option(value: Any) -> None:
    asked = order(vendor_options={"atlas": {"x": value}})
    assert json.loads(json.dumps(asked.vendor_options["atlas"]["x"])) == value


def test_a_body_that_cannot_be_sent_is_the_callers_mistake(vendor: Vendor) -> None:
    """Through `vendor(...)` anything can be given to a plugin's own call."""

    def call(_: Any) -> Any:
        reply = yield Request.post("/flows", json={"x": float("nan")})
        return reply

    with pytest.raises(InvalidOrder, match="nothing was sent"):
        gateway(vendor).vendor(call)


def test_the_limit_of_an_upload_is_kept(vendor: Vendor) -> None:
    account = attrs.evolve(ACCOUNT, limits=Limits(max_upload=10))
    with pytest.raises(InvalidOrder, match="larger than 10 bytes"):
        gateway(vendor, account=account).upload("acme-1/f-1", [Document("a", content=Pieces(b"x" * 11, 3))])  # type: ignore[arg-type]
