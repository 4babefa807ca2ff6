"""Settings of a Persona account (docs.withpersona.com/api-introduction)."""

from __future__ import annotations

import re
from typing import Any

import attrs

from idv_core.plugin import Secret, as_secrets, as_tuple, is_base_url, is_text, without_slash

TEMPLATES = {"itmpl_": "inquiry-template", "itmplv_": "inquiry-template-version", "tmpl_": "template"}
"""How the id of a template begins, and what Persona calls it."""


def is_template(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or kind_of_template(value) is None:
        raise ValueError(f"{attribute.name}: the id of a template is needed, such as itmpl_...")


def kind_of_template(id: str) -> str | None:
    """`inquiry-template`, `inquiry-template-version` or `template`; None for what is no template's id."""
    found = re.fullmatch(r"(itmpl_|itmplv_|tmpl_)[A-Za-z0-9]{1,80}", id)
    return TEMPLATES[found[1]] if found else None


@attrs.frozen(kw_only=True)
class PersonaSettings:
    """`api_key` begins with `persona_sandbox_` in the sandbox, where nothing is really checked.

    `template_id` (`itmpl_...`, `itmplv_...`, `tmpl_...`) says what is asked of the applicant; an order's `template` overrides
    it. With `waits_for_decision` an inquiry ends when a workflow or a person at Persona approves or declines it; without it
    when the applicant is done, and the checks alone decide. With `prefill` what the order knows of the applicant is filled
    into the template's default fields.
    With `sdk_session` each opening asks for a session of Persona's SDK too (`flow.sdk`). `simulated_verifications`
    (`vtmpl_...`) are the verification templates of which `simulate` makes a passed or failed attempt.
    `webhook_secrets` (`wbhsec_...`) is the secret of the webhook whose address is `gateway.webhook_url(account, "events")`,
    or a list of two while it is rotated; without it only the address proves a webhook. `tolerance` is how old its signature
    may be, `link_life` how long a link for the applicant lives, both in seconds.
    """

    api_key: Secret
    template_id: str = attrs.field(validator=is_template)
    webhook_secrets: tuple[Secret, ...] = attrs.field(default=(), converter=as_secrets)
    waits_for_decision: bool = True
    prefill: bool = True
    sdk_session: bool = False
    simulated_verifications: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    base_url: str = attrs.field(
        default="https://api.withpersona.com/api/v1", converter=without_slash, validator=is_base_url
    )
    api_version: str = attrs.field(default="2025-12-08", validator=is_text)
    tolerance: int = attrs.field(default=300, validator=attrs.validators.gt(0))
    link_life: int = attrs.field(default=86400, validator=attrs.validators.gt(0))
    link_hosts: tuple[str, ...] = attrs.field(default=("withpersona.com", "*.withpersona.com"), converter=as_tuple)
    file_hosts: tuple[str, ...] = attrs.field(default=("files.withpersona.com",), converter=as_tuple)

    @property
    def key_mode(self) -> str | None:
        """`test` or `live`, as the key says (docs.withpersona.com/environments)."""
        found = re.match(r"persona_(sandbox|production)_", self.api_key.reveal())
        return {"sandbox": "test", "production": "live"}[found[1]] if found else None
