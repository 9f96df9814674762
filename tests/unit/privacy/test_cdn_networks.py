"""The list of networks of CDNs: as the tool writes it, and written again only from lists that say what they should."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming_app.config.shipped_files import conf_file
from streaming_app.errors import MissingDependencyError
from streaming_app.privacy.proxies import FILE, Cdn, cdns, merge
from streaming_app.privacy.renew_cdn_networks import SOURCES, Source, _entry, renew

TODAY = date(2027, 1, 2)
# As the CDNs publish them, shortened.
PUBLISHED: dict[str, Any] = {
    "CloudFront": {
        "createDate": "2026-08-22-15-17-05",
        "prefixes": [
            {"ip_prefix": "130.176.0.0/18", "region": "GLOBAL", "service": "CLOUDFRONT"},
            {"ip_prefix": "130.176.64.0/18", "region": "GLOBAL", "service": "CLOUDFRONT_ORIGIN_FACING"},
            {"ip_prefix": "130.176.0.0/24", "region": "GLOBAL", "service": "CLOUDFRONT_ORIGIN_FACING"},
            {"ip_prefix": "18.233.0.0/16", "region": "us-east-1", "service": "EC2"},
        ],
        "ipv6_prefixes": [
            {"ipv6_prefix": "2600:9000:1000::/36", "region": "GLOBAL", "service": "CLOUDFRONT"},
            {"ipv6_prefix": "2600:1f18::/33", "region": "us-east-1", "service": "EC2"},
        ],
    },
    "Cloudflare": {"result": {"ipv4_cidrs": ["172.64.0.0/13"], "ipv6_cidrs": ["2400:cb00::/32"], "etag": "x"}, "success": True},
    "Fastly": {"addresses": ["151.101.0.0/16"], "ipv6_addresses": ["2a04:4e40::/32"]},
    "Google": {
        "creationTime": "2026-07-02T00:00:00",
        "prefixes": [
            {"ipv4Prefix": "34.117.0.0/16", "service": "Google Cloud", "scope": "global"},
            {"ipv6Prefix": "2600:1901::/48", "service": "Google Cloud", "scope": "global"},
            {"ipv4Prefix": "34.72.0.0/14", "service": "Google Cloud", "scope": "us-central1"},
        ],
    },
}
FRONT_ENDS = {"35.191.0.0/16", "130.211.0.0/22", "34.96.0.0/20", "34.127.192.0/18", "2600:2d00:1:1::/64", "2600:2d00:1:b029::/64"}
NETWORKS = {
    "CloudFront": {"130.176.0.0/17", "2600:9000:1000::/36"},
    "Cloudflare": {"172.64.0.0/13", "2400:cb00::/32"},
    "Fastly": {"151.101.0.0/16", "2a04:4e40::/32"},
    "Google": {"34.117.0.0/16", "2600:1901::/48"} | FRONT_ENDS,
}


def published(folder: Path, documents: dict[str, str | None]) -> dict[str, Source]:
    """The sources, with the documents at addresses of this machine; None is at none."""
    for name, text in documents.items():
        if text is not None:
            (folder / name).write_text(text)
    return {name: source._replace(url=(folder / name).as_uri()) for name, source in SOURCES.items()}


def texts() -> dict[str, str | None]:
    return {name: json.dumps(document) for name, document in PUBLISHED.items()}


def written(path: Path) -> dict[str, Cdn]:
    return {each["name"]: msgspec.convert(each, Cdn) for each in msgspec.toml.decode(path.read_bytes())["cdn"]}


def test_the_file_is_as_the_tool_writes_it() -> None:
    text = conf_file(FILE).read_text()
    assert text.partition("\n[[cdn]]")[0] + "".join(map(_entry, cdns())) == text
    assert [cdn.name for cdn in cdns()] == list(SOURCES)
    assert all(cdn.networks == tuple(map(str, merge(cdn.networks))) for cdn in cdns())


def test_renewed(tmp_path: Path) -> None:
    target = tmp_path / "new.toml"
    sources = published(tmp_path, texts())
    renew(target, sources, (), TODAY)
    found = written(target)
    assert {name: set(cdn.networks) for name, cdn in found.items()} == NETWORKS
    assert {cdn.read for cdn in found.values()} == {TODAY}
    assert [cdn.sources[0] for cdn in found.values()] == [source.url for source in sources.values()]
    before = target.read_bytes()
    renew(target, sources, found.values(), TODAY)
    assert target.read_bytes() == before


FEWER = {"addresses": ["151.101.0.0/18"], "ipv6_addresses": ["2a04:4e40::/32"]}
# What Fastly's address answers, and what is said of it
WRONG: dict[str, tuple[str | None, str]] = {
    "no answer": (None, "URLError"),
    "a page": ("<html>Please log in</html>", "JSONDecodeError"),
    "nothing": ("", "JSONDecodeError"),
    "no object": ("[]", "TypeError"),
    "an error": ('{"msg": "Too many requests"}', "KeyError"),
    "no networks": ('{"addresses": [], "ipv6_addresses": []}', "lists 0 addresses of version 4, the file has 65,536"),
    "far fewer": (json.dumps(FEWER), "lists 16,384 addresses of version 4, the file has 65,536"),
    "a name": ('{"addresses": ["fastly.example"], "ipv6_addresses": []}', "'fastly.example' does not appear to be an IPv4 or IPv6 network"),
    "a host in a network": ('{"addresses": ["151.101.0.1/16"], "ipv6_addresses": []}', "has host bits set"),
    "other types": ('{"addresses": [[1]], "ipv6_addresses": {}}', "ValueError"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_the_file_stays_where_a_list_is_not_what_it_should_be(case: str, tmp_path: Path) -> None:
    answer, says = WRONG[case]
    target = tmp_path / "file.toml"
    renew(target, published(tmp_path, texts()), (), TODAY)
    before = target.read_bytes()
    known = written(target).values()
    (tmp_path / "Fastly").unlink()
    (tmp_path / "Google").unlink()
    sources = published(tmp_path, texts() | {"Fastly": answer, "Google": None})
    with pytest.raises(MissingDependencyError) as caught:
        renew(target, sources, known, date(2027, 2, 3))
    fastly, google = str(caught.value).splitlines()
    assert fastly.startswith(sources["Fastly"].url)
    assert says in fastly
    assert google.startswith(sources["Google"].url)
    assert target.read_bytes() == before
