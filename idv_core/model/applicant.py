"""The person who is verified. Claim names follow OpenID Connect Core 5.1 where it has one."""

from __future__ import annotations

from datetime import date

import attrs

from .dark import not_pickled
from .values import is_country, is_text


@not_pickled
@attrs.frozen(kw_only=True)
class Applicant:
    """One person. Only `reference`, `country` and `locale` are ever shown by `repr`.

    `reference` is your own stable, meaningless id of the person (not a national number: vendors keep it).
    `phone_number` is E.164 (`+573005550101`), `country` ISO 3166-1 alpha-2, `locale` a BCP 47 tag.
    """

    reference: str = attrs.field(validator=is_text)
    name: str | None = attrs.field(default=None, repr=False)
    given_name: str | None = attrs.field(default=None, repr=False)
    family_name: str | None = attrs.field(default=None, repr=False)
    birthdate: date | None = attrs.field(default=None, repr=False)
    email: str | None = attrs.field(default=None, repr=False)
    phone_number: str | None = attrs.field(default=None, repr=False)
    country: str | None = attrs.field(default=None, validator=is_country)
    locale: str = "en"

    @phone_number.validator
    def _check_phone_number(self, _: object, value: str | None) -> None:
        if value is not None and not (value.startswith("+") and value[1:].isdigit() and 7 <= len(value) <= 16):
            raise ValueError("phone_number: E.164 is needed, a plus and 6 to 15 digits")

    @property
    def full_name(self) -> str | None:
        """`name`, or given and family name joined by a blank."""
        return self.name or " ".join(part for part in (self.given_name, self.family_name) if part) or None

    def personal_texts(self) -> tuple[str, ...]:
        """Every text that tells who this is, for those who must keep them out of logs and errors."""
        born = self.birthdate.isoformat() if self.birthdate else None
        texts = (self.name, self.given_name, self.family_name, self.email, self.phone_number, born)
        return tuple(text for text in texts if text)
