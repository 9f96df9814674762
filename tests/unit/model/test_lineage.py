"""What the writer of the lineage writes, its readers read, also after a step has added to it or dropped from it."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from streaming_app.model.arrow import drop_largest
from streaming_app.model.column_limits import note
from streaming_app.model.lineage import LineageWriter, request_id_of, request_ids, source_files, source_positions
from streaming_app.model.request import Request

NOW = 1_780_000_000_000
AWKWARD = 'a"b\\c,"rid":"x"\u2028é.gz'
REQUESTS = {
    "plain": Request(rid="r-1", source_file="s3://raw/a.gz", source_line=7, ip="192.0.2.1", ingest_time=NOW),
    "no id": Request(source_file="/raw/b.gz", source_line=1),
    "text that looks like lineage": Request(rid='","rid":"other"}', source_file=AWKWARD, source_line=2),
    "an id that is too long": Request(rid="é" * 300, source_file="/raw/c.gz", source_line=3),
}


def write(request: Request) -> dict[str, Any]:
    return LineageWriter("job", NOW, lambda address: address).of(request)


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("step", ["as written", "with notes", "without its largest values", "with a dropped column"])
def test_readers_read_what_the_writer_wrote(case: str, step: str) -> None:
    request, info = REQUESTS[case], write(REQUESTS[case])
    text = msgspec.json.encode(info | ({"unreadable": {"x": "y" * 5_000}} if step != "as written" else {})).decode()
    if step == "without its largest values":
        text, _ = drop_largest(text, 2_048)
    column = pa.array([text])
    if step == "with a dropped column":
        table = {"process_info": column}
        note(table, "dropped", {0: {"custom_parameters_json_str": 1}})
        column = table["process_info"]
    column = pa.chunked_array([column])
    assert request_ids(column).to_pylist() == [request_id_of(info)]
    assert source_files(column).to_pylist() == [request.source_file]
    [position] = source_positions(column).to_pylist()
    assert msgspec.json.decode(f'{{"file":"{position}}}') == {"file": request.source_file, "input_file_line": request.source_line}


def test_rows_without_lineage_have_empty_values() -> None:
    column = pa.chunked_array([pa.array(["{}", None], pa.string())])
    for read in (request_ids, source_files, source_positions):
        assert read(column).to_pylist() == ["", ""]
