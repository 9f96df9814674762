"""Index files on S3: written whole, read in part, missing ones made, deleted with their data files."""

from __future__ import annotations

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streaming_app.lake.hashes import stable_hashes
from streaming_app.lake.id_index import HashRange, IdIndex, index_path
from streaming_app.lake.lake import Lake
from streaming_app.lake.rewrite import delete_data_file
from streaming_app.model.tables import EVENT
from streaming_app.storage.files import Storage
from tests.support.moto import REGION

BUCKET, PATH = "clickstream-ids", "app_id=shop/part.parquet"
IDS = [f"id-{number}" for number in range(5_000)]
KEY = f"lake/event/{index_path(PATH)}"


@pytest.mark.parametrize("damage", ["none", "missing", "cut"])
def test_an_index_file_on_s3(endpoint: str, damage: str) -> None:
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    s3.create_bucket(Bucket=BUCKET)
    lake = Lake(f"s3://{BUCKET}/lake", Storage(endpoint, REGION))
    system, path = lake.storage.filesystem(f"{lake.uri(EVENT)}/{PATH}")
    pq.write_table(pa.table({"event_id": IDS}), path, filesystem=system)
    index = IdIndex(lake.uri(EVENT), lake.storage)
    index.make(PATH)
    whole = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    if damage == "missing":
        s3.delete_object(Bucket=BUCKET, Key=KEY)
    elif damage == "cut":
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=whole[:-1])
    assert index.find_missing([(PATH, len(IDS))]) == ([] if damage == "none" else [(PATH, len(IDS))])
    found = []
    for number in range(3):
        ids = index.read(PATH, len(IDS), HashRange(number, 3))
        rows = index.rows_at(PATH, ids, np.arange(len(ids.hashes)))
        found += list(zip(ids.hashes.tolist(), rows.tolist(), strict=True))
    assert sorted(found) == sorted(zip(stable_hashes(pa.chunked_array([IDS])).tolist(), range(len(IDS)), strict=True))
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == whole
    delete_data_file(lake, EVENT, PATH)
    left = s3.list_objects_v2(Bucket=BUCKET, Prefix="lake/event/").get("Contents", [])
    assert [each["Key"] for each in left if not each["Key"].endswith("/")] == []  # Arrow leaves markers of folders
