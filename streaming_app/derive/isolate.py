"""Isolates failures in derive: a user or an item whose rows cannot be computed is set aside, and all others are processed.

Values of clients are bounded on entry, so no failure is expected. If there is one nevertheless, a single user must not prevent
the update of all apps' tables.
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
"""Columns that identify the users or items of an app."""


class SetAside(msgspec.Struct, frozen=True):
    """A user or an item whose rows could not be computed; ``error`` is the class of the error, ``message`` its text."""

    app_id: str
    column: str
    id: str
    error: str
    message: str


def compute_isolated(
    compute: Callable[..., pa.Table], *inputs: pa.Table, column: str = USER
) -> tuple[list[pa.Table], list[SetAside]]:
    """Compute a result from some tables; if that fails, from halves of their users (or items), until the failing ones are
    isolated.

    The inputs have the columns ``app_id`` and ``column``; rows without a value in ``column`` are in the second half.
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
            others = [split_by_ids(each, column, ids_by_app(ids))[1] for each in inputs]
            computed = [compute(*others)] if any(map(len, others)) else []  # rows without a value in the column
            return computed, [SetAside(app_id, column, key, type(error).__name__, " ".join(str(error).split()))]
    half = ids_by_app(ids[: len(ids) // 2])
    parts = [split_by_ids(each, column, half) for each in inputs]
    first, first_failed = compute_isolated(compute, *(part[0] for part in parts), column=column)
    second, second_failed = compute_isolated(compute, *(part[1] for part in parts), column=column)
    return first + second, first_failed + second_failed


def drop_failed(rows: pa.Table, failed: Iterable[SetAside], column: str = USER) -> pa.Table:
    """The rows of users (or items) that did not fail."""
    ids = failed_by_app(failed)
    return split_by_ids(rows, column, ids)[1] if ids else rows


def failed_by_app(failed: Iterable[SetAside]) -> dict[str, pa.Array]:
    """The failed ids by app."""
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


def split_by_ids(rows: pa.Table, column: str, ids: dict[str, pa.Array]) -> tuple[pa.Table, pa.Table]:
    """The rows with some ids, and all others."""
    chosen = pa.chunked_array([pa.repeat(False, len(rows))])
    for app_id, keys in ids.items():
        here = pc.and_(pc.equal(rows["app_id"], app_id), pc.is_in(rows[column], keys))
        chosen = pc.or_(chosen, pc.fill_null(here, False))
    return rows.filter(chosen), rows.filter(pc.invert(chosen))
