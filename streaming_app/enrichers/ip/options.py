"""The options of the ip enricher."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from streaming_app.config.section import Section, Uri
from streaming_app.enrichers.ip.layouts import LAYOUT


class DatabaseOptions(Section):
    uri: Uri
    """A database in MaxMind's format (.mmdb, or .mmdb.gz), local or s3://; taken anew in the run after it was replaced."""
    fields: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Where a database of another layout has a column's value: geo_city: place.names.en, steps with dots between them,
    numbers for places in a list. Columns that are not named here are found as ever."""

    @field_validator("fields")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value) - set(LAYOUT)):
            raise ValueError(f"no such column: {', '.join(unknown)}; known here: {', '.join(LAYOUT)}")
        return value


def _listed(value: Any) -> Any:
    """One database or several, each by its URI alone or with options, as a list of options."""
    each = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [{"uri": one} if isinstance(one, str) else one for one in each]


_Written = str | DatabaseOptions | list[str | DatabaseOptions] | None


class IpOptions(Section):
    database: Annotated[tuple[DatabaseOptions, ...], BeforeValidator(_listed, json_schema_input_type=_Written)] = ()
    """URI of a database, or a list of several: a column's value is that of the first that has one."""
    trusted_proxies: int = Field(default=0, ge=0)
    """Proxies of your own, a CDN for example, between clients and the load balancer: so many entries of X-Forwarded-For,
    from the right, are theirs."""
    coordinates: bool = False
    """Fill geo_latitude and geo_longitude too."""
    network: bool = False
    """Fill geo_asn and geo_organization too, which need a database that has them."""
    language: str = Field(default="en", min_length=1)
    """Of names, where a database has them in several; English where it has none in this one."""
