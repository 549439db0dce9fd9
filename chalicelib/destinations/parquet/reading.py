"""Rows of files whose columns differ: many footers at once, memory that does not grow with the rows."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq

from chalicelib.destinations.origins import NEEDED, counted
from chalicelib.destinations.wanted import Wanted
from chalicelib.errors import AccessDenied, SchemaConflict, SourceUnavailable

_FILES = 24  # read at once: a footer is a wait for S3, and Arrow's own datasets wait for one after the other

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Files:
    """Parquet files, by paths as the filesystem wants them."""

    filesystem: pyarrow.fs.FileSystem
    paths: Sequence[str]

    def rows(self) -> int:
        """All rows, from the footers."""
        return sum(self._each(self._count))

    def schema(self) -> pa.Schema:
        """All columns, in the wider of their types, from the footers."""
        try:
            return pa.unify_schemas([pa.schema([]), *self._each(self._schema)], promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise SchemaConflict(
                f"the files do not agree on the type of a column ({error})",
                where=next(iter(self.paths), ""),
                remedy="Read them one by one, or load them again into another table",
            ) from error

    def head(self, limit: int, wanted: Wanted, schema: pa.Schema) -> pa.Table:
        """The first of the wanted rows, in the order of the files' names; no more files are read than that takes."""
        found, rows = [schema.empty_table()], 0
        for table in self._each(lambda path: self._dataset(path, schema).head(limit, filter=_sought(wanted))):
            found.append(table)
            rows += table.num_rows
            if rows >= limit:
                break
        table = pa.concat_tables(found)
        return table if table.num_rows <= limit else table.slice(0, limit)  # a slice without columns has `limit` rows

    def by_key(self, bucket: str, prefix: str) -> dict[tuple[str, str], int]:
        """Rows by key and identity of one bucket's keys under a prefix. Files without origin columns have none."""
        schema = pa.schema([(name, pa.string()) for name in NEEDED])
        sought = _sought(Wanted({"_bucket": bucket}, prefix))

        def count(path: str) -> dict[tuple[str, str], int]:
            return counted(self._dataset(path, schema).to_batches(filter=sought))

        rows: Counter[tuple[str, str]] = Counter()
        for found in self._each(count):
            rows.update(found)
        return dict(rows)

    def _each(self, action: Callable[[str], T]) -> Iterator[T]:
        """The action's results in the order of the files, a few files ahead of what is asked for."""
        with ThreadPoolExecutor(_FILES) as pool:
            waiting: deque[Future[T]] = deque()
            try:
                for path in self.paths:
                    waiting.append(pool.submit(action, path))
                    if len(waiting) >= _FILES:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _dataset(self, path: str, schema: pa.Schema) -> ds.Dataset:
        return ds.dataset(path, schema=schema, filesystem=self.filesystem, format="parquet")

    def _count(self, path: str) -> int:
        with pq.ParquetFile(path, filesystem=self.filesystem) as file:
            return int(file.metadata.num_rows)

    def _schema(self, path: str) -> pa.Schema:
        return pq.read_schema(path, filesystem=self.filesystem)


def _sought(wanted: Wanted) -> pc.Expression:
    sought = pc.scalar(True)
    for name, value in wanted.equal.items():
        sought &= ds.field(name) == value
    return sought & pc.starts_with(ds.field("_key"), wanted.prefix) if wanted.prefix else sought


@contextmanager
def readable(where: str) -> Iterator[None]:
    """What the storage says while a dataset is read, as errors of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"a file of the dataset went away while it was read ({error})",
            where=where,
            remedy="Read again: a run has replaced the content, and its former files were deleted",
        ) from error
    except OSError as error:
        if "ACCESS_DENIED" in str(error):
            raise AccessDenied(
                f"S3 refused to give the dataset's files ({error})",
                where=where,
                remedy="Allow s3:ListBucket, and s3:GetObject on the warehouse's prefix",
            ) from error
        raise SourceUnavailable(f"the dataset's files could not be reached ({error})", where=where) from error


def found(filesystem: pyarrow.fs.FileSystem, folder: str) -> list[str]:
    """The files that a reader of the folder finds: names that begin with `_` or `.` are none of them."""
    return [f"{folder}/{path}" for path in within(filesystem, folder) if not is_hidden(path)]


def within(filesystem: pyarrow.fs.FileSystem, folder: str) -> list[str]:
    """All Parquet files under the folder, seen from there."""
    selector = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=True)
    start = len(folder) + 1
    paths = (info.path for info in filesystem.get_file_info(selector) if info.is_file)
    return sorted(path[start:] for path in paths if path.endswith(".parquet"))


def is_hidden(path: str) -> bool:
    """True if engines that read the folder pass over this path in it."""
    return any(part.startswith(("_", ".")) for part in path.split("/"))
