"""The tables about the pipeline itself: what could not be used, what each micro-batch did, what operators did."""

from __future__ import annotations

from streaming_app.model.columns import Column, bigint, date, double, json_text, text, timestamp
from streaming_app.model.event import LONG
from streaming_app.model.table_contract import Table, with_names

QUARANTINE = Table(
    "quarantine",
    "One row per element that could not be used, with its reason; nothing is lost.",
    with_names(
        reason=text(
            "malformed_line, malformed_payload, malformed_event, unknown_app, too_late, in_future, too_large, transformer_error, "
            "derive_error (of a user or an item), unreadable_file (a whole raw file)"
        ),
        stage=text("file, request, transform, rules or derive"),
        error_class=text("class of the error"),
        message=text("what was wrong", LONG),
        raw=Column("string", "the element's raw text"),
        envelope=Column("string", "the raw request without its payload, JSON object; null for a broken line"),
        app_id=text("app, where known"),
        source_file=text("raw file", LONG, stats=True),
        source_line=bigint("line in the raw file, from 1"),
        ingest_time_msec=bigint("server's receive time, epoch ms"),
        batch_id=bigint("micro-batch that first met it"),
        created_time=timestamp("when that micro-batch began, UTC", stats=True),
        resolved_time=timestamp("when a replay brought it into the tables, UTC; null while it is not in them"),
        resolved_by=text("operation that did"),
        elements=bigint("how many elements of a request the row stands for, with the request's whole payload; null for one"),
        ingest_date=date("day of ingest_time_msec, or of created_time where that is not known, UTC", stats=True),
    ),
)

RUN_METRICS = Table(
    "run_metrics",
    "One row per micro-batch of ingest: received = written + duplicate + filtered + quarantined.",
    with_names(
        job_id=text("run that processed the batch"),
        window=text("part of the source, such as 2026-11, that has a checkpoint of its own"),
        batch_id=bigint("micro-batch, counted by the window's checkpoint"),
        created_time=timestamp("when the batch began, UTC", stats=True),
        files=bigint("raw files"),
        bytes=bigint("their stored size, bytes", stats=True),
        decoded_bytes=bigint("their size after gunzip, bytes", stats=True),
        lines=bigint("raw lines"),
        received=bigint("elements: events, and each line, payload or part of a file that could not be told apart"),
        written=bigint("events added to event, and changes added to change"),
        duplicate=bigint("events that are there already, or came twice"),
        filtered=bigint("events left out by configuration"),
        quarantined=bigint("elements added to quarantine"),
        quarantined_by_reason=json_text("elements added to quarantine by reason"),
        items=bigint("rows added to item"),
        changes=bigint("rows added to change"),
        first_ingest_time=timestamp("earliest receive time of a request in the batch, UTC"),
        last_ingest_time=timestamp("latest receive time of a request in the batch, UTC"),
        pass_seconds=double("wall seconds of the pass"),
        pass_cpu_seconds=double("CPU-seconds of the workers in the pass"),
        commit_seconds=double("wall seconds of dedupe and commit"),
        enrichers=json_text(
            "what each enricher did, {name: {cpu_seconds, failed, error, info, counts}}: values it failed on, the first error, "
            "what it worked with (type and build date of databases), and what else it counted (ip: cdn_addresses)"
        ),
        commit_cpu_seconds=double("CPU-seconds of the driver in dedupe and commit"),
        latency_p50_seconds=double("from event to table: half of the written events took no longer, within 5 %"),
        latency_p95_seconds=double("the same for 95 % of them"),
        latency_max_seconds=double("the same for all of them"),
        late=bigint("events that reached the server more than an hour after they happened"),
        files_by_table=json_text("files added, {table: count}"),
        ingest_date=date("day of last_ingest_time, or of created_time where no request has a receive time, UTC", stats=True),
    ),
)

OPERATION = Table(
    "operation",
    "One row per start and end of an operator's command: who changed what, and why.",
    with_names(
        operation_id=text("the command's run"),
        operation=text("backfill, reprocess, rebuild, replay, erase, optimize or vacuum"),
        status=text("started, done or failed; a start without an end was killed, repeat it"),
        created_time=timestamp("when the row was written, UTC", stats=True),
        arguments=json_text("what it was asked for, JSON object; ids of people as keyed digests"),
        result=json_text("what it did, JSON object of counts"),
        message=text("why it failed", LONG),
        stored=bigint("rows of event and change when it ended: what run_metrics counts is counted on from here"),
        actor=text("user and machine"),
        version=text("version of this application"),
    ),
)
