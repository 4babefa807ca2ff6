"""Invented documents of invented people, as PNG marked SPECIMEN, with what is printed also embedded in the file.

Numbers are chosen so that nobody can own them: Aadhaar numbers never begin with 0, PAN serials never are 0000, and UTO
(Utopia) is the state that ICAO 9303 prints on its own specimens.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import attrs
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

_CHUNK = "idv-specimen"
_SIZE = (860, 540)


@attrs.frozen(kw_only=True)
class Person:
    """Somebody who does not exist. `face` seeds the drawn portrait."""

    given_name: str
    family_name: str
    birthdate: date
    sex: str
    address: str
    phone: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}"

    @property
    def face(self) -> str:
        return f"face-{self.number}"


PEOPLE: Mapping[str, Person] = {
    "meera": Person(given_name="Meera", family_name="Iyer", birthdate=date(1991, 4, 12), sex="F",
                    address="14 Hill Road, Kochi 682001", phone="5550100101", number=1),
    "rohan": Person(given_name="Rohan", family_name="Das", birthdate=date(1984, 11, 3), sex="M",
                    address="7 Lake View, Pune 411001", phone="5550100102", number=2),
    "ana": Person(given_name="Ana", family_name="Ruiz", birthdate=date(1993, 7, 21), sex="F",
                  address="Calle 10 20-30, Bogota", phone="3005550101", number=3),
    "luis": Person(given_name="Luis", family_name="Mora", birthdate=date(1979, 1, 30), sex="M",
                   address="Carrera 7 45-12, Cali", phone="3005550102", number=4),
    "aigerim": Person(given_name="Aigerim", family_name="Serik", birthdate=date(1996, 9, 9), sex="F",
                      address="Abay 5, Almaty", phone="7005550101", number=5),
    "daniyar": Person(given_name="Daniyar", family_name="Omar", birthdate=date(1988, 2, 17), sex="M",
                      address="Dostyk 9, Astana", phone="7005550102", number=6),
}  # fmt: skip


def _aadhaar(p: Person) -> dict[str, Any]:
    return {"name": p.name, "date_of_birth": f"{p.birthdate:%d/%m/%Y}", "aadhaar_number": f"0000 1111 {2222 + p.number}",
            "address": p.address}  # fmt: skip


def _pan(p: Person) -> dict[str, Any]:
    return {"name_as_per_pan": p.name.upper(), "father_name": f"A {p.family_name}".upper(),
            "dob": f"{p.birthdate:%d/%m/%Y}", "pan_number": f"ZZZP{p.family_name[0]}0000{p.given_name[0]}"}  # fmt: skip


def _passport(p: Person) -> dict[str, Any]:
    number = f"X{p.number:08d}"
    mrz = passport_mrz(p, number, date(2034, 5, 31))
    return {"name": p.name, "passport_number": number, "date_of_birth": f"{p.birthdate:%d/%m/%Y}", "gender": p.sex,
            "date_of_expiry": "31/05/2034", "nationality": "UTO", "mrz": mrz}  # fmt: skip


def _cedula(p: Person) -> dict[str, Any]:
    return {"fullName": p.name.upper(), "firstName": p.given_name.upper(), "lastName": p.family_name.upper(),
            "documentNumber": f"000{p.number:07d}", "documentType": "CC", "birthDate": p.birthdate.isoformat()}  # fmt: skip


def _kz_id(p: Person) -> dict[str, Any]:
    return {"name": p.given_name, "surname": p.family_name, "iin": f"000000{p.number:06d}",
            "birthDate": p.birthdate.isoformat(), "number": f"00000{p.number:04d}"}  # fmt: skip


def _invoice(p: Person) -> dict[str, Any]:
    return {"customer_name": p.name, "customer_address": p.address, "customer_phone_number": p.phone,
            "dealership_name": "Lantern Electronics", "dealer_address": "2 Market Street, Kochi 682011",
            "invoice_number": f"INV-{p.number:05d}", "invoice_date": "01/03/2026", "total_invoice_amount": "18,999.00",
            "imei_number": ["350000000000017"], "serial_number": [f"SN-{p.number:05d}"]}  # fmt: skip


def _delivery_order(p: Person) -> dict[str, Any]:
    return {"customer_name": p.name, "customer_delivery_address": p.address, "customer_mobile_number": p.phone,
            "dealer_name": "Lantern Electronics", "dealer_address": "2 Market Street, Kochi 682011",
            "product_total_cost": "18,999.00", "emi_amount": "1,583.25"}  # fmt: skip


_KINDS: Mapping[str, tuple[str, Any]] = {
    "pan": ("PAN", _pan),
    "aadhaar": ("AADHAAR", _aadhaar),
    "passport": ("PASSPORT", _passport),
    "cedula": ("CEDULA", _cedula),
    "kz-id": ("KZ_ID", _kz_id),
    "invoice": ("INVOICE", _invoice),
    "delivery-order": ("DELIVERY_ORDER", _delivery_order),
    "selfie": ("SELFIE", lambda _: {}),
}
KINDS = tuple(_KINDS)
_WITH_PORTRAIT = frozenset({"PAN", "AADHAAR", "PASSPORT", "CEDULA", "KZ_ID", "SELFIE"})


@attrs.frozen(kw_only=True)
class Specimen:
    """What an emulator reads on a specimen: its type, its fields, and whose face is on it (None: nobody's)."""

    type: str
    fields: Mapping[str, Any]
    face: str | None = None
    flaw: str | None = None


def make_specimen(kind: str, person: Person, *, flaw: str | None = None, **changes: Any) -> bytes:
    """A PNG of that kind. `changes` replace printed fields; `flaw` is what an emulator finds wrong with the picture."""
    type_, fill = _KINDS[kind]
    fields = {**fill(person), **changes}
    specimen = Specimen(type=type_, fields=fields, face=person.face if type_ in _WITH_PORTRAIT else None, flaw=flaw)
    return _png(json.dumps(attrs.asdict(specimen)))


@cache
def _png(printed: str) -> bytes:
    image = _draw(Specimen(**json.loads(printed)))
    info = PngImagePlugin.PngInfo()
    info.add_itxt(_CHUNK, printed)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info, optimize=False)
    return file.getvalue()


