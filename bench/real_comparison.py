"""What came of a table, beside what independent readers see in the same bytes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from bench import independent
from bench.independent import Layout, NoValue
from bench.real_files import Table
from bench.real_way import Loaded
from chalicelib.flows.preview import Preview


@dataclass
class Result:
    table: Table
    verdict: str = ""
    parser: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    rows: int = 0
    columns: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    why: list[str] = field(default_factory=list)
    otherwise: str = ""  # how the guessed layout differs from what a person says
    shy: int = 0  # columns of numbers that were called strings


def compare_text(table: Table, loaded: Loaded, result: Result) -> None:
    """First the layout beside what a person says, then every value under the guessed layout."""
    told, layout = table.layout, layout_of(loaded.parser)
    header, rows = _table(table.decoded, told)
    try:
        found = independent.records(table.decoded, layout)
    except UnicodeDecodeError as error:
        result.why.append(f"{layout.charset}: {error}")
        return
    names = [column["name"] for column in loaded.columns]
    result.otherwise = _first_difference(rows, found)
    if not result.otherwise and header and names != header:
        result.otherwise = f"columns {names[:6]} instead of {header[:6]}"
    _agree(table, told, result)
    nulls = loaded.parser.get("null_string")
    nulls = [nulls] if isinstance(nulls, str) else nulls

    def expected(record: independent.Record) -> list[Any]:
        short = len(names) - len(record)
        if short > 0 and loaded.parser.get("allow_optional_columns"):
            record = [*record, *[("", False)] * short]
        elif short and not (short < 0 and loaded.parser.get("allow_extra_columns")):
            raise NoValue(f"{len(record)} fields")
        return [independent.value(part, column, nulls) for part, column in zip(record, loaded.columns, strict=False)]

    _row_by_row(found, expected, loaded, result)
    result.shy = _shy(found, loaded.columns, nulls)


def layout_of(parser: dict[str, Any]) -> Layout:
    """The guessed layout, as the independent reader takes it; the names of its columns are in the parser."""
    skipped = parser.get("skip_header_lines", 0)
    if parser["type"] == "fixed_width":
        return Layout(widths=tuple(column["width"] for column in parser["columns"]), skipped=skipped, header=False)
    return Layout(
        delimiter=parser.get("delimiter", "\t" if parser["type"] == "tsv" else ","),
        quote=parser.get("quote", '"'),
        escape=parser.get("escape"),
        header=False,
        skipped=skipped,
        charset=parser.get("charset", "utf-8"),
        comment=parser.get("comment_line_marker"),
        trim=parser.get("trim_if_not_quoted", False),
    )


def _table(data: bytes, layout: Layout) -> tuple[list[str], list[independent.Record]]:
    records = independent.records(data, layout)
    if not layout.header:
        return [], records
    header = [*([("", False)] if layout.unnamed else []), *(records[0] if records else [])]
    if header and not header[-1][0] and all(len(record) < len(header) for record in records[1:]):
        header.pop()  # a delimiter too many
    return independent.names(header), records[1:]


def _first_difference(told: Sequence[independent.Record], found: Sequence[independent.Record]) -> str:
    """Texts only: whether one was quoted, or has spaces around it, is nobody's business here."""
    left, right = ([[text.strip() for text, _ in record] for record in records] for records in (told, found))
    for number, (one, other) in enumerate(zip(left, right, strict=False), 1):
        for place, (text, wanted) in enumerate(zip_longest(other, one), 1):
            if text != wanted:
                return f"record {number}, field {place} is {text!r:.60} instead of {wanted!r:.60}"
    return "" if len(left) == len(right) else f"{len(right)} records instead of {len(left)}"


