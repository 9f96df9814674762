"""What all sections of the configuration have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streaming_app.storage.uris import checked_uri

Uri = Annotated[str, Field(min_length=1), AfterValidator(checked_uri)]
"""A local path, or an s3:// URI."""


class Section(BaseModel):
    """Unknown keys are errors: a typing mistake must never silently mean the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
