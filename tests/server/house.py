"""A service whose console has something on every page, and one text wherever a vendor, an applicant or an operator can give one."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import httpx
from acme import AcmeSettings
from books import KEY, WEBHOOKS, AcmeCalling, Shop
from server.running import run_in_thread
from sqlalchemy import update

from idv_core import Applicant, AsyncGateway, Flow, FlowOrder, Result, Secret
from idv_core.config import Account, Configuration, Retry
from idv_core.ledger import Endpoint, Ledger, State, Verification
from idv_core.ledger.tables import deliveries
from idv_core.model import (
    Address,
    Check,
    Coverage,
    DocumentEvidence,
    DocumentRules,
    ExtractedField,
    FlowStatus,
    Link,
    Media,
    Policy,
    Reason,
    Review,
    ReviewRules,
)
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.routing import Route
from idv_core.server import reviews
from idv_core.server.app import create_app
from idv_core.server.console import users
from idv_core.server.console.routes import routes
from idv_core.testing import PEOPLE, make_specimen

PICTURE = make_specimen("selfie", PEOPLE["meera"])
PASSWORD = "an invented password"
V = "/console/verifications"


def vendor_of(text: str) -> Plugin:
    """A vendor that cannot be asked what it opened, and says that text wherever it can."""

    @attrs.frozen
    class Telling(AcmeCalling):
        def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
            reply = yield Request.post("/flows", json={"person": order.applicant.reference})
            made = reply.json()
            return Flow(id=made["id"], status=FlowStatus.OPEN, link=Link(made["link"]))

        def result(self, flow: Flow) -> Exchange[Result]:
            reply = yield Request.get("/flows/{}", flow.id)
            if reply.json().get("status") != "good":
                return Result(flow=attrs.evolve(flow, status=FlowStatus.PROCESSING))
            documents = [
                DocumentEvidence(
                    document_id=text,
                    type=kind,
                    vendor_type=text,
                    fields=[ExtractedField(name="name", value=value, vendor_name=text)],
                )
                for kind, value in (("passport", "Meera Iyer"), ("tax_card", text))
            ]
            said = {"reasons": [text], "document_id": text, "vendor_name": text, "vendor_word": text}
            checks = [
                Check(kind="document", name="authenticity", outcome="inconclusive", **said),
                Check(kind="liveness", outcome="passed", **said),
            ]
            return Result(
                flow=attrs.evolve(flow, status=FlowStatus.FINISHED),
                checks=checks,
                documents=documents,
                fields=[
                    ExtractedField(name=name, value=value, vendor_name=text)
                    for name, value in (("occupation", text), ("other", text), ("address", Address(locality=text)))
                ],
                vendor_word=text,
                notes=[text],
                doubts=[Reason("vendor.doubt", text, text, text)],
                raw={"said": text},
            )

        def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
            yield from ()
            picture = Media(id=text, kind="selfie", document=text)
            return picture, Media(id="film", kind="video", content_type=text, document=text)

        def download(self, flow: Flow, media: Media) -> Exchange[bytes | None]:
            yield from ()
            return PICTURE

        def coverage(self) -> Exchange[Coverage]:
            yield from ()
            return Coverage(templates=(text,), checks={text}, countries={"IN"}, document_types={"passport"})

        def review(self, flow: Flow, review: Review) -> Exchange[Flow]:
            yield Request.post("/flows/{}/review", flow.id, json={"outcome": review.outcome.value})
            return flow

    return Plugin(name="telling", summary=text, settings=AcmeSettings, create=Telling, adapters=(Telling,))


@attrs.frozen
class House:
    """`ids` has the verifications by what is to be seen there."""

    url: str
    app: Any
    text: str
    ledger: Ledger
    shop: Shop
    ids: dict[str, str]

    def user(self, name: str, *roles: str) -> str:
        """Somebody with these roles; their password."""
        users.add(self.ledger.store, name, roles, Secret(PASSWORD))
        return PASSWORD

    def visits(self) -> dict[str, list[str]]:
        """What to look at, by the route that shows it. A page that is not here is one that nobody looks at."""
        waiting, key = self.ids["waiting"], sha256(self.text.encode()).hexdigest()[:24]
        return {
            "/console": ["/console", "/console?days=7"],
            "/console/login": ["/console/login"],
            V: [
                V,
                f"{V}?state=nonsense",
                f"{V}?text=nothing-of-that-kind",
                f"{V}?product={self.text}&text={self.text}",
            ],
            f"{V}/{{id}}": [f"{V}/{id}" for id in self.ids.values()] + [f"{V}/nobody"],
            f"{V}/{{id}}/pictures": [
                f"{V}/{waiting}/pictures",
                f"{V}/{waiting}/pictures?show={key}",
                f"{V}/{self.ids['erased']}/pictures",
            ],
            "/console/review": ["/console/review"],
            "/console/routes": [
                "/console/routes",
                f"/console/routes?product={self.text}&country=in&tenant={self.text}&metadata={self.text}=1",
                f"/console/routes?product={self.text}&metadata={self.text}&locale={self.text}&age=x",
            ],
            "/console/trouble": ["/console/trouble"],
            "/console/accounts": ["/console/accounts"],
            "/console/performance": [
                "/console/performance?by=account&by=route&by=country&by=document",
                "/console/performance?since=2020-01-01&until=2020-01-02",
                f"/console/performance?since={self.text}",
                f"/console/performance?split={self.text}",
            ],
        }


NO_PAGES = frozenset(
    {"/", "/favicon.ico", "/console/static/{name}", "/console/performance.csv", f"{V}/{{id}}/pictures/{{key}}"}
)


def pages() -> set[str]:
    """The paths of all routes that show a page when they are asked for."""
    return {route.path for route in routes() if "GET" in (route.methods or ())} - NO_PAGES


def order(text: str, name: str) -> FlowOrder:
    applicant = Applicant(reference=f"{name} {text}", name=text, given_name=text, family_name=text, country="IN")
    return FlowOrder(
        product=text,
        application_id=f"{name} {text}",
        applicant=applicant,
        tenant=text,
        template=text,
        metadata={text: text},
    )


@contextmanager
def furnished(text: str, folder: Path) -> Iterator[House]:
    """The house with everything in it."""
    shop = Shop()
    endpoint = Endpoint(text, "https://loans.example/hooks", Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    database = f"sqlite:///{folder}/house.db"
    ledger = Ledger(database, keys=[KEY], endpoints=[endpoint])
    settings = {"key": Secret("key-of-acme-0001"), "base_url": "https://a.example"}
    account = Account("telling-1", "telling", settings, retry=Retry(attempts=1))
    policies = {
        text: Policy(
            name=text,
            verdict="ignore",
            documents=DocumentRules(required=("utility_statement",)),
            review=ReviewRules(four_eyes=True),
        )
    }
    configuration = Configuration(
        accounts=[account],
        routes=[Route(name=text, split={"telling-1": 100}, policy=text)],
        webhooks=WEBHOOKS,
        policies=policies,
    )
    gateway = AsyncGateway(configuration, transport=httpx.MockTransport(shop), registry=registry_of(vendor_of(text)))
    deaf = httpx.MockTransport(lambda request: httpx.Response(503))
    app = create_app(gateway, ledger, transport=deaf)
    url, stop = run_in_thread(app)
    house = House(url, app, text, ledger, shop, {})
    try:
        _furnish(house, database)
        yield house
    finally:
        stop()
        # not in this thread, where Playwright has a loop
        with ThreadPoolExecutor() as pool:
            pool.submit(asyncio.run, gateway.close()).result()
        ledger.close()


def _furnish(house: House, database: str) -> None:
    text, ledger, shop, ids = house.text, house.ledger, house.shop, house.ids

    def taken(name: str, is_there: Callable[[Verification], Any]) -> Verification:
        made = ledger.take(order(text, name))
        ids[name] = made.id
        return _until(ledger, made.id, is_there)

    def doubtful(name: str) -> str:
        flow = taken(name, lambda now: now.flow).flow
        assert flow is not None
        shop.answers[f"GET /flows/{flow.id}"] = lambda request: httpx.Response(200, json={"status": "good"})
        _until(ledger, ids[name], lambda now: now.state is State.DECIDED)
        return ids[name]

    def proposed(name: str) -> str:
        reviews.claim(ledger, doubtful(name), text)
        reviews.decide(ledger, ids[name], text, "approved", text, policies=())
        return ids[name]

    doubtful("waiting")
    reviews.claim(ledger, doubtful("claimed"), text)
    proposed("proposed")
    reviews.claim(ledger, proposed("reviewed"), "another")
    reviews.confirm(ledger, ids["reviewed"], "another", "approved")
    reviews.claim(ledger, proposed("returned"), "another")
    reviews.send_back(ledger, ids["returned"], "another", text)
    reviews.claim(ledger, doubtful("asked"), text)
    reviews.ask(ledger, ids["asked"], text, "passport", text)
    ledger.erase(doubtful("erased"), actor=f"user:{text}")
    _until(ledger, ids["erased"], lambda now: now.erased_at)
    taken("awaiting", lambda now: now.state is not State.OPENING and now.flow)
    refusal = httpx.Response(400, json={"code": text, "message": text})
    shop.answers["POST /flows"] = lambda request: refusal
    taken("failed", lambda now: now.state is State.FAILED)
    shop.answers["POST /flows"] = lambda request: httpx.Response(504, json={"code": text, "message": text})
    taken("unknown", lambda now: now.state is State.UNKNOWN)
    del shop.answers["POST /flows"]
    hasty = Ledger(database, keys=[KEY], deadline=timedelta(seconds=0.1))
    try:
        ids["expired"] = hasty.take(order(text, "expired")).id
    finally:
        hasty.close()
    _until(ledger, ids["expired"], lambda now: now.state is State.EXPIRED)
    with ledger.store.begin() as con:
        con.execute(update(deliveries).values(due=None, done_at=None, last_status=503, dead_at=ledger.store.moment()))


def _until(ledger: Ledger, id: str, holds: Callable[[Verification], Any]) -> Verification:
    """Let the tracker look now and then, until it holds."""
    end = time.monotonic() + 30
    for look in itertools.count():
        now = ledger.get(id)
        if holds(now):
            return now
        assert time.monotonic() < end, f"{now.application_id} is still {now.state}: {ledger.events(id)}"
        if look % 20 == 0:
            ledger.wake(id)
        threading.Event().wait(0.02)
    raise AssertionError
