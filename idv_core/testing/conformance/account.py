"""The settings of an account: what they refuse, what stays dark in them, and that the calls go where they say."""

from __future__ import annotations

import re
from typing import get_type_hints
from urllib.parse import unquote

import attrs
import pytest

from ...config.problems import Problems
from ...config.settings import SettingsReader
from ...errors import IdvError
from ...model import Secret
from ...plugin.protocols import CredentialsProtocol, KeyModeProtocol, TokenProtocol
from ..fuzzing import first_requests
from ..harness import Driver, Harness
from .steps import given_secrets, offered, secrets_in

_SECRETS = re.compile(r"(.*_)?(secret|password|passphrase|api_?key|private_key|token)s?")
_ELSEWHERE = "https://elsewhere.example:8443"
_UNSAFE = ("http://vendor.example", "ftp://vendor.example", "vendor.example")


class GuardsItsAccount:
    def test_settings_refuse_addresses_without_https(self, harness: Harness) -> None:
        """Credentials and people's papers would go over the network for everybody to read."""
        for name, value in harness.settings.items():
            if not (isinstance(value, str) and value.startswith("https://")):
                continue
            for wrong in _UNSAFE:
                problems = Problems()
                SettingsReader(problems).read(harness.plugin.settings, {**harness.settings, name: wrong}, ("settings",))
                assert problems.found, (
                    f"the setting {name!r} takes {wrong!r}: give the field `validator=is_base_url` (of `idv_core.plugin`)"
                )

    def test_secrets_are_settings_of_type_secret(self, harness: Harness) -> None:
        """A text is shown by `repr` and may stand in idv.toml; a Secret is dark, and may only be a reference."""
        hints = get_type_hints(harness.plugin.settings)
        dark = {name for name, value in harness.settings.items() if secrets_in(value)}
        for field in attrs.fields(harness.plugin.settings):
            if field.name in dark or _SECRETS.fullmatch(field.name):
                assert "Secret" in str(hints[field.name]), (
                    f"the setting {field.name!r} holds a secret: its type is `Secret`, or `tuple[Secret, ...]` with the "
                    "converter `as_secrets`"
                )

    def test_calls_go_where_the_settings_say(self, harness: Harness) -> None:
        """An address that is written into the adapter sends the test account's applicants to production."""
        driver = Driver(attrs.evolve(harness, settings=harness.settings_at(_ELSEWHERE)), "sync")
        base_url = driver.adapter.base_url
        driver.close()
        assert base_url.startswith(_ELSEWHERE), (
            f"with base_url {_ELSEWHERE} in the settings the adapter's base_url is {base_url}: return that of the settings"
        )

    def test_credentials_that_are_wrong_are_refused(self, harness: Harness) -> None:
        """`idv check` must not call credentials good that were never looked at."""
        wrong = {
            name: Secret(f"wrong-{number}") if isinstance(value, Secret) else value
            for number, (name, value) in enumerate(harness.settings.items())
        }
        driver = Driver(attrs.evolve(harness, settings=wrong), "sync")
        offered(driver.adapter, CredentialsProtocol)
        try:
            driver.check_credentials()
        except IdvError:
            return
        finally:
            driver.close()
        raise AssertionError(
            "check_credentials returned although every secret of the settings was wrong: make a call that the vendor "
            "refuses then, and let the core raise the refusal"
        )

    def test_credentials_travel_dark(self, harness: Harness) -> None:
        """In a header, as a Secret: addresses and plain headers are logged on the way."""
        driver = Driver(harness, "sync")
        adapter = driver.adapter
        token = Secret("token-of-the-conformance-suite") if isinstance(adapter, TokenProtocol) else None
        secrets = [*given_secrets(harness.settings), *([token.reveal()] if token else [])]
        for first in first_requests(driver, harness):
            request = adapter.authorize(first, token, harness.clock.now()) if first.signed else first
            what = f"{request.method} {request.template}"
            for secret in secrets:
                assert secret not in unquote(request.target), (
                    f"{what} has a secret of the account in its address, which every proxy logs: send it in a header"
                )
                for name, value in request.headers.items():
                    assert not (isinstance(value, str) and secret in value), (
                        f"{what} has a secret as plain text in the header {name!r}: give a `Secret`, which stays dark"
                    )
        driver.close()

    def test_results_of_the_test_mode_say_so(self, harness: Harness) -> None:
        """In test mode nothing is really checked, and a live account would approve by it."""
        driver = Driver(harness, "sync")
        offered(driver.adapter, KeyModeProtocol)
        if driver.adapter.key_mode != "test":
            pytest.skip("not offered: the harness's key does not say that it is of the test mode")
        flow = harness.finish(driver, driver.open(harness.order))
        harness.clock.advance(3600)
        result = driver.result(flow)
        driver.close()
        assert result.is_test, "the key is of the test mode and the result does not say so: give `Result(is_test=...)`"
