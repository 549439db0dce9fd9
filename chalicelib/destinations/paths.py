"""Where data files lie, and what they are called.

    <warehouse>/iceberg/<database>/<table>/data/[<time_column>_<transform>=<value>/][<column>=<value>/]<file>
    <warehouse>/parquet/<database>/<table>/[<time_column>_<transform>=<value>/][<column>=<value>/]<file>
    <warehouse>/parquet/<database>/<table>/_runs/<job>/[…/]<file>                            where runs replace it all

The folders are as Hive lays them out, for readers of Parquet; of an Iceberg table no reader looks at them.

A file's name is `<random>-<task>-a<attempt>.parquet`: no attempt can meet another's file (protocol, step 4), and a
sweep can tell whose it is. The random part comes first because engines ignore names that begin with `_` or `.`.
"""

import re
import secrets
from typing import Literal

from chalicelib.config.destination import Iceberg, Parquet, Transform
from chalicelib.core.parts import parent_of

NULL = "__HIVE_DEFAULT_PARTITION__"  # what Hive and Athena call the partition of NULL
SEGMENT = 255  # bytes of a folder's name: what file systems and some S3-compatible stores take
_SPECIAL = re.compile("[\x00-\x1f\x7f\"#%'*/:=?\\\\{\\[\\]^]")


def root(warehouse: str, kind: Literal["iceberg", "parquet"], database: str, table: str) -> str:
    """The table's own folder, without a trailing slash; a table and a dataset of one name do not meet."""
    return f"{warehouse}/{kind}/{database}/{table}"


def data_root(warehouse: str, out: Iceberg | Parquet, task_id: str) -> str:
    """The folder of the task's data files, without a trailing slash."""
    folder = root(warehouse, out.type, out.database, out.table)
    if isinstance(out, Iceberg):
        return f"{folder}/data"
    job = task_id.rpartition("/")[0]
    whole = parent_of(job)  # all of a run lies in one folder, which a catalogue moves to
    return f"{folder}/{run_folder(whole[0] if whole else job)}" if out.replaces else folder


def run_folder(job: str) -> str:
    """Where a run that replaces a dataset's content leaves its files, seen from the dataset's folder.

    Engines pass over names that begin with `_`: whoever reads the dataset's own folder finds no mixture of runs there.
    """
    return f"_runs/{_plain(job)}"


def is_flat(out: Iceberg | Parquet) -> bool:
    """True if files of all partitions lie in one folder, one partition a file.

    So it is where the Glue catalogue must move to a run's rows at one instant: it can move one location, not many.
    """
    return isinstance(out, Parquet) and out.replaces and out.register_in_glue


def partition_field(out: Iceberg | Parquet) -> str | None:
    """The name of the time partition, such as `created_at_day`; None without one."""
    if out.transform is Transform.NONE or out.time_column is None:
        return None
    return f"{re.sub('[^A-Za-z0-9_]', '_', out.time_column)}_{out.transform}"


def escaped(text: str) -> str:
    """A text in a folder's name as Hive, Spark and Athena write and read it: `%2F` for a slash.

    A text that is the word for NULL is escaped too, so that only NULL is called so.
    """
    if text == NULL:
        return f"%5F{text[1:]}"
    return _SPECIAL.sub(lambda match: f"%{ord(match[0]):02X}", text)


def owner(task_id: str, attempt: int) -> str:
    """The part of a file's name that says whose it is; the same for all files of an attempt."""
    return f"{_plain(task_id)}-a{attempt}"


def file_name(task_id: str, attempt: int) -> str:
    """A name that was never given before."""
    return f"{secrets.token_hex(8)}-{owner(task_id, attempt)}.parquet"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", text)[:80]
