"""What the lineage of stored rows says, read from the JSON text of many rows at once."""

from __future__ import annotations

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_SOURCE = r'"input_file_name":"(?P<found>(?:[^"\\]|\\.)*)"'
_PLACE = r'"input_file_name":"(?P<found>(?:[^"\\]|\\.)*","input_file_line":\d+)'
_REQUEST = r'^\{"rid":(?P<found>"(?:[^"\\]|\\.)*")'


def sources(process_info: pa.ChunkedArray) -> pa.ChunkedArray:
    """The raw file of each row; "" where its lineage does not say."""
    found = _extracted(process_info, _SOURCE)
    if not pc.any(pc.match_substring(found, "\\")).as_py():
        return found
    escaped = pc.unique(found)
    names = pa.array([msgspec.json.decode(f'"{name}"', type=str) for name in escaped.to_pylist()], pa.string())
    return pc.take(names, pc.index_in(found, escaped))


def places(process_info: pa.ChunkedArray) -> pa.ChunkedArray:
    """Raw file and line of each row, as one text: within one of them an event id occurs once."""
    return _extracted(process_info, _PLACE)


def requests(process_info: pa.ChunkedArray) -> pa.ChunkedArray:
    """The id of the request that each row came with, as the lineage has it: quoted; "" where there was none."""
    return _extracted(process_info, _REQUEST)


def _extracted(process_info: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.struct_field(pc.extract_regex(process_info, pattern), "found"), "")
