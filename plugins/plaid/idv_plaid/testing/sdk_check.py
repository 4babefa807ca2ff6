"""Plaid's own client drives the emulator over real sockets; `tests/test_judged.py` goes further."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

import httpx

from idv_core.testing import FakeClock, serve, submit_forms

from .emulator import PlaidEmulator


def client_of(emulator: PlaidEmulator, url: str, secret: str | None = None) -> Any:
    """Plaid's client, pointed at the emulator."""
    plaid, api = import_module("plaid"), import_module("plaid.api.plaid_api")
    keys = {"clientId": emulator.client_id, "secret": secret or emulator.secret}
    return api.PlaidApi(plaid.ApiClient(plaid.Configuration(host=url, api_key=keys)))


def model(name: str, /, *values: Any, **members: Any) -> Any:
    """A model of the client by the name of its module: `model("strategy", "reset")`."""
    module = import_module(f"plaid.model.{name}")
    return getattr(module, "".join(part.title() for part in name.split("_")))(*values, **members)


def checked_by_sdk() -> str:
    """The life of a verification, its list, a retry and a key, as the client's models take them. Which client it was."""
    from .harness import MEERA, forms

    clock = FakeClock()
    emulator = PlaidEmulator(clock)
    clock.on_advance.append(emulator.tick)
    named = {"client_user_id": "CUST-1", "template_id": emulator.template_id}
    name = model("identity_verification_request_user_name", given_name=MEERA.given_name, family_name=MEERA.family_name)
    user = model("identity_verification_create_request_user", name=name, date_of_birth=MEERA.birthdate)
    flags = {"is_shareable": True, "gave_consent": False, "is_idempotent": True}
    create = model("identity_verification_create_request", **named, **flags, user=user)
    with serve(emulator.app) as served:
        client = client_of(emulator, served.url)
        made = client.identity_verification_create(create)
        assert str(made.status) == "active", "a new verification waits for the applicant"
        assert client.identity_verification_create(create).id == made.id, "the same person and template, the same one"
        with httpx.Client() as browser:
            submit_forms(browser, made.shareable_url, *forms(MEERA))
        clock.advance(5)
        asked = model("identity_verification_get_request", identity_verification_id=made.id)
        done = client.identity_verification_get(asked)
        assert str(done.status) == str(done.steps.selfie_check) == "success", "good papers are verified"
        listed = client.identity_verification_list(model("identity_verification_list_request", **named))
        assert [one.id for one in listed.identity_verifications] == [made.id], "it is found"
        again = model("identity_verification_retry_request", **named, strategy=model("strategy", "reset"))
        assert client.identity_verification_retry(again).previous_attempt_id == made.id, "a retry names the one before"
        key = model("webhook_verification_key_get_request", key_id=emulator.keys[0].id)
        assert client.webhook_verification_key_get(key).key.alg == "ES256", "the key of a webhook is found"
    version = metadata.version("plaid-python")
    return f"plaid-python {version}: life of a verification, idempotency, list, retry, webhook key"
