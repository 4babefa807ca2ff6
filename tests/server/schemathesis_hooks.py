"""For Schemathesis: what no JSON Schema can say of a value that the service takes. Loaded by `SCHEMATHESIS_HOOKS`."""

from __future__ import annotations

import itertools
import re
from datetime import date
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from server.running import DOCUMENT

from idv_core import Applicant
from idv_core.model.validation import text_fault

# no surrogates, control characters, private use and unassigned ones
_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def _is_text(value: object) -> bool:
    return text_fault(value) is None


def _is_mail(text: str) -> bool:
    try:
        Applicant(reference="x", email=text)
    except ValueError:
        return False
    return True


_TEXTS = st.text(_CHARACTERS, min_size=1).filter(_is_text)
schemathesis.openapi.format("text", _TEXTS)
schemathesis.openapi.format("line", st.text(_CHARACTERS))
schemathesis.openapi.format("lines", st.lists(_TEXTS, max_size=2).map("\n".join))
schemathesis.openapi.format("idn-email", st.emails().filter(_is_mail))
schemathesis.openapi.format("date", st.dates(date(1900, 1, 1), date(2026, 1, 1)).map(str))
schemathesis.openapi.format(
    "uri",
    st.from_regex(r"https://[a-z]{1,12}\.example(/[a-z0-9._-]{0,12}){0,3}(\?[a-z]=[a-z0-9]{0,12})?", fullmatch=True),
)

_KEY = re.compile(DOCUMENT["components"]["parameters"]["IdempotencyKey"]["schema"]["pattern"])
_numbers = itertools.count()


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: Any) -> None:
    """Each request has an `Idempotency-Key` of its own, each document of a request its own id, and every other order its own
    application: what happens otherwise, other tests tell."""
    given = (case.headers or {}).get("Idempotency-Key")
    if given and _KEY.fullmatch(given):
        case.headers["Idempotency-Key"] = f"{next(_numbers)}-{given.strip(chr(34))}"[:255].rstrip()
    number = next(_numbers)
    if isinstance(case.body, dict) and _is_text(case.body.get("application_id")) and number % 2:
        case.body["application_id"] = f"{number}-{case.body['application_id']}"[:200].strip()
    documents = case.body.get("documents") if isinstance(case.body, dict) else None
    ids = [one.get("document_id") for one in documents if isinstance(one, dict)] if isinstance(documents, list) else []
    if all(isinstance(id, str) for id in ids) and len(set(ids)) < len(ids):
        for number, one in enumerate(documents):
            one["document_id"] = f"{number}{one['document_id']}"[:200] if one["document_id"] else ""
