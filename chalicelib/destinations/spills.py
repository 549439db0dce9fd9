"""Rows of many partitions on the temporary disk, sorted by partition, until each partition is written as one file."""

import tempfile
from collections.abc import Iterator

import pyarrow as pa

from chalicelib.destinations.waiting import Runs

CHUNK_BYTES = 1024 * 1024  # of Arrow memory; so much of each spill is in memory as it is read
CHUNK_ROWS = 8192


class Spill:
    """Rows that are read back partition by partition; the file has no name, and is gone when it is closed."""

    def __init__(self, runs: Runs) -> None:
        """`runs`: of several partitions. Raises OSError if the disk is full."""
        runs = runs.rest()
        rows = runs.batches[0] if len(runs.batches) == 1 else pa.concat_batches(runs.batches)
        self._runs = dict(runs.places)
        self._chunk = max(1, min(CHUNK_ROWS, CHUNK_BYTES * rows.num_rows // max(rows.nbytes, 1)))
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the spill
        self._last: tuple[int, pa.RecordBatch] | None = None
        try:
            with pa.ipc.new_file(self._file, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
                for start in range(0, rows.num_rows, self._chunk):
                    writer.write_batch(rows.slice(start, self._chunk))
            self.bytes = self._file.tell()
            self._reader = pa.ipc.open_file(self._file)
        except BaseException:
            self._file.close()
            raise

    @property
    def numbers(self) -> frozenset[int]:
        """The partitions whose rows were not taken yet."""
        return frozenset(self._runs)

    def take(self, number: int) -> Iterator[pa.RecordBatch]:
        """The partition's rows, once; asked for in the order of the numbers, each byte is read once."""
        start, end = self._runs.pop(number, (0, 0))
        while start < end:
            index, offset = divmod(start, self._chunk)
            rows = self._at(index).slice(offset, end - start)
            yield rows
            start += rows.num_rows

    def close(self) -> None:
        """Forget the rows; safe to call twice."""
        self._last = None
        self._runs.clear()
        self._file.close()

    def _at(self, index: int) -> pa.RecordBatch:
        if self._last is None or self._last[0] != index:
            self._last = (index, self._reader.get_batch(index))
        return self._last[1]
