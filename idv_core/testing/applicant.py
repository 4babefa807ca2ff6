"""The applicant at a hosted page, without a browser: opens the link and fills in its forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import httpx

Form: TypeAlias = Mapping[str, str | bytes]


def submit_forms(browser: httpx.Client, url: str, *forms: Form) -> httpx.Response:
    """Open the page, send one form after the other (bytes are files), and give the last answer.

    Raises AssertionError when the page does not open.
    """
    answer = browser.get(url)
    assert answer.status_code == 200, f"the page does not open: HTTP {answer.status_code}"
    for form in forms:
        files = {name: value for name, value in form.items() if isinstance(value, bytes)}
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        answer = browser.post(url, data=texts, files=files or None)
    return answer
