"""Words of Atlas that are shown in logs and errors: document types, names of checks and fields, codes of errors."""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST, _LONGEST_KEY = 60, 200
# INVALID_DOC, RTO_FORM_26, customer_name: one word, or several that hang together; no number of more than three digits
_CODE = re.compile(r"[A-Za-z]+(?:[_:.-][A-Za-z]+|[_:.-]?\d{1,3}(?!\d))*", re.ASCII)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WORD = re.compile(r"[^\s/&()_.,:-]+")
# Words of the document types and checks of the fact sheet, sections 7 and 8, and of their kind.
_WORDS = """
aadhaar aadhar ach account address agreement and articles asset association bank bill board book box business card cdl
certificate chat check closeup commencement company cost customer customers date dealer debit deed delivery deposit
document drawing driver drivers driving drug dl ebill electricity employee epic extract field first for form formatted
fssai gas gift gold gst holder id identity image imei incorporation index insurance insured invoice issue issued itr
land last lease legal letter licence license licensee limited loan mark marksheet match memorandum mobile money name
no note number of old on open operator or order other owner page pan passport permanent photo picture pledge policy
product property purchase rc receipt record registration release rent resolution return rto salary sale satbara seller
shop slip statement sticker tax title type udyam unknown utility valid validity vehicle voter wifi
"""
_HARMLESS = frozenset(_WORDS.split())


_SCALARS = frozenset({str, int, float, type(None)})


def is_plain_field(item: object) -> bool:
    """Whether it is a field as nearly all are, and says nothing besides: a value, and how sure the reader is of it."""
    return (
        type(item) is dict
        and len(item) == 2
        and "value" in item
        and "confidence_score" in item
        and type(item["value"]) in _SCALARS
        and type(item["confidence_score"]) in _SCALARS
    )


def is_code(text: str) -> bool:
    """Whether the text is one word of a machine and no sentence, address or number."""
    return len(text) <= _LONGEST and _CODE.fullmatch(text) is not None


def shown(text: str) -> str:
    """A code as it comes; of anything else only the words that types and checks are made of, `***` for the others."""
    text = text.strip()[: _LONGEST + 1]
    if is_code(text):
        return text
    return _WORD.sub(lambda word: word[0] if word[0].lower() in _HARMLESS else "***", text)


@lru_cache(maxsize=4096)
def parts(key: str) -> tuple[str, ...]:
    """The words of a key in lower case, however it is spelled: `dateOfExpiry`, `DATE_OF_EXPIRY`, `Date of expiry`."""
    return tuple(word.lower() for word in _PART.findall(key[:_LONGEST_KEY]))
