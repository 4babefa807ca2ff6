"""`Plaid-Verification`: what Plaid's way of signing accepts, and what it refuses. PyJWT judges both sides."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_plaid.signature import check_signature, key_id
from idv_plaid.testing.signer import SigningKey

from idv_core.errors import WebhookRejected
from idv_core.testing import FakeClock

CLOCK = FakeClock()
NOW = CLOCK.now()
KEY = SigningKey(NOW)
BODY = b'{\n  "webhook_type": "IDENTITY_VERIFICATION"\n}'
TOLERANCE = timedelta(minutes=5)


def check(token: str, body: bytes = BODY, key: dict[str, Any] | None = None, after: float = 0) -> None:
    check_signature(token, body, KEY.jwk() if key is None else key, NOW + timedelta(seconds=after), TOLERANCE)


def test_what_the_emulator_signs_pyjwt_accepts() -> None:
    public = jwt.PyJWK(KEY.jwk()).key
    claims = jwt.decode(KEY.token(BODY, NOW), public, algorithms=["ES256"], options={"verify_iat": False})
    assert claims == {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}


def test_what_pyjwt_signs_is_accepted() -> None:
    claims = {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
    token = jwt.encode(claims, KEY._private, algorithm="ES256", headers={"kid": KEY.id})
    assert key_id(token) == KEY.id
    check(token)
    with pytest.raises(WebhookRejected):
        check(token, BODY + b" ")


@pytest.mark.parametrize(
    ("after", "accepted"), [(0, True), (300, True), (301, False), (-60, True), (-61, False), (10**6, False)]
)
def test_a_signature_is_good_for_five_minutes(after: float, accepted: bool) -> None:
    token = KEY.token(BODY, NOW)
    if accepted:
        check(token, after=after)
        return
    with pytest.raises(WebhookRejected, match="too old, or of the future") as caught:
        check(token, after=after)
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {"iat": None}),
        ({}, {"iat": "now"}),
        ({}, {"iat": True}),
        ({}, {"request_body_sha256": None}),
        ({}, {"request_body_sha256": "é"}),
        ({"kid": "another"}, {}),
        ({"kid": 7}, {}),
    ],
)
def test_a_token_that_lacks_something_is_refused(header: dict[str, Any], claims: dict[str, Any]) -> None:
    good = {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
    payload = json.dumps({**good, **claims}).encode()
    head = {"alg": "ES256", "kid": KEY.id, "typ": "JWT", **header}
    token = jwt.api_jws.encode(payload, KEY._private, algorithm="ES256", headers={"kid": KEY.id})
    if header:
        token = KEY.token(BODY, NOW, **head)
    with pytest.raises(WebhookRejected) as caught:
        check(token)
    assert caught.value.status == 401


def test_no_other_algorithm_is_accepted() -> None:
    claims = {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
    for algorithm, secret in (("none", None), ("HS256", "a" * 32)):
        token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": KEY.id})
        assert key_id(token) is None
        with pytest.raises(WebhookRejected):
            check(token)
    mixed = KEY.token(BODY, NOW, alg="HS256")
    with pytest.raises(WebhookRejected):
        check(mixed)


def test_another_key_and_a_retired_key_are_refused() -> None:
    token = KEY.token(BODY, NOW)
    other = SigningKey(NOW)
    for key in ({**other.jwk(), "kid": KEY.id}, other.jwk(), {}, {"kid": KEY.id}, {**KEY.jwk(), "crv": "P-521"}):
        with pytest.raises(WebhookRejected):
            check(token, key=key)
    with pytest.raises(WebhookRejected, match="expired"):
        check(token, key={**KEY.jwk(), "expired_at": int(NOW.timestamp())})


@given(st.integers(min_value=0), st.characters() | st.sampled_from("-_+/=AB"))
def test_no_character_of_a_token_can_be_another(place: int, char: str) -> None:
    token = KEY.token(BODY, NOW)
    place %= len(token)
    changed = token[:place] + char + token[place + 1 :]
    if changed != token:
        with pytest.raises(WebhookRejected):
            check(changed)


@given(st.text(max_size=60))
def test_any_text_is_no_token(text: str) -> None:
    assert key_id(text) is None
    with pytest.raises(WebhookRejected):
        check(text)


@given(st.dictionaries(st.sampled_from(["kid", "kty", "crv", "x", "y"]), st.text(max_size=50) | st.integers()))
def test_any_key_is_refused_or_right(changes: dict[str, Any]) -> None:
    key = {**KEY.jwk(), **changes}
    if key != KEY.jwk():
        with pytest.raises(WebhookRejected):
            check(KEY.token(BODY, NOW), key=key)
