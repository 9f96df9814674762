"""Isolating failures in derive: a user or an item whose rows cannot be computed is set aside, alone; all others go on.

Values of clients are bounded on entry, so none of this is expected to happen. Where it does all the same, one user must not keep
the tables of all apps from being updated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from streaming_app.errors import ClickstreamError

log = logging.getLogger("clickstream")

USER, ITEM = "user_pseudo_id", "item_id"
"""Columns by whose values, within an app, rows are set aside."""


class SetAside(msgspec.Struct, frozen=True):
    """A user or an item whose rows could not be computed; ``error`` is the error's class, ``message`` what it said."""

    app_id: str
    column: str
    id: str
    error: str
    message: str


def compute_isolated(
    compute: Callable[..., pa.Table], *inputs: pa.Table, column: str = USER
) -> tuple[list[pa.Table], list[SetAside]]:
    """Compute a result of some tables; where that fails, of halves of their users (or items), until each that fails is alone.

    The inputs have the columns ``app_id`` and ``column``; rows without a value there go with the second half.
    """
    try:
        return [compute(*inputs)], []
    except ClickstreamError:
        raise
    except Exception as error:
        ids = sorted(set().union(*(_ids(each, column) for each in inputs)))
        if not ids:
            raise
        if len(ids) == 1:
            [(app_id, key)] = ids
            log.debug("%s %s of app %s is set aside", column, key, app_id, exc_info=True)
            others = [_split(each, column, ids_by_app(ids))[1] for each in inputs]
            computed = [compute(*others)] if any(map(len, others)) else []  # rows without a value in the column
            return computed, [SetAside(app_id, column, key, type(error).__name__, " ".join(str(error).split()))]
    half = ids_by_app(ids[: len(ids) // 2])
    parts = [_split(each, column, half) for each in inputs]
    first, first_failed = compute_isolated(compute, *(part[0] for part in parts), column=column)
    second, second_failed = compute_isolated(compute, *(part[1] for part in parts), column=column)
    return first + second, first_failed + second_failed


def drop_failed(rows: pa.Table, failed: Iterable[SetAside], column: str = USER) -> pa.Table:
    """The rows of users (or items) that did not fail."""
    ids = failed_by_app(failed)
    return _split(rows, column, ids)[1] if ids else rows


def failed_by_app(failed: Iterable[SetAside]) -> dict[str, pa.Array]:
    """The ids that were set aside, by app."""
    return ids_by_app((each.app_id, each.id) for each in failed)


def ids_by_app(pairs: Iterable[tuple[str, str]]) -> dict[str, pa.Array]:
    """Ids by app, from pairs of app and id."""
    found: dict[str, list[str]] = {}
    for app_id, key in pairs:
        found.setdefault(app_id, []).append(key)
    return {app_id: pa.array(keys, pa.string()) for app_id, keys in found.items()}


def _ids(rows: pa.Table, column: str) -> set[tuple[str, str]]:
    distinct = rows.select(["app_id", column]).group_by(["app_id", column]).aggregate([])
    pairs = zip(distinct["app_id"].to_pylist(), distinct[column].to_pylist(), strict=True)
    return {(app_id, key) for app_id, key in pairs if key}


def _split(rows: pa.Table, column: str, ids: dict[str, pa.Array]) -> tuple[pa.Table, pa.Table]:
    """The rows with some ids, and all others."""
    chosen = pa.chunked_array([pa.repeat(False, len(rows))])
    for app_id, keys in ids.items():
        here = pc.and_(pc.equal(rows["app_id"], app_id), pc.is_in(rows[column], keys))
        chosen = pc.or_(chosen, pc.fill_null(here, False))
    return rows.filter(chosen), rows.filter(pc.invert(chosen))
