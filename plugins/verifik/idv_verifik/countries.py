"""Countries: ISO 3166 with us, English names at Verifik (fact sheet section 1.7 row 38)."""

from __future__ import annotations

import pycountry


def country_name(code: str) -> str:
    """The English short name of an alpha-2 code; the code itself if there is none."""
    country = pycountry.countries.get(alpha_2=code)
    return str(getattr(country, "common_name", country.name)) if country else code


def country_code(text: object) -> str | None:
    """The alpha-2 code of a code or an English name, else None."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return str(
            pycountry.countries.lookup(text.strip().replace("United States of America", "United States")).alpha_2
        )
    except LookupError:
        return None
