"""The person who is verified. Claim names follow OpenID Connect Core 5.1 where it has one."""

from __future__ import annotations

import re
from datetime import date, datetime

import attrs

from .redacted import not_pickled
from .validation import is_country, is_locale, text

_PHONE = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)
# RFC 5321 section 4.1.2 without quoted names and addresses in brackets; RFC 6531 lets in all scripts
_MAIL = re.compile(r"""[^\s@<>()\[\]\\,;:".]+(?:\.[^\s@<>()\[\]\\,;:".]+)*@(?:(?!-)[\w-]+(?<!-)\.)*(?!-)[\w-]+(?<!-)""")
_EARLIEST, _LATEST = 1900, 2100


@not_pickled
@attrs.frozen(kw_only=True)
class Applicant:
    """One person. Only `reference`, `country` and `locale` are ever shown by `repr`.

    `reference` is your own stable, meaningless id of the person (not a national number: vendors keep it).
    `birthdate` is a `date` and no `datetime`, of the year 1900 or later (the gateway refuses one in the future),
    `phone_number` E.164 in ASCII digits (`+573005550101`), `country` ISO 3166-1 alpha-2 (and XK, Kosovo), `locale` a
    BCP 47 tag. Texts have 200 characters at most (`email` 254) and no control characters; what is not known is None.
    Raises ValueError that names the field.
    """

    reference: str = attrs.field(validator=text())
    name: str | None = attrs.field(default=None, repr=False, validator=text(optional=True))
    given_name: str | None = attrs.field(default=None, repr=False, validator=text(optional=True))
    family_name: str | None = attrs.field(default=None, repr=False, validator=text(optional=True))
    birthdate: date | None = attrs.field(default=None, repr=False)
    email: str | None = attrs.field(default=None, repr=False, validator=text(254, optional=True))
    phone_number: str | None = attrs.field(default=None, repr=False)
    country: str | None = attrs.field(default=None, validator=is_country)
    locale: str = attrs.field(default="en", validator=is_locale)

    @birthdate.validator
    def _check_birthdate(self, _: object, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, date) or isinstance(value, datetime):
            raise ValueError("birthdate: a datetime.date is needed, without a time")
        if not _EARLIEST <= value.year <= _LATEST:
            raise ValueError(f"birthdate: a year from {_EARLIEST} on is needed")

    @email.validator
    def _check_email(self, _: object, value: str | None) -> None:
        if value is not None and not _MAIL.fullmatch(value):
            raise ValueError("email: an address such as 'someone@example.org' is needed")

    @phone_number.validator
    def _check_phone_number(self, _: object, value: object) -> None:
        if value is not None and not (isinstance(value, str) and _PHONE.fullmatch(value)):
            raise ValueError("phone_number: E.164 is needed, a plus and 6 to 15 digits (0 to 9)")

    @property
    def full_name(self) -> str | None:
        """`name`, or given and family name joined by a blank."""
        return self.name or " ".join(part for part in (self.given_name, self.family_name) if part) or None

    def personal_texts(self) -> tuple[str, ...]:
        """Every text that tells who this is, for those who must keep them out of logs and errors."""
        born = self.birthdate.isoformat() if self.birthdate else None
        texts = (self.name, self.given_name, self.family_name, self.email, self.phone_number, born)
        return tuple(text for text in texts if text)
