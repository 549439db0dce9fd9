"""What a manifest says of each staged file, from its footer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table.metadata import TableMetadata

from chalicelib.core.tasks import Task
from chalicelib.destinations.iceberg.partitions import check_partition
from chalicelib.errors import StagedFileMissing

_FOOTERS = 16  # read at once; each is two small requests


def data_files(table_io: FileIO, metadata: TableMetadata, tasks: Sequence[Task]) -> list[DataFile]:
    """What the manifest says of each file, from its footer."""
    paths = [file.path for task in tasks if task.staged for file in task.staged.files]
    with ThreadPoolExecutor(_FOOTERS) as pool:
        files = list(pool.map(lambda path: _data_file(table_io, metadata, path), paths))
    for file in files:
        check_partition(file, metadata.spec())
    return files


def _data_file(table_io: FileIO, metadata: TableMetadata, path: str) -> DataFile:
    try:
        return parquet_file_to_data_file(table_io, metadata, path)
    except FileNotFoundError as error:
        raise StagedFileMissing(
            "the staged file is gone", where=path, remedy="Check the bucket's lifecycle rules, and replay the job"
        ) from error
