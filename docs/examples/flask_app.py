"""A Flask platform with the vendor's hosted page: `flask --app flask_app:make_app run`, with `idv.toml` beside it."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, abort, redirect, request

from idv_core import Applicant, Decision, Flow, Gateway, OutcomeUnknown, from_json, to_json
from idv_core.applicant_words import sentences
from idv_core.errors import VendorError, WebhookRejected
from idv_core.webhooks import WebhookRequest, WebhookResponse


def make_app(idv: Gateway | None = None) -> Flask:
    """The app. `stored` stands for a table of your database: encrypt what is in it."""
    gateway = idv or Gateway.load("idv.toml")
    stored: dict[str, Any] = {}
    news: set[str] = set()
    app = Flask(__name__)

    @app.post("/applications")
    def apply() -> Any:
        form = request.form
        id = form["application_id"]
        try:
            person = Applicant(
                reference=f"CUST-{id}",
                given_name=form["given_name"],
                family_name=form["family_name"],
                email=form["email"],
                country=form["country"],
            )
        except ValueError as error:
            # it names the field, and never repeats what was typed
            abort(400, str(error))
        try:
            flow = gateway.open(product="wallet", application_id=id, applicant=person)
        except OutcomeUnknown:
            abort(503, "please try again in a minute")
        except VendorError as error:
            abort(503 if error.nothing_done else 500, "this does not work at the moment")
        if flow.link is None:
            abort(501, "this vendor has no page; upload documents instead")
        stored[id] = to_json(flow, secrets=True)
        return redirect(flow.link.url.reveal(), 303)

    @app.get("/applications/<id>")
    def look(id: str) -> Any:
        if id not in stored:
            abort(404, "no such application")
        flow = from_json(Flow, stored[id])
        result = gateway.result(flow)
        return {
            "approved": result.decision is Decision.APPROVED,
            "told": [str(one) for one in sentences(result.reasons, request.args.get("language", "en"))],
            "news": not news.isdisjoint({id, f"{flow.account}/{flow.id}"}),
        }

    @app.route("/idv/<account>/<path:rest>", methods=["GET", "POST"])
    def webhook(account: str, rest: str) -> Response:
        call = WebhookRequest(
            method=request.method,
            path=rest,
            headers=dict(request.headers),
            query=request.args.to_dict(),
            body=request.get_data(),
        )
        try:
            with gateway.receiving(account, call) as received:
                # a webhook is a hint: note that there is news, and fetch the result when somebody asks;
                # it names the application or, at vendors with one address for all, the flow
                if received.fetch and not received.repeated:
                    news.update(name for name in (received.application_id, received.flow_ref) if name)
            answer = received.answer
        except WebhookRejected as error:
            answer = WebhookResponse.of(error)
        return Response(answer.body, answer.status, dict(answer.headers))

    return app
