"""The settings of the submitter's stack, from environment variables."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streaming_app.errors import ConfigError


class Deployment(BaseModel):
    """Where the pipeline runs in an account; each field is an environment variable."""

    model_config = ConfigDict(frozen=True, str_min_length=1, extra="ignore")

    config_uri: str = Field(alias="CLICKSTREAM_CONFIG")
    application_id: str = Field(alias="CLICKSTREAM_APPLICATION_ID")
    job_role_arn: str = Field(alias="CLICKSTREAM_JOB_ROLE_ARN")
    package_uri: str = Field(alias="CLICKSTREAM_PACKAGE")
    log_uri: str | None = Field(default=None, alias="CLICKSTREAM_LOG_URI")
    log_group: str | None = Field(default=None, alias="CLICKSTREAM_LOG_GROUP")
    maximum_vcpu: int | None = Field(default=None, alias="CLICKSTREAM_MAXIMUM_VCPU")
    """Of all workers together; an event may not ask for more."""
    kms_key_arn: str | None = Field(default=None, alias="CLICKSTREAM_KMS_KEY_ARN")
    project_id: str | None = Field(default=None, alias="CLICKSTREAM_PROJECT_ID")
    """Of the stack, after which its alarms and tables are named; None where there is no stack."""
    region: str | None = Field(default=None, alias="AWS_REGION")
    """Of the application. Lambda sets it; elsewhere it may be absent, and boto3's own region is taken."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Deployment:
        """Read the variables; empty ones count as absent.

        Raises:
            ConfigError: naming every variable that is missing.
        """
        try:
            return cls.model_validate({name: value for name, value in environment.items() if value})
        except ValidationError as error:
            missing = ", ".join(str(each["loc"][0]) for each in error.errors())
            raise ConfigError(f"environment variables are missing: {missing}", "the stack in conf/infra sets them") from None
