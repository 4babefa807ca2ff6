"""A FastAPI platform with the vendor's hosted page: `uvicorn --factory fastapi_app:make_app`, with `idv.toml` beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from idv_core import Applicant, AsyncGateway, Decision, Flow, OutcomeUnknown, Received, WebhookApp, from_json, to_json
from idv_core.applicant_words import sentences
from idv_core.errors import VendorError


class Application(BaseModel):
    application_id: str
    given_name: str
    family_name: str
    email: str
    country: str


def make_app(idv: AsyncGateway | None = None) -> FastAPI:
    """The app. `stored` stands for a table of your database: encrypt what is in it."""
    gateway = idv or AsyncGateway.load("idv.toml")
    stored: dict[str, Any] = {}
    news: set[str] = set()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with gateway:
            yield

    app = FastAPI(lifespan=lifespan)

    async def on_received(received: Received) -> None:
        # a webhook is a hint: note that there is news, and fetch the result when somebody asks;
        # it names the application or, at vendors with one address for all, the flow
        news.update(name for name in (received.application_id, received.flow_ref) if name)

    app.mount("/idv", WebhookApp(gateway, on_received=on_received))

    @app.post("/applications")
    async def apply(application: Application) -> RedirectResponse:
        try:
            person = Applicant(
                reference=f"CUST-{application.application_id}",
                given_name=application.given_name,
                family_name=application.family_name,
                email=application.email,
                country=application.country,
            )
        except ValueError as error:
            # it names the field, and never repeats what was typed
            raise HTTPException(422, str(error)) from None
        try:
            flow = await gateway.open(product="wallet", application_id=application.application_id, applicant=person)
        except OutcomeUnknown:
            raise HTTPException(503, "please try again in a minute") from None
        except VendorError as error:
            raise HTTPException(503 if error.nothing_done else 500, "this does not work at the moment") from None
        if flow.link is None:
            raise HTTPException(501, "this vendor has no page; upload documents instead")
        stored[application.application_id] = to_json(flow, secrets=True)
        return RedirectResponse(flow.link.url.reveal(), status_code=303)

    @app.get("/applications/{application_id}")
    async def look(application_id: str, language: str = "en") -> dict[str, Any]:
        if application_id not in stored:
            raise HTTPException(404, "no such application")
        flow = from_json(Flow, stored[application_id])
        result = await gateway.result(flow)
        return {
            "approved": result.decision is Decision.APPROVED,
            "told": [str(one) for one in sentences(result.reasons, language)],
            "news": not news.isdisjoint({application_id, f"{flow.account}/{flow.id}"}),
        }

    return app
