"""The operator's environment variables as one frozen value."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, Json, field_validator

from chalicelib.config.spec import Spec
from chalicelib.core.endpoints import Host

PREFIX = "TIDEGATE_"
_SECRET = ("secret", "credential", "token", "password", "access-key")  # in names of a catalogue's properties


class Settings(Spec):
    """Each field is read from `TIDEGATE_<FIELD>`; `.chalice/` sets them for every function."""

    stack: str = Field("tidegate", description="CloudFormation stack name; queues and tables are named after it.")
    bucket: str = Field("tidegate-lake", description="Tidegate's own bucket: the tables' files.")
    catalog: Literal["glue", "rest", "sql"] = Field("glue", description="Kind of Iceberg catalogue.")
    catalog_uri: str | None = Field(None, description="Address of a REST or SQL catalogue.")
    catalog_warehouse: str | None = Field(
        None, description="What a REST catalogue calls the warehouse; left out: the folder of the tables' files."
    )
    catalog_properties: Json[dict[str, str]] | None = Field(
        None, description="Further pyiceberg properties of the catalogue as a JSON object; no secrets."
    )
    catalog_secret: str | None = Field(
        None, description="Name of the secret `tidegate/NAME` with the properties that are secret, as a JSON object."
    )
    catalog_places_tables: bool = Field(
        False, description="The catalogue says where a new table's metadata lies, as that of S3 Tables does."
    )
    endpoint_hosts: str | None = Field(
        None,
        description="Hosts beside AWS's S3 that connections may name as endpoint or proxy, with commas: name, "
        "name:port, *.domain, address; http:// in front where it may go without TLS.",
    )
    claim_lease: int = Field(120, gt=0, description="Seconds a claim holds before its task must be stored.")
    task_lease: int = Field(120, gt=0, description="Seconds a loading task holds; renewed while it moves.")
    sweep_seconds: int = Field(
        480, gt=0, description="Seconds that one turn of a sweep lists before it hands itself on."
    )
    hand_over_seconds: int = Field(
        60, gt=0, description="Seconds before its time limit at which a loading task hands over to the next invocation."
    )
    commit_tasks: int = Field(100, gt=0, le=1000, description="Tasks that one commit takes at most.")
    commit_seconds: int = Field(
        0, ge=0, description="Seconds for which a table's staged tasks are gathered for one commit; 0: not at all."
    )
    maintenance_seconds: int = Field(
        480, gt=0, description="Seconds in which one run of maintenance begins new work; the rest waits for the next."
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

    @field_validator("catalog_properties")
    @classmethod
    def _keeps_no_secret(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name in value or ():
            if any(word in name for word in _SECRET):
                raise ValueError(f"{name} is a secret: put it into the secret that {PREFIX}CATALOG_SECRET names")
        return value

    @field_validator("endpoint_hosts")
    @classmethod
    def _are_hosts(cls, value: str | None) -> str | None:
        _hosts(value)
        return value

    @property
    def allowed_hosts(self) -> tuple[Host, ...]:
        """`endpoint_hosts`, understood."""
        return _hosts(self.endpoint_hosts)

    @property
    def warehouse(self) -> str:
        """Where new tables put their files: an S3 URI without a trailing slash."""
        return f"s3://{self.bucket}/warehouse"


def _hosts(text: str | None) -> tuple[Host, ...]:
    """Raises ValueError."""
    return tuple(Host.parse(entry.strip()) for entry in (text or "").split(",") if entry.strip())
