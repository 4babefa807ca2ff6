"""What operators do at the console, over a vendor whose evidence leads to review."""

from __future__ import annotations

import re

import attrs
import httpx
from acme import Acme as AcmeItself
from acme import AcmeSettings
from server.running import Running

from idv_core import Flow, Result, Secret
from idv_core.model import Check, DocumentEvidence, ExtractedField, FlowStatus, Review
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.spec import Plugin
from idv_core.server.console import users

PASSWORD = "an invented password"
EVIL = "<script>alert('x')</script>"
V = "/console/verifications"


@attrs.frozen
class Doubting(AcmeItself):
    """Acme whose evidence ends in review: two documents that differ. It takes a person's decision."""

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get("/flows/{}", flow.id)
        if reply.json().get("status") != "good":
            return Result(flow=attrs.evolve(flow, status=FlowStatus.PROCESSING))
        names = (("passport", reply.json().get("name", "Meera Iyer")), ("tax_card", EVIL))
        documents = [
            DocumentEvidence(
                document_id=kind, type=kind, fields=[ExtractedField(name="name", value=name, vendor_name="n")]
            )
            for kind, name in names
        ]
        check = Check(kind="document", name="authenticity", outcome="inconclusive", vendor_name=EVIL)
        return Result(flow=attrs.evolve(flow, status=FlowStatus.FINISHED), checks=[check], documents=documents)

    def review(self, flow: Flow, review: Review) -> Exchange[Flow]:
        yield Request.post("/flows/{}/review", flow.id, json={"outcome": review.outcome.value, "by": review.author})
        return flow


DOUBTING = Plugin(name="doubting", summary="invented", settings=AcmeSettings, create=Doubting, adapters=(Doubting,))


def visitor(running: Running, **headers: str) -> httpx.Client:
    client = httpx.Client(base_url=running.url, headers=headers, follow_redirects=True, timeout=30)
    running.clients.append(client)
    return client


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]


def log_in(running: Running, name: str, *roles: str) -> httpx.Client:
    users.add(running.ledger.store, name, roles, Secret(PASSWORD))
    client = visitor(running)
    fields = {"csrf": csrf(client.get("/console").text), "name": name, "password": PASSWORD, "next": "/console"}
    assert "Log out" in client.post("/console/login", data=fields).text
    return client


def press(client: httpx.Client, page: str, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf": csrf(client.get(page).text), **fields})
