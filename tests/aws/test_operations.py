"""Operators' commands with source and tables on S3 end in the tables of the same commands on this machine."""

from __future__ import annotations

from pathlib import Path

from tests.aws.conftest import Story
from tests.support.s3_story import STEPS, tale

BUCKET = "clickstream-operations"


def test_the_same_as_here(story: Story, endpoint: str, tmp_path: Path) -> None:
    place = story.on_s3(BUCKET, tmp_path, endpoint, endpoint)
    told = tale(place, story.cli)
    for name in STEPS:
        assert told[name] == story.here[name], name
