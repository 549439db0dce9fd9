"""What operators declare: connections are made once, pipelines are applied, changed and deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.config.connection import Connection
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant, new_external_id
from chalicelib.errors import ConfigError
from chalicelib.flows.ports import Connections, Pipelines


def _nothing(out: Iceberg | Parquet) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Admin:
    """Keeps what operators declare consistent."""

    connections: Connections
    pipelines: Pipelines
    now: Callable[[], datetime]
    scheduled: Callable[[Pipeline], object]  # told of every pipeline that is applied
    unscheduled: Callable[[str], object]  # and of every one that is deleted
    lacks: Callable[[Iceberg | Parquet], str | None] = _nothing  # `table` or `database`: missing, and not to be made

    def connect(self, connection: Connection) -> Grant:
        """A new connection with an external id of its own, which never changes again (F5)."""
        grant = Grant(connection, new_external_id(), self.now())
        if not self.connections.add(grant):
            raise ConfigError(
                "this name is taken",
                where=f"connection {connection.name}",
                remedy="Choose another name, or delete it first; a new external id then goes into the trust policy",
            )
        return grant

    def connection(self, name: str) -> Grant:
        """The connection of this name."""
        grant = self.connections.get(name)
        if grant is None:
            raise _unknown("connection", name, [known.connection.name for known in self.connections.all()])
        return grant

    def disconnect(self, name: str) -> None:
        """Forget a connection that no pipeline needs."""
        self.connection(name)
        needed = [pipeline.name for pipeline in self.pipelines.all() if pipeline.connection == name]
        if needed:
            raise ConfigError(
                f"it is used by {', '.join(needed)}",
                where=f"connection {name}",
                remedy="Delete these pipelines, or give them another connection, first",
            )
        self.connections.remove(name)

    def apply(self, pipeline: Pipeline) -> tuple[str, ...]:
        """Store a pipeline, new or changed; its ledger stays (P10). Returns warnings."""
        refusal = self.connection(pipeline.connection).connection.refusal(
            pipeline.source.bucket, pipeline.source.listed_prefix
        )
        if refusal:
            raise ConfigError(
                refusal,
                where=f"pipeline {pipeline.name}",
                remedy="Narrow the pipeline, or make a connection that allows it",
            )
        self._check_table(pipeline)
        lacks = self.lacks(pipeline.out)
        if lacks is not None:
            raise ConfigError(
                f"there is no {lacks} {pipeline.out.address}, and out.auto_create_{lacks} is false",
                where=f"pipeline {pipeline.name}",
                remedy=f"Make the {lacks} first, or leave out auto_create_{lacks}; nothing was changed",
            )
        self.pipelines.put(pipeline)
        self.scheduled(pipeline)
        return (*pipeline.source.warnings, *pipeline.out.warnings)

    def _check_table(self, pipeline: Pipeline) -> None:
        """What replaces a table's whole content would take out the rows of others (F80)."""
        mine = {pipeline.out.address, pipeline.out.rejects.address}
        for other in self.pipelines.all():
            if other.name == pipeline.name or not (pipeline.out.replaces or other.out.replaces):
                continue
            shared = mine & {other.out.address, other.out.rejects.address}
            if shared:
                replacing = pipeline if pipeline.out.replaces else other
                raise ConfigError(
                    f"pipeline {other.name} writes to {min(shared)} too, whose whole content {replacing.name} replaces",
                    where=f"pipeline {pipeline.name}",
                    remedy="Give each a table of its own, or take mode append or merge",
                )

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of this name."""
        pipeline = self.pipelines.get(name)
        if pipeline is None:
            raise _unknown("pipeline", name, [known.name for known in self.pipelines.all()])
        return pipeline

    def delete(self, name: str) -> None:
        """Forget a pipeline's document. Ledger, jobs and table stay."""
        self.pipeline(name)
        self.unscheduled(name)
        self.pipelines.remove(name)


def _unknown(kind: str, name: str, known: list[str]) -> ConfigError:
    there = f"There are: {', '.join(known)}" if known else "There are none yet"
    return ConfigError(f"there is no {kind} of this name", where=f"{kind} {name}", remedy=there)
