"""`idv emulate`: the emulators send webhooks to the platform, with the signatures of their vendors."""

from __future__ import annotations

from datetime import timedelta

from starlette.applications import Starlette
from typer.testing import CliRunner

from idv_core import Applicant, FlowOrder, Gateway, Secret, WebhookApp
from idv_core.cli.commands import app as command
from idv_core.cli.emulators import send_webhooks, start_emulators
from idv_core.config import Account, Webhooks
from idv_core.registry import discover
from idv_core.testing import PEOPLE, Scene, serve

WITH_WEBHOOKS = {"onfido", "persona", "plaid", "stripe", "verifik"}


def test_emulators_send_webhooks_to_the_platform() -> None:
    """Every vendor with webhooks of an account, as `idv emulate` starts it; signatures are checked as in production."""
    arrived: set[str] = set()
    app = Starlette()
    names = sorted(WITH_WEBHOOKS & set(discover().found))
    running = start_emulators(names, timedelta(seconds=0.01))
    settings = {vendor.name: vendor.emulation.settings(vendor.served.url) for vendor in running}
    key = Secret("key-of-the-platform-0123456789abcdef")
    with serve(app) as platform:
        url = f"{platform.url}/idv"
        send_webhooks(running, settings, url, key)
        accounts = [Account(name, name, given, test=True) for name, given in settings.items()]
        with Gateway(accounts, webhooks=Webhooks(url, key)) as idv:
            app.mount("/idv", WebhookApp(idv, lambda received: arrived.add(received.account)))
            scene = Scene(person=PEOPLE["ana"], face=PEOPLE["ana"], put_file=lambda _: "", say=lambda _: None)
            for vendor in running:
                person = Applicant(
                    reference="CUST-1",
                    given_name="Ana",
                    family_name="Ruiz",
                    email=f"{vendor.name}@example.org",
                    country="CO",
                )
                order = FlowOrder(product="wallet", application_id="APP-1", applicant=person)
                idv.wait(vendor.emulation.play(idv, idv.open(order, account=vendor.name), scene), deadline=30)
                vendor.emulation.emulator.tick()
    for vendor in running:
        vendor.served.stop()
    assert arrived == set(names)


def test_a_webhook_address_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(command, ["emulate", "stripe", "--webhooks", "platform"])
    assert result.exit_code == 2
    assert "https://" in result.output
