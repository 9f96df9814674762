"""The pseudonymous ids that a login id was seen with, and the rows that they would take along.

Whoever can send an event can link another's pseudonymous id to a login of their own. So an erasure takes linked ids only
after an operator has looked at them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.commands.erase.person import Person
from streaming_app.lake.lake import Lake, live_files
from streaming_app.lake.rows import read_batches
from streaming_app.model.tables import CHANGE, EVENT


@dataclass
class LinkedId:
    """Events and changes with the pseudonymous id: those with the person's login; anonymous ones, which go as well if the id is
    chosen; those with other logins, which stay."""

    user_pseudo_id: str
    with_login: int = 0
    anonymous: int = 0
    other_logins: int = 0


def count_linked_ids(person: Person, linked: Iterable[str], lake: Lake) -> list[LinkedId]:
    """Count the rows of some pseudonymous ids; the id with the most anonymous rows first."""
    links = {each: LinkedId(each) for each in linked}
    wanted = pa.array(sorted(links), pa.string())
    for table in (EVENT, CHANGE) if links else ():
        for file in live_files(lake.open(table)):
            if file.partition["app_id"] == person.app_id:
                for rows in read_batches(lake, table, file, ["user_pseudo_id", "user_id"]):
                    _count(rows.filter(pc.is_in(rows["user_pseudo_id"], wanted)), person, links)
    return sorted(links.values(), key=lambda link: (-link.anonymous, link.user_pseudo_id))


def _count(rows: pa.Table, person: Person, links: dict[str, LinkedId]) -> None:
    for group in rows.group_by(["user_pseudo_id", "user_id"]).aggregate([([], "count_all")]).to_pylist():
        link = links[group["user_pseudo_id"]]
        if group["user_id"] == person.user_id:
            link.with_login += group["count_all"]
        elif group["user_id"]:
            link.other_logins += group["count_all"]
        else:
            link.anonymous += group["count_all"]
