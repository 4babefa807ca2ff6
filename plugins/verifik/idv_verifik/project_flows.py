"""Project flows, which are templates, and the webhooks linked to them (fact sheet sections 3.2 and 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from idv_core.plugin import Exchange, NotAccepted, ProvisionedTemplate, Request, Template

from . import asked
from .payloads import read_id, read_list, read_object, reference_id, unwrap
from .settings import VerifikSettings

_NOT_TOLD = frozenset({400, 403, 404, 405, 409, 410, 422})


@attrs.frozen
class ProjectFlows:
    """Find, make, bring up to date."""

    settings: VerifikSettings

    def provision(self, template: Template) -> Exchange[ProvisionedTemplate]:
        """Find the project flow by name, make it if it is not there, bring it up to date, link the webhook."""
        wanted = {**template.settings, "status": "active"}
        found = next((flow for flow in (yield from self.list()) if flow.get("name") == template.name), None)
        if found is None:
            body = {"project": self.settings.project, "type": "onboarding", "name": template.name, "target": "personal"}
            reply = yield Request.post("/v2/project-flows", json={**body, **wanted})
            id = read_id(read_object(reply), reply.status)
        else:
            id = read_id(found)
            changed = {key: value for key, value in wanted.items() if not _holds(found.get(key), value)}
            if changed:
                yield Request.put("/v3/project-flows/{}", id, json=changed)
        details = {}
        if template.webhook_url is not None:
            details["webhook"] = yield from self._link_webhook(template.webhook_url.reveal(), template.name, id)
        return ProvisionedTemplate(id=id, name=template.name, created=found is None, details=details)

    def list(self) -> Exchange[tuple[dict[str, Any], ...]]:
        """All project flows for onboarding of the account's project, as the vendor gives them."""
        query = {"project": self.settings.project, "type": "onboarding"}
        flows = yield from read_list("/v2/project-flows", query)
        return tuple(flow for flow in flows if reference_id(flow.get("project")) in (None, self.settings.project))

    def settings_of(self, registration: Mapping[str, Any]) -> Exchange[Mapping[str, Any]]:
        """The settings of a registration's project flow, asked for where the registration does not show them.

        Empty where Verifik does not tell them; then the stricter reading counts.
        """
        shown = registration.get("projectFlow")
        id = reference_id(shown)
        if asked.are_settings(shown) or id is None:
            return shown if isinstance(shown, dict) else {}
        for path in ("/v3/project-flows/{}", "/v2/project-flows/{}"):
            reply = yield Request.get(path, id, accept=_NOT_TOLD)
            flow = unwrap(reply) if reply.is_success else None
            if isinstance(flow, dict) and reference_id(flow) == id:
                return flow
        return shown if isinstance(shown, dict) else {}

    def retrieve(self, id: str) -> Exchange[dict[str, Any]]:
        reply = yield Request.get("/v3/project-flows/{}", id)
        return read_object(reply)

    def update(self, id: str, changes: Mapping[str, Any]) -> Exchange[dict[str, Any]]:
        """Change whole parts (`liveness`, `steps`, `status`, ...): whether inner values merge is not documented."""
        reply = yield Request.put("/v3/project-flows/{}", id, json=dict(changes))
        return read_object(reply)

    def delete(self, id: str) -> Exchange[None]:
        """One that is gone already is fine. Raises InvalidOrder while Verifik says that applicants are using it."""
        request = Request.delete("/v3/project-flows/{}", id, accept={404})
        reply = yield request
        if reply.status == 404 and reply.json_object() is None:
            raise NotAccepted(request, reply)

    def _link_webhook(self, url: str, name: str, flow_id: str) -> Exchange[str]:
        hooks = yield from read_list("/v2/webhooks", {"where_url": url})
        hook = next((hook for hook in hooks if hook.get("url") == url), None)
        if hook is None:
            body = {"url": url, "name": f"idv {name}", "isActive": True, "link": [flow_id]}
            reply = yield Request.post("/v2/webhooks", json=body)
            return read_id(read_object(reply), reply.status)
        linked = hook.get("projectFlow")
        if flow_id not in (linked if isinstance(linked, list) else [linked]):
            yield Request.put("/v2/webhooks/{}", read_id(hook), json={"link": [flow_id]})
        return read_id(hook)


def _holds(there: Any, wanted: Any) -> bool:
    """Whether what is there has at least what is wanted."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_holds(there.get(key), value) for key, value in wanted.items())
    return bool(there == wanted)
