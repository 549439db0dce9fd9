"""What an object would give if it were loaded now: read by the load's own path, with nothing written."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.config.columns import Column
from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.columns import merge
from chalicelib.core.connections import Grant
from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Outcome, StagedFile
from chalicelib.flows.ports import Buckets, Columns
from chalicelib.flows.read import Reader

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """Reads objects as a load would."""

    columns: Columns
    buckets: Buckets
    secret: Callable[[str], bytes]
    now: Callable[[], datetime]

    def reader(self, grant: Grant, pipeline: Pipeline) -> Callable[[ObjectRef], Outcome]:
        """What says how an object would end, with the numbers of its rows; what AWS denies is an outcome too."""
        columns, nothing = _Columns(self.columns), _Nothing(pipeline.out)
        reader = Reader(
            grant,
            pipeline,
            "rehearsal",
            columns,
            self.buckets,
            self.secret,
            nothing,
            nothing,
            _do_nothing,
            self.now,
        )
        return lambda ref: reader.member(ref, last=True)


@dataclass(slots=True)
class _Columns:
    """Settled columns, and those that would be settled."""

    known: Columns
    settled: dict[str, tuple[Column, ...]] = field(default_factory=dict)

    def columns(self, name: str) -> tuple[Column, ...]:
        return self.settled.get(name) or self.known.columns(name)

    def settle(self, name: str, seen: tuple[Column, ...], *, grow: bool = True) -> tuple[Column, ...]:
        known = self.columns(name)
        self.settled[name] = merge(known, seen) if grow or not known else known
        return self.settled[name]


@dataclass(frozen=True, slots=True)
class _Nothing:
    """A staging that keeps nothing: the outcome has the numbers."""

    out: Iceberg | Parquet

    def write(self, batch: "pa.RecordBatch", columns: tuple[Column, ...], at: datetime | None = None) -> None:
        pass

    def keep(self) -> None:
        pass

    def drop(self) -> None:
        pass

    def finish(self) -> tuple[StagedFile, ...]:
        return ()

    def pause(self) -> tuple[tuple[StagedFile, ...], tuple[StagedFile, ...]]:
        return (), ()

    def abandon(self) -> None:
        pass


def _do_nothing() -> None:
    pass
