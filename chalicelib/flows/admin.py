"""What operators declare: pipelines are applied, changed and deleted. Connections are made in `connecting`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chalicelib.config.connection import Connection
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.errors import ConfigError
from chalicelib.flows.ports import Connections, Pipelines


def _nothing(out: Iceberg | Parquet) -> None:
    return None


def _idle(pipeline: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Admin:
    """Keeps what operators declare consistent."""

    connections: Connections
    pipelines: Pipelines
    scheduled: Callable[[Pipeline], object]  # told of every pipeline that is applied
    unscheduled: Callable[[str], object]  # and of every one that is deleted
    lacks: Callable[[Iceberg | Parquet], str | None] = _nothing  # `table` or `database`: missing, and not to be made
    runs: Callable[[str], bool] = _idle  # whether a sweep or backfill of the pipeline is not over

    def connection(self, name: str) -> Grant:
        """The connection of this name."""
        grant = self.connections.get(name)
        if grant is None:
            raise _unknown("connection", name, [known.connection.name for known in self.connections.all()])
        return grant

    def apply(self, pipeline: Pipeline) -> tuple[str, ...]:
        """Store a pipeline, new or changed; its ledger stays (P10). Returns warnings."""
        self._check_owner(pipeline)
        self._check_connection(pipeline, self.connection(pipeline.connection).connection)
        self._check_table(pipeline)
        self._check_runs(pipeline)
        lacks = self.lacks(pipeline.out)
        if lacks is not None:
            raise ConfigError(
                f"there is no {lacks} {pipeline.out.address}, and out.auto_create_{lacks} is false",
                where=f"pipeline {pipeline.name}",
                remedy=f"Make the {lacks} first, or leave out auto_create_{lacks}; nothing was changed",
            )
        told = (self._laptops, self._lost_rows, self._shared_rows)
        warnings = (*pipeline.warnings, *(each for tell in told for each in tell(pipeline)))
        self.pipelines.put(pipeline)
        self.scheduled(pipeline)
        return warnings

    def _check_owner(self, pipeline: Pipeline) -> None:
        """An owner stays: ledger, cursor and table are theirs, and would go to whoever writes another name there."""
        known = self.pipelines.get(pipeline.name)
        if known is not None and known.owner is not None and known.owner != pipeline.owner:
            raise ConfigError(
                f"it is {known.owner}'s, and an owner never changes",
                where=f"pipeline {pipeline.name}",
                remedy="Choose another name, or delete it first; nothing was changed",
            )

    def _check_connection(self, pipeline: Pipeline, connection: Connection) -> None:
        """A connection is for its owner's pipelines, and for what it names (F17)."""
        source = pipeline.source
        refused = connection.refusal(source.bucket, source.listed_prefix, owner=pipeline.owner)
        if refused:
            strange = connection.owner not in (None, pipeline.owner)
            act = "Say `owner` in the pipeline, if it is theirs" if strange else "Narrow the pipeline"
            raise ConfigError(
                refused, where=f"pipeline {pipeline.name}", remedy=f"{act}; else take, or make, another connection"
            )

    def _laptops(self, pipeline: Pipeline) -> Iterator[str]:
        """Keys that only a laptop has."""
        used = self.connection(pipeline.connection).connection
        if used.auth_method in ("profile", "env"):
            yield f"connection {used.name} is for a laptop ({used.auth_method}): the functions lack its keys"

    def _lost_rows(self, pipeline: Pipeline) -> Iterator[str]:
        """Rows without origin columns cannot be found again, also if later ones have them."""
        known = self.pipelines.get(pipeline.name)
        if known is not None and not known.out.origin_columns and pipeline.out.finds_rows_again:
            yield (
                "rows that were loaded without origin columns cannot be told from others: if their objects are "
                "overwritten or replayed, the new rows are added to those"
            )

    def _shared_rows(self, pipeline: Pipeline) -> Iterator[str]:
        """A table tells rows by their object, and not by the pipeline that brought them."""
        source = pipeline.source
        for other in self.pipelines.all():
            prefixes = (source.listed_prefix, other.source.listed_prefix)
            same = other.out.address == pipeline.out.address and other.source.bucket == source.bucket
            if other.name != pipeline.name and same and max(prefixes).startswith(min(prefixes)):
                yield (
                    f"pipeline {other.name} reads {source.bucket}/{max(prefixes)} into {other.out.address} too: what "
                    "is replaced, deleted, replayed or undone of an object goes with the rows that the other brought"
                )

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

    def _check_runs(self, pipeline: Pipeline) -> None:
        """A run that replaces must have been one from its first page on, and be the only way in until it is over (F81).

        Else it would replace the content by a part of it, or take out what has been added meanwhile.
        """
        known = self.pipelines.get(pipeline.name)
        if known is not None and known.out.replaces != pipeline.out.replaces and self.runs(pipeline.name):
            raise ConfigError(
                f"out.mode cannot change from {known.out.mode} to {pipeline.out.mode} while a run is not over",
                where=f"pipeline {pipeline.name}",
                remedy="Wait for its sweep or backfill, or cancel it, and apply again; nothing was changed",
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
