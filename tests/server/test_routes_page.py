"""Routes with an explanation, accounts with what they can do: nothing is opened by looking."""

from __future__ import annotations

import html
import re
from typing import Any

import attrs
import httpx
import pytest
from acme import AcmeSettings
from books import CALLING, account
from server.operators import DOUBTING, Doubting, log_in, press
from server.running import Running

from idv_core import Applicant, FlowOrder
from idv_core.model import Coverage
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.routing import Route, Shadow, When
from idv_core.server.console import routing


@attrs.frozen
class Covering(Doubting):
    def coverage(self) -> Exchange[Coverage]:
        reply = yield Request.get("/coverage")
        return Coverage(countries=reply.json()["countries"], document_types=("passport", "idcard"))


COVERING = Plugin(name="covering", summary="invented", settings=AcmeSettings, create=Covering, adapters=(Covering,))
ROUTES = [
    Route(name="old people", when=When(age_from=65, product="wallet"), to="b"),
    Route(name="branches", when=When(metadata={"channel": "branch-*"}), to="b"),
    Route(name="india", when=When(country="IN", has="email"), split={"a": 60, "b": 40}, policy="registered"),
    Route(
        name="papers", when=When(documents="passport", hours="09:00-18:00", zone="America/Bogota"), cheapest=["a", "b"]
    ),
    Route(name="never", when=When(tenant="x"), refuse="we do not do that"),
    Route(name="all", to="a", shadow=Shadow(account="b", share=0, personal_data=True)),
]


QUERIES: list[tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = [
    ({"product": "wallet"}, {}, {}),
    (
        {"product": "wallet", "country": "in", "has": "email", "application_id": "APP-7"},
        {"application_id": "APP-7"},
        {"country": "IN", "email": "a@platform.example"},
    ),
    ({"product": "wallet", "metadata": "channel=branch-7, x=y"}, {"metadata": {"channel": "branch-7", "x": "y"}}, {}),
    ({"product": "loan", "document": "passport", "at": "2026-11-30T10:00"}, {"documents": ("passport",)}, {}),
    ({"product": "wallet", "tenant": "x", "locale": "de"}, {"tenant": "x"}, {"locale": "de"}),
]


@pytest.fixture
def registry() -> Any:
    return registry_of(DOUBTING, CALLING, COVERING)


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "covering", cost=1), account("b", "calling", cost=2)]


@pytest.fixture
def routes() -> list[Route]:
    return ROUTES


class TestRoutes:
    def test_it_says_what_the_command_says(self, running: Running) -> None:
        client = log_in(running, "ana")
        for query, order, person in QUERIES:
            page = client.get("/console/routes", params=query)
            assert page.status_code == 200, query
            found = re.search(r"<pre[^>]*>(.*?)</pre>", page.text, re.DOTALL)
            assert found is not None
            whole = {"product": query["product"], "application_id": "APP-1", **order}
            made = FlowOrder(**whole, applicant=Applicant(reference="-", **person))
            wanted = str(running.gateway.explain(made, at=routing._moment(query)))
            # all but the moment
            assert html.unescape(found[1]).partition("\n")[2] == wanted.partition("\n")[2], query
        assert running.town.shops["a"].opened == []

    def test_why_the_others_did_not_match_stands_beside_them(self, running: Running) -> None:
        client = log_in(running, "ana")
        page = client.get(
            "/console/routes", params={"product": "wallet", "age": "30", "country": "IN", "has": "email"}
        ).text
        rows = {
            name: re.sub(r"<[^>]+>|\s+", " ", row)
            for row, name in re.findall(r"(<tr[^>]*>.*?<th scope=\"row\">([^<]+)</th>.*?</tr>)", page)
        }
        assert "does not match: age = ***, wanted 65-" in rows["old people"]
        assert "does not match: metadata.channel = absent, wanted branch-*" in rows["branches"]
        assert "takes it" in rows["india"]
        assert "a 60 %, b 40 %" in rows["india"]
        assert "not reached" in rows["all"]
        assert "a; shadow b 0 %" in rows["all"]

    def test_what_cannot_be_read_is_said(self, running: Running) -> None:
        client = log_in(running, "ana")
        for name, text in (
            ("country", "XX"),
            ("age", "old"),
            ("age", "999"),
            ("metadata", "x"),
            ("at", "noon"),
            ("at", "0001-01-01T00:00"),
            ("at", "9999-12-31T23:59"),
            ("at", "2026-11-30T10:00+05:00"),
            ("document", "PAN"),
        ):
            page = client.get("/console/routes", params={"product": "wallet", name: text})
            assert (page.status_code, 'role="alert"' in page.text) == (400, True), name


class TestAccounts:
    def test_coverage_and_credentials_are_asked_for_by_a_button(self, running: Running) -> None:
        client = log_in(running, "ana", "operate")
        page = client.get("/console/accounts").text
        assert "covering" in page
        assert "/console/accounts/b/coverage" not in page, "it cannot tell"
        answers = running.town.shops["a"].answers
        answers["GET /coverage"] = lambda _: httpx.Response(200, json={"countries": ["IN", "CO"]})
        told = press(client, "/console/accounts", "/console/accounts/a/coverage").text
        assert "CO, IN" in told
        assert "idcard, passport" in told
        assert "the vendor does not say" in told
        refused = press(client, "/console/accounts", "/console/accounts/b/coverage").text
        assert "UnsupportedOperation" in refused
        assert press(client, "/console/accounts", "/console/accounts/x/coverage").status_code == 404
        assert "credentials" in press(client, "/console/accounts", "/console/accounts/a/check").text

    def test_who_only_looks_asks_no_vendor(self, running: Running) -> None:
        client = log_in(running, "ana")
        assert press(client, "/console", "/console/accounts/a/coverage").status_code == 403
        assert running.town.shops["a"].requests == []
