"""The operator's environment variables as one frozen value."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chalicelib.config.spec import Spec

PREFIX = "TIDEGATE_"


class Settings(Spec):
    """Each field is read from `TIDEGATE_<FIELD>`; `.chalice/` sets them for every function."""

    stack: str = Field("tidegate", description="CloudFormation stack name; queues and tables are named after it.")
    bucket: str = Field("tidegate-lake", description="Tidegate's own bucket: the tables' files.")
    catalog: Literal["glue", "rest", "sql"] = Field("glue", description="Kind of Iceberg catalogue.")
    catalog_uri: str | None = Field(None, description="Address of a REST or SQL catalogue.")
    claim_lease: int = Field(120, gt=0, description="Seconds a claim holds before its task must be stored.")
    task_lease: int = Field(120, gt=0, description="Seconds a loading task holds; renewed while it moves.")
    sweep_seconds: int = Field(
        480, gt=0, description="Seconds that one turn of a sweep lists before it hands itself on."
    )
    nudge_after: int = Field(60, gt=0, description="Seconds a staged task waits before the tick nudges its commit.")
    resend_after: int = Field(900, gt=0, description="Seconds between two sendings of a task by the tick.")

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from environment variables; unknown `TIDEGATE_` names are left alone.

        Raises ConfigError that names the variable.
        """
        names = {name: environ.get(PREFIX + name.upper()) for name in cls.model_fields}
        given = {name: value for name, value in names.items() if value is not None}
        return cls.parse(given, where=f"environment ({', '.join(PREFIX + name.upper() for name in given)})")

    @property
    def warehouse(self) -> str:
        """Where new tables put their files: an S3 URI without a trailing slash."""
        return f"s3://{self.bucket}/warehouse"
