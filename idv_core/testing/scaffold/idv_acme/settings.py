"""Settings of an account at Acme."""

from __future__ import annotations

import attrs

from idv_core.plugin import Secret, is_base_url, without_slash


@attrs.frozen(kw_only=True)
class AcmeSettings:
    """Fields of type `Secret` can only be given as references in idv.toml."""

    api_key: Secret
    base_url: str = attrs.field(default="https://api.acme.example", converter=without_slash, validator=is_base_url)
