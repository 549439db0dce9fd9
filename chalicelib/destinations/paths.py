"""Where data files lie, and what they are called.

    <warehouse>/iceberg/<database>/<table>/data/[<time_column>_<transform>=<value>/]<file>
    <warehouse>/parquet/<database>/<table>/[<time_column>_<transform>=<value>/]<file>        as Hive lays it out

A file's name is `<random>-<task>-a<attempt>.parquet`: no attempt can meet another's file (protocol, step 4), and a
sweep can tell whose it is. The random part comes first because engines ignore names that begin with `_` or `.`.
"""

import re
import secrets
from typing import Literal

from chalicelib.config.destination import Iceberg, Parquet, Transform


def root(warehouse: str, kind: Literal["iceberg", "parquet"], database: str, table: str) -> str:
    """The table's own folder, without a trailing slash; a table and a dataset of one name do not meet."""
    return f"{warehouse}/{kind}/{database}/{table}"


def data_root(warehouse: str, out: Iceberg | Parquet) -> str:
    """The folder of the table's data files, without a trailing slash."""
    folder = root(warehouse, out.type, out.database, out.table)
    return f"{folder}/data" if isinstance(out, Iceberg) else folder


def partition_field(out: Iceberg | Parquet) -> str | None:
    """The name of the time partition, such as `created_at_day`; None without one."""
    if out.transform is Transform.NONE or out.time_column is None:
        return None
    return f"{re.sub('[^A-Za-z0-9_]', '_', out.time_column)}_{out.transform}"


def owner(task_id: str, attempt: int) -> str:
    """The part of a file's name that says whose it is; the same for all files of an attempt."""
    return f"{re.sub(r'[^A-Za-z0-9.]', '_', task_id)[:80]}-a{attempt}"


def file_name(task_id: str, attempt: int) -> str:
    """A name that was never given before."""
    return f"{secrets.token_hex(8)}-{owner(task_id, attempt)}.parquet"
