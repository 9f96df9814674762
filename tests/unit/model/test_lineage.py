"""What the writer of the lineage writes, its readers read: from its columns, and of rows of older layouts from the text, also
after a step has added to the text or dropped from it."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from streaming_app.model.arrow import drop_largest
from streaming_app.model.column_limits import note
from streaming_app.model.lineage import (
    LINEAGE,
    LINEAGE_COLUMNS,
    LineageWriter,
    complete_lineage,
    lineage_values,
    read_lineage,
    read_source_files,
)
from streaming_app.model.request import Request
from streaming_app.model.tables import EVENT

NOW = 1_780_000_000_000
AWKWARD = 'a"b\\c,"rid":"x"\u2028é.gz'
SCHEMA = pa.schema([EVENT.schema.field(name) for name in LINEAGE_COLUMNS])
REQUESTS = {
    "plain": Request(rid="r-1", source_file="s3://raw/a.gz", source_line=7, ip="192.0.2.1", ingest_time=NOW),
    "no id": Request(source_file="/raw/b.gz", source_line=1),
    "text that looks like lineage": Request(rid='","rid":"other"}', source_file=AWKWARD, source_line=2),
    "an id that is too long": Request(rid="é" * 300, source_file="/raw/c.gz", source_line=3),
}
STEPS = ("as written", "with notes", "without its largest values", "with a dropped column")


def write(request: Request) -> dict[str, Any]:
    return LineageWriter("job", NOW, lambda address: address).of(request)


def rows(info: dict[str, Any], text: str | None, *, columns: bool) -> pa.Table:
    """One row: of this layout, or of one that had the text only."""
    values = lineage_values(info) if columns else (None, None, None)
    return pa.Table.from_pylist([dict(zip(LINEAGE_COLUMNS, (*values, text), strict=True))], SCHEMA)


def text_after(step: str, info: dict[str, Any]) -> str:
    text = msgspec.json.encode(info | ({"unreadable": {"x": "y" * 5_000}} if step != "as written" else {})).decode()
    if step == "without its largest values":
        text, _ = drop_largest(text, 2_048)
    if step == "with a dropped column":
        table = {"process_info": pa.array([text])}
        note(table, "dropped", {0: {"custom_parameters_json_str": 1}})
        [text] = table["process_info"].to_pylist()
    return text


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("step", STEPS)
def test_text_says_what_the_columns_say(case: str, step: str) -> None:
    request, info = REQUESTS[case], write(REQUESTS[case])
    wanted = (info.get("rid"), request.source_file, request.source_line)
    old, new = (rows(info, text_after(step, info), columns=columns) for columns in (False, True))
    for each in (old, old.select(["process_info"]), new):
        lineage = read_lineage(each)
        assert lineage.request_ids.to_pylist() == [info.get("rid", "")]
        assert lineage.source_positions.to_pylist() == [f"{request.source_file}\n{request.source_line}"]
        assert read_source_files(each).to_pylist() == [request.source_file]
        assert complete_lineage(each).select(LINEAGE).to_pylist() == [dict(zip(LINEAGE, wanted, strict=True))]
    assert read_lineage(new.drop_columns(["process_info"])) == read_lineage(new)


def test_rows_of_both_layouts_may_be_merged() -> None:
    both = [(write(request), columns) for request in REQUESTS.values() for columns in (True, False)]
    merged = pa.concat_tables([rows(info, text_after("with notes", info), columns=columns) for info, columns in both])
    assert read_lineage(merged).request_ids.to_pylist() == [info.get("rid", "") for info, _ in both]
    assert complete_lineage(merged)["source_line"].to_pylist() == [info["input_file_line"] for info, _ in both]
    assert complete_lineage(merged)["process_info"] == merged["process_info"]
    encoded = pa.table(
        {
            name: each.dictionary_encode() if name != "source_line" else each
            for name, each in zip(SCHEMA.names, merged.columns, strict=True)
        }
    )
    assert read_lineage(encoded) == read_lineage(merged)


@pytest.mark.parametrize("text", ["{}", None, '{"input_file_name":"a","input_file_line":' + "9" * 30 + "}"])
def test_rows_without_lineage_have_empty_values(text: str | None) -> None:
    row = rows({}, text, columns=False)
    assert [each.to_pylist() for each in read_lineage(row)] == [[""], [""]]
    assert read_source_files(row).to_pylist() == [""]
    assert complete_lineage(row).select(LINEAGE).to_pylist() == [dict.fromkeys(LINEAGE)]
    assert complete_lineage(row.slice(0, 0)).num_rows == 0
