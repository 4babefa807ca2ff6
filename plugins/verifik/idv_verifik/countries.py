"""Countries: ISO 3166 with us, English names at Verifik (fact sheet section 1.7 row 38)."""

from __future__ import annotations

import pycountry

# has no code in ISO 3166: XK is user-assigned, XKX the World Bank's, RKS stands in its passports (ICAO 9303)
_KOSOVO = frozenset({"XK", "XKX", "RKS", "KOSOVO", "REPUBLIC OF KOSOVO"})


def country_name(code: str) -> str:
    """The English short name of an alpha-2 code; the code itself if there is none."""
    if code == "XK":
        return "Kosovo"
    country = pycountry.countries.get(alpha_2=code)
    return str(getattr(country, "common_name", country.name)) if country else code


def country_code(text: object) -> str | None:
    """The alpha-2 code of a code or an English name, else None."""
    if not isinstance(text, str) or not text.strip():
        return None
    if text.strip().upper() in _KOSOVO:
        return "XK"
    try:
        return str(
            pycountry.countries.lookup(text.strip().replace("United States of America", "United States")).alpha_2
        )
    except LookupError:
        return None
