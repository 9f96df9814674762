"""Every difference from the recorded values that is wanted, allowed for now, or a matter of the contract. Nothing else may differ.

Keys are (file below ``sdk/expected`` without ``.json``, column); a column of ``process_info`` is ``process_info.<key>``.
"""

from __future__ import annotations

from typing import Any

DEVIATIONS: dict[tuple[str, str], tuple[Any, str]] = {}
NOT_YET: dict[tuple[str, str], Any] = {}
REFERENCE_ONLY: dict[tuple[str, str], str] = {
    ("event", "custom_parameters"): "design: the duplicate map columns are not kept",
    ("item", "custom_parameters"): "design: the duplicate map columns are not kept",
    ("user", "user_properties"): "design: the duplicate map columns are not kept",
    ("event", "ua"): "internal to the reference, removed before it writes; ours is transient too",
    ("event", "ip"): "internal to the reference, removed before it writes; ours is transient too",
    ("user", "event_name"): "internal to the reference, removed before it writes",
}
EXTRA_PROCESS_INFO: dict[str, frozenset[str]] = {
    "event": frozenset({"input_file_line", "process_job_id", "process_time"}),
    "item": frozenset({"input_file_line", "rid", "ingest_time", "upload_time", "source_ip", "input_file_name", "process_job_id", "process_time"}),
    "user": frozenset({"first_event_name", "latest_event_name", "process_job_id", "process_time"}),
    "session": frozenset({"input_file_line"}),
}
