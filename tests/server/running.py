"""The service on a real socket, over an invented vendor. Every answer of the API is held against `openapi.json`."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import attrs
import httpx
from books import Town
from jsonschema import Draft202012Validator, FormatChecker

from idv_core import AsyncGateway, Secret
from idv_core.ledger import Endpoint, Ledger, Verification
from idv_core.server import keys
from idv_core.server.serving import Binding, listen, make_server

DOCUMENT = json.loads(files("idv_core.server").joinpath("openapi.json").read_text())
LOANS = Endpoint("loans", "https://loans.example/hooks", Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
ORDER: dict[str, Any] = {
    "product": "wallet",
    "application_id": "APP-1",
    "applicant": {"reference": "CUST-1", "name": "Meera Iyer", "country": "IN"},
}


def closed(schema: Any) -> Any:
    """The schema, with nothing beside what it names. In the document answers are open, for fields may be added to them."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    return {"additionalProperties": False, **made} if "properties" in made and made.get("type") == "object" else made


CLOSED = closed(DOCUMENT["components"])


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference of the document stands for."""
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
        found = found[name]
    return part if found is DOCUMENT else found


class Contract:
    """Holds answers against the document, and remembers which operations were answered."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str, int]] = set()
        self.paths = {re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", path) + "$"): path for path in DOCUMENT["paths"]}

    def __call__(self, answer: httpx.Response) -> None:
        answer.read()
        fits = [path for pattern, path in self.paths.items() if pattern.match(answer.request.url.path)]
        if not fits:
            return
        # a path without a parameter goes before one with
        path = min(fits, key=lambda path: path.count("{"))
        described = DOCUMENT["paths"][path].get(answer.request.method.lower())
        if described is None:
            return
        self.seen.add((path, answer.request.method, answer.status_code))
        response = resolved(described["responses"][str(answer.status_code)])
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in response["content"], f"{path} {answer.status_code}: {kind} is not described"
        assert path == "/v1/openapi.json" or answer.headers["cache-control"] == "no-store", path
        if kind.endswith("json"):
            schema = {**response["content"][kind]["schema"], "components": CLOSED}
            Draft202012Validator(schema, format_checker=FormatChecker()).validate(answer.json())


@attrs.define
class Running:
    """A service that runs, as those see it who are around it."""

    url: str
    ledger: Ledger
    gateway: AsyncGateway
    town: Town
    contract: Contract
    messages: list[dict[str, Any]]
    stop: Callable[[], None]
    app: Any = None
    clients: list[httpx.Client] = attrs.field(factory=list)

    def client(self, *scopes: str, **headers: str) -> httpx.Client:
        """A program with a key of these scopes; without any it has none."""
        if scopes:
            headers["authorization"] = f"Bearer {keys.add(self.ledger.store, 'tests', scopes).reveal()}"
        client = httpx.Client(base_url=self.url, headers=headers, event_hooks={"response": [self.contract]}, timeout=30)
        self.clients.append(client)
        return client

    def until(self, id: str, holds: Callable[[Verification], Any]) -> Verification:
        """Look again until it holds, at most 20 s."""
        end = time.monotonic() + 20
        while True:
            now = self.ledger.get(id)
            if holds(now):
                return now
            assert time.monotonic() < end, f"it is still {now.state}"
            threading.Event().wait(0.02)

    def decided(self, word: str = "good", **changes: Any) -> Verification:
        """A verification that the vendor has finished."""
        made = self.client("verify").post("/v1/verifications", json={**ORDER, **changes}, headers={"prefer": "wait=10"})
        id = made.json()["id"]
        for shop in self.town.shops.values():
            shop.status = word
        self.ledger.wake(id)
        return self.until(id, lambda now: now.state.is_ended)


def run_in_thread(app: Any) -> tuple[str, Callable[[], None]]:
    """Serve on a free port, as `idv serve` does; its address, and what ends it."""
    binding = Binding(port=0)
    server = make_server(app, binding)
    sockets = listen(binding)
    server.config.timeout_graceful_shutdown = 20
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets)), daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the service does not start"
        assert time.monotonic() < end, "the service is slow to start"
        threading.Event().wait(0.01)
    port = sockets[0].getsockname()[1]

    def stop() -> None:
        server.should_exit = True
        thread.join(30)

    return f"http://127.0.0.1:{port}", stop
