"""The options of the ip enricher."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from streaming_app.config.section import Section, Uri
from streaming_app.enrichers.ip.layouts import LAYOUT


class DatabaseOptions(Section):
    uri: Uri
    """A database in MaxMind's format (.mmdb, or .mmdb.gz), local or s3://; loaded again in the run after it was replaced."""
    fields: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Where a database of another layout has a column's value: geo_city: place.names.en, steps with dots between them,
    numbers for places in a list. Columns that are not named here are found as ever."""

    @field_validator("fields")
    @classmethod
    def _check_columns(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value) - set(LAYOUT)):
            raise ValueError(f"no such column: {', '.join(unknown)}; known here: {', '.join(LAYOUT)}")
        return value


def _as_option_list(value: Any) -> Any:
    """One database or several, each by its URI alone or with options, as a list of options."""
    each = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [{"uri": one} if isinstance(one, str) else one for one in each]


_Written = str | DatabaseOptions | list[str | DatabaseOptions] | None


def _auto_or_number(value: Any) -> Any:
    """One complaint in place of one for each of the two types."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    if number != "auto" and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
        raise ValueError("must be auto, or how many proxies there are: 0, 1, 2")
    return number


class IpOptions(Section):
    database: Annotated[tuple[DatabaseOptions, ...], BeforeValidator(_as_option_list, json_schema_input_type=_Written)] = ()
    """URI of a database, or a list of several: a column's value is that of the first that has one."""
    trusted_proxies: Annotated[Literal["auto"] | int, BeforeValidator(_auto_or_number)] = "auto"
    """Proxies between clients and the load balancer. auto: entries of X-Forwarded-For, from the right, that are private or in
    published networks of CDNs (CloudFront, Cloudflare, Fastly, Google) are theirs. A number, for other proxies with public
    addresses: so many entries, from the right."""
    coordinates: bool = False
    """Fill geo_latitude and geo_longitude too."""
    network: bool = False
    """Fill geo_asn and geo_organization too, which need a database that has them."""
    language: str = Field(default="en", min_length=1)
    """Of names, where a database has them in several; English where it has none in this one."""