def compare_json(table: Table, loaded: Loaded, result: Result) -> None:
    array = bool(loaded.parser.get("flatten_json_array"))
    records = independent.json_records(table.decoded, root=loaded.parser.get("root"), array=array)
    names = dict.fromkeys(name for record in records if isinstance(record, dict) for name in record)
    never = {name for name in names if all(record.get(name) is None for record in records if isinstance(record, dict))}
    ours = {column.get("src", column["name"]) for column in loaded.columns}
    lost = set(names) - ours - never
    if lost or ours - set(names):
        result.why.append(f"columns {sorted(lost)[:5]} are lost, {sorted(ours - set(names))[:5]} are not there")
        return

    def expected(record: Any) -> list[Any]:
        if not isinstance(record, dict):
            raise NoValue("no object")
        return [independent.json_value(_found(record, column), column) for column in loaded.columns]

    _row_by_row(records, expected, loaded, result)


def _found(record: dict[str, Any], column: dict[str, Any]) -> Any:
    if "element_at" not in column:
        return record.get(column.get("src", column["name"]))
    found: Any = record
    for part in column["element_at"].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found


def compare_preview(shown: Preview, loaded: Loaded, result: Result) -> None:
    """Preview shows the first rows of what was loaded, and its first rejects."""
    for finding in shown.findings:
        result.why.append(f"preview: {finding}")
    for number, (row, other) in enumerate(zip(shown.rows, loaded.rows, strict=False), 1):
        for column, value, loaded_value in zip(loaded.columns, row.values(), other, strict=True):
            if not independent.same(column["type"], value, loaded_value, raw=True):
                result.why.append(f"preview, row {number}, {column['name']}: {value!r:.80} is not {loaded_value!r:.80}")
    if len(shown.rows) != min(15, len(loaded.rows)):
        result.why.append(f"preview shows {len(shown.rows)} rows of {len(loaded.rows)}")
    if [bad.reject for bad in shown.rejects] != loaded.rejects[: len(shown.rejects)]:
        result.why.append("preview shows other rejects")


def _row_by_row(records: Sequence[Any], expected: Any, loaded: Loaded, result: Result) -> None:
    bad = {reject.record - 1: reject for reject in loaded.rejects}
    rows = iter(loaded.rows)
    if len(loaded.rows) + len(loaded.rejects) != len(records):
        result.why.append(f"{len(loaded.rows)} rows and {len(loaded.rejects)} rejects of {len(records)} records")
        return
    for number, record in enumerate(records):
        try:
            wanted = expected(record)
        except NoValue as error:
            if number not in bad:
                result.why.append(f"record {number + 1} should be a reject: {error}")
                next(rows)
                continue
            result.rejects[_class(bad[number].reason)] += 1
            continue
        if number in bad:
            result.why.append(f"record {number + 1} is a reject, and should not: {bad[number].reason}")
            continue
        for column, got, value in zip(loaded.columns, next(rows), wanted, strict=True):
            if not independent.same(column["type"], got, value):
                result.why.append(f"record {number + 1}, {column['name']}: {got!r:.200} is not {value!r:.200}")


def _class(reason: str) -> str:
    return reason if reason[:1].isdigit() else reason.partition(": ")[0] + " is not its type"


def _agree(table: Table, layout: Layout, result: Result) -> None:
    """Hold the independent readers together: what they do not agree on is nobody's truth."""
    if layout.comment or layout.trim or layout.runs or layout.widths or len(layout.delimiter) > 1:
        return
    texts = [[text for text, _ in record] for record in independent.records(table.decoded, layout)]
    if independent.by_csv_module(table.decoded, layout) != texts:
        result.why.append("Python's csv module and the splitter of bench/independent.py differ")


def _shy(rows: Sequence[independent.Record], columns: Sequence[dict[str, Any]], nulls: Sequence[str] | None) -> int:
    """Columns called strings which a person would call something better."""
    count = 0
    for place, column in enumerate(columns):
        if column["type"] == "string":
            texts = [record[place][0] for record in rows if len(record) > place]
            count += independent.best_type([text for text in texts if text and text not in (nulls or ())]) != "string"
    return count