def read_specimen(content: object) -> Specimen | None:
    """What stands on the specimen, or None when the file is no specimen, no picture, or no bytes at all."""
    if not isinstance(content, bytes):
        return None
    try:
        with Image.open(io.BytesIO(content)) as image:
            data = json.loads(image.info.get(_CHUNK, ""))
        return Specimen(**data)
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError):
        return None


def is_picture(content: bytes) -> bool:
    """Whether the bytes are a picture at all."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.verify()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def passport_mrz(person: Person, number: str, expiry: date) -> list[str]:
    """The machine readable zone of a TD3 passport: two lines of 44 characters (ICAO 9303 part 4, section 4.2)."""
    names = f"{person.family_name}<<{person.given_name}".upper().replace(" ", "<")
    first = f"P<UTO{names}".ljust(44, "<")[:44]
    number = number.ljust(9, "<")[:9]
    number += mrz_check_digit(number)
    born = f"{person.birthdate:%y%m%d}"
    born += mrz_check_digit(born)
    ends = f"{expiry:%y%m%d}"
    ends += mrz_check_digit(ends)
    personal = "<" * 14 + mrz_check_digit("<" * 14)
    return [first, f"{number}UTO{born}{person.sex}{ends}{personal}{mrz_check_digit(number + born + ends + personal)}"]


def mrz_check_digit(text: str) -> str:
    """The check digit of ICAO 9303 part 3, section 4.9: weights 7, 3, 1; A is 10, `<` is 0."""
    values = (0 if char == "<" else int(char, 36) for char in text)
    return str(sum(value * (7, 3, 1)[index % 3] for index, value in enumerate(values)) % 10)


def _draw(specimen: Specimen) -> Image.Image:
    image = Image.new("RGB", _SIZE, "#f4f1e8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, _SIZE[0], 70), fill="#23405c")
    draw.text((24, 18), specimen.type.replace("_", " "), font=_font(34), fill="white")
    top, left = 92, 24
    if specimen.face:
        box = (230, 120, 630, 520) if specimen.type == "SELFIE" else (24, 100, 264, 340)
        _draw_face(draw, specimen.face, box)
        left = 290
    for name, value in specimen.fields.items():
        if name == "mrz":
            for index, line in enumerate(value):
                draw.text((24, 440 + index * 36), line, font=_font(28), fill="#111")
            continue
        draw.text(
            (left, top),
            f"{name}: {', '.join(value) if isinstance(value, list) else value}",
            font=_font(20),
            fill="#222",
        )
        top += 34
    mark = Image.new("RGBA", _SIZE)
    ImageDraw.Draw(mark).text((110, 210), "SPECIMEN", font=_font(130), fill=(190, 20, 20, 70))
    image.paste(mark.rotate(18), (0, 0), mark.rotate(18))
    return image


def _draw_face(draw: ImageDraw.ImageDraw, face: str, box: tuple[int, int, int, int]) -> None:
    dice = random.Random(face)  # noqa: S311, a drawing
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    draw.rectangle(box, fill="#dfe7ee")
    skin, hair = (
        dice.choice(["#f0c8a0", "#d8a878", "#a87850", "#8a5a3a"]),
        dice.choice(["#2b1b10", "#5a3a1a", "#111111"]),
    )
    draw.ellipse((left + width * 0.18, top + height * 0.1, right - width * 0.18, bottom - height * 0.05), fill=hair)
    draw.ellipse((left + width * 0.26, top + height * 0.25, right - width * 0.26, bottom - height * 0.08), fill=skin)
    for x in (0.4, 0.6):
        draw.ellipse(
            (left + width * x - 8, top + height * 0.5 - 8, left + width * x + 8, top + height * 0.5 + 8), fill="#222"
        )
    draw.arc(
        (left + width * 0.4, top + height * 0.6, right - width * 0.4, top + height * 0.78),
        10,
        170,
        fill="#722",
        width=4,
    )


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
