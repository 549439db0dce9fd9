"""Rows that are in no file yet: as they come, and sorted by partition.

Sorted rows stay one batch, of which a partition has a stretch. As batches of their own, a hundred partitions of 5,000
columns would be half a million arrays, and those take more memory than the values in them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column
from chalicelib.destinations.partitions import Placed


@dataclass(slots=True)
class Runs:
    """Rows by the number of their partition, each partition's in their order."""

    batches: list[pa.RecordBatch]  # several only where all rows are of one partition
    places: dict[int, tuple[int, int]]  # of each partition: where its rows begin and end; sorted

    def sizes(self) -> dict[int, int]:
        """Bytes of each partition's rows, about."""
        rows = sum(batch.num_rows for batch in self.batches)
        size = sum(batch.nbytes for batch in self.batches)
        return {number: size * (end - start) // max(1, rows) for number, (start, end) in self.places.items()}

    def pop(self, number: int) -> list[pa.RecordBatch]:
        """The partition's rows, once."""
        start, end = self.places.pop(number, (0, 0))
        if len(self.batches) > 1 and end:
            return self.batches
        return [self.batches[0].slice(start, end - start)] if end > start else []

    def rest(self) -> "Runs":
        """The same without the rows that were taken."""
        stretches: list[tuple[int, int]] = []
        for start, end in self.places.values():
            begin = stretches.pop()[0] if stretches and stretches[-1][1] == start else start
            stretches.append((begin, end))
        if len(self.batches) > 1 or stretches == [(0, sum(batch.num_rows for batch in self.batches))]:
            return self
        rows = [self.batches[0].slice(start, end - start) for start, end in stretches]
        places, place = {}, 0
        for number, (start, end) in self.places.items():
            places[number] = (place, place + end - start)
            place += end - start
        return Runs([pa.concat_batches(rows)] if rows else [], places)

    def placed(self, columns: tuple[Column, ...]) -> Iterator[Placed]:
        """The rows as they may wait again."""
        runs = self.rest()
        if len(runs.places) == 1:
            yield from (Placed(batch, columns, next(iter(runs.places))) for batch in runs.batches)
        elif runs.places:
            ends = pa.array([end for _, end in runs.places.values()], pa.int32())
            numbers = pa.RunEndEncodedArray.from_arrays(ends, pa.array(list(runs.places), pa.int32()))
            yield Placed(runs.batches[0], columns, pc.run_end_decode(numbers))


@dataclass(slots=True)
class Waiting:
    """Rows as they come."""

    array_bytes: int  # see destinations.files.Limits
    placed: list[Placed] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    only: int | None = None  # the one partition of all of them, if there is one

    def add(self, placed: Placed) -> None:
        """More of them."""
        number = placed.numbers if isinstance(placed.numbers, int) else None
        self.only = number if not self.placed or self.only == number else None
        self.placed.append(placed)
        self.rows += placed.batch.num_rows
        self.bytes += placed.batch.nbytes + self.array_bytes * placed.batch.num_columns

    def take(self) -> Runs:
        """All of them by partition; then none wait."""
        placed, only, count = self.placed, self.only, self.rows
        self.placed, self.rows, self.bytes, self.only = [], 0, 0, None
        if not placed or only is not None:
            return Runs([each.batch for each in placed], {only: (0, count)} if only is not None else {})
        rows = pa.concat_batches([each.batch for each in placed])
        numbers = pa.concat_arrays([each.array for each in placed])
        placed.clear()
        order = pc.sort_indices(numbers)  # stable
        rows, ends = rows.take(order), pc.run_end_encode(numbers.take(order))
        places, start = {}, 0
        for number, end in zip(ends.values.to_pylist(), ends.run_ends.to_pylist(), strict=True):
            places[number] = (start, end)
            start = end
        return Runs([rows], places)
