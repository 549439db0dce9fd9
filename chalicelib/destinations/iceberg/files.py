"""What a manifest says of each staged file, from its footer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile
from pyiceberg.table.metadata import TableMetadata

from chalicelib.core.tasks import StagedFile, Task
from chalicelib.destinations.iceberg.describing import Describing
from chalicelib.destinations.iceberg.partitions import check_partition
from chalicelib.errors import StagedFileMissing

_FOOTERS = 16  # read at once; each is two small requests


def data_files(table_io: FileIO, metadata: TableMetadata, tasks: Sequence[Task]) -> list[DataFile]:
    """What the manifest says of each file, from its footer. Raises ValueError if one does not fit the table."""
    describing = Describing(metadata)
    staged = [file for task in tasks if task.staged for file in task.staged.files]
    with ThreadPoolExecutor(_FOOTERS) as pool:
        files = list(pool.map(lambda file: _data_file(table_io, describing, file), staged))
    for file in files:
        check_partition(file, describing.spec, describing.schema)
    return files


def _data_file(table_io: FileIO, describing: Describing, file: StagedFile) -> DataFile:
    try:
        with table_io.new_input(file.path).open() as source:
            footer = pq.read_metadata(source)
    except FileNotFoundError as error:
        raise StagedFileMissing(
            "the staged file is gone", where=file.path, remedy="Check the bucket's lifecycle rules, and replay the job"
        ) from error
    except pa.ArrowInvalid as error:
        raise StagedFileMissing(
            f"the staged file cannot be read ({error})",
            where=file.path,
            remedy="Check who else writes to the bucket, and replay the job",
        ) from error
    return describing.fresh(file.path, file.size, footer)
