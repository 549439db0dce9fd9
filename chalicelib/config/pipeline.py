"""Pipeline: one named document that says what is read, and where its rows end."""

from typing import Self

from pydantic import Field, model_validator

from chalicelib.config.destination import Destination
from chalicelib.config.filters import Filter
from chalicelib.config.names import NAME
from chalicelib.config.schedule import Schedule
from chalicelib.config.source import Source
from chalicelib.config.spec import Spec


class Pipeline(Spec):
    """The document of `tidegate apply`."""

    name: str = Field(
        pattern=NAME,
        max_length=100,
        description="Letters, digits, `_`, `.` and `-`, starting with a letter or digit, 100 at most. Its ledger and "
        "its cursor are kept under this name, also when the pipeline is deleted (F49).",
    )
    connection: str = Field(
        pattern=NAME,
        max_length=100,
        description="The connection to read over, made by `tidegate connection create` (F14).",
    )
    owner: str | None = Field(
        None,
        pattern=NAME,
        max_length=100,
        description="Whose pipeline it is. A connection that has an owner takes this owner's pipelines only.",
    )
    source: Source = Field(alias="in", description="What to read.")
    filters: tuple[Filter, ...] = Field((), description="What happens to the rows on their way, in order (F78).")
    out: Destination = Field(description="Where the rows end.")
    arrivals: bool | None = Field(
        None,
        description="Whether notifications load objects as they arrive. Left out: they do, unless `out.mode` replaces "
        "the whole content, which only runs can (F80).",
    )
    schedule: Schedule | None = Field(
        None,
        description="When to sweep. Without it only notifications, `tidegate run` and backfills find objects (F45).",
    )

    @property
    def takes_arrivals(self) -> bool:
        """Whether notifications load objects."""
        return not self.out.replaces if self.arrivals is None else self.arrivals

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know although nothing is wrong."""
        found = (*self.source.warnings, *self.out.warnings)
        if self.out.replaces and self.source.incremental and self.source.path is None:
            found += (
                f"out.mode {self.out.mode} leaves only what one run finds; with in.incremental: true, the default, "
                "every run but a full one finds only what lies after the cursor. "
                "For full exports set in.incremental: false",
            )
        return found

    @model_validator(mode="after")
    def _only_runs_replace(self) -> Self:
        if self.arrivals and self.out.replaces:
            raise ValueError(
                f"out.mode {self.out.mode} replaces the whole content with what one run finds; a single arrival would "
                "leave nothing else. Set arrivals: false, or take mode append or merge"
            )
        return self

    @model_validator(mode="after")
    def _declared_columns_make_partitions(self) -> Self:
        if self.source.parser.columns and not self.filters:  # filters may make other columns of them
            misfit = self.out.misfit(self.source.parser.columns)
            if misfit is not None:
                raise ValueError(f"out.{misfit}")
        return self
