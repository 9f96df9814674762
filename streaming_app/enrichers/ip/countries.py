"""Countries by their code, for databases that have codes only."""

from __future__ import annotations

import csv
from functools import cache
from typing import Any, NamedTuple

from streaming_app.config.shipped_files import conf_file


class CountryNames(NamedTuple):
    """English names."""

    name: str
    continent: str
    sub_continent: str


@cache
def countries_by_code() -> dict[str, CountryNames]:
    """ISO 3166-1 alpha-2 code to country, from ``conf/geo/countries.csv``."""
    with conf_file("geo/countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: CountryNames(row["name"], row["continent"], row["sub_continent"]) for row in csv.DictReader(file)}


def fill_country(found: dict[str, Any]) -> dict[str, Any]:
    """Add the names that follow from the country code to what was found; names in it stay, an unknown code adds nothing."""
    country = countries_by_code().get(found.get("geo_country_code", ""))
    if country is None:
        return found
    known = {"geo_country": country.name, "geo_continent": country.continent}
    return known | found | {"geo_sub_continent": country.sub_continent}
