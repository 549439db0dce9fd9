"""A second reading of tables, which shares nothing with Tidegate's: what `real_tables.py` compares with.

Delimited text is split here by a state machine of a few lines, and once more by Python's csv module; JSON is read by
Python's json. What a text means as a value of a type is said again, by Python's own int, float and
datetime. How a file is laid out (`Layout`) is told by a person who looked at it, never guessed.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import accumulate
from typing import Any

Field = tuple[str, bool]  # the text, and whether it began with a quote
Record = list[Field]

TRUE, FALSE = {"true", "yes", "t", "y", "on", "1"}, {"false", "no", "f", "n", "off", "0"}
LONG = re.compile(r"[+-]?[0-9]+")
DOUBLE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

csv.field_size_limit(1 << 30)


class NoValue(ValueError):
    """A text that is no value of its column's type."""


@dataclass(frozen=True)
class Layout:
    """How a person says that a file is laid out."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None  # within quotes, before a quote or itself
    header: bool = True
    skipped: int = 0  # physical lines before the header, or before the first row
    unnamed: bool = False  # the header has no field for the first column, which numbers the rows
    charset: str = "utf-8"
    comment: str | None = None
    trim: bool = False
    widths: tuple[int, ...] = ()  # of columns at fixed places, after which nothing else of this means anything
    runs: bool = False  # several spaces are one delimiter, and nothing is quoted


def records(data: bytes, layout: Layout) -> list[Record]:
    """All records, the header among them; empty lines and comments are none."""
    text = _text(data, layout)
    if layout.runs or layout.widths:
        lines = [line for line in re.split(r"\r\n|\r|\n", text) if line]
        return [
            [(part, False) for part in (_cut(line, layout.widths) if layout.widths else line.split())] for line in lines
        ]
    return list(_split(text, layout))


def _cut(line: str, widths: Sequence[int]) -> list[str]:
    ends = list(accumulate(widths))
    return [line[end - width : end].strip() for width, end in zip(widths, ends, strict=True)]


def without_line(data: bytes) -> bytes:
    """The bytes after the first physical line."""
    return re.sub(rb"\A[^\r\n]*(\r\n|\r|\n|\Z)", b"", data, count=1)


def _text(data: bytes, layout: Layout) -> str:
    for _ in range(layout.skipped):
        data = without_line(data)
    return data.decode(layout.charset).removeprefix("\ufeff")


def _split(text: str, layout: Layout) -> Iterator[Record]:
    at, end = 0, len(text)
    while at < end:
        if text[at] in "\r\n":
            at += 1
            continue
        if layout.comment and text.startswith(layout.comment, at):
            at = _line_end(text, at)
            continue
        record, at = _record(text, at, layout)
        yield record


def _line_end(text: str, at: int) -> int:
    found = [place for place in (text.find("\n", at), text.find("\r", at)) if place >= 0]
    return min(found, default=len(text))


def _record(text: str, at: int, layout: Layout) -> tuple[Record, int]:
    record: Record = []
    while True:
        field, at = _field(text, at, layout)
        record.append(field)
        if not text.startswith(layout.delimiter, at):
            return record, at
        at += len(layout.delimiter)


def _field(text: str, at: int, layout: Layout) -> tuple[Field, int]:
    value, quoted = "", layout.quote is not None and text.startswith(layout.quote, at)
    if quoted:
        value, at = _quoted(text, at + 1, layout)
    found = _field_end(layout.delimiter).search(text, at)
    stop = found.start() if found else len(text)
    value += text[at:stop]
    return (value if quoted or not layout.trim else value.strip(" \t"), quoted), stop


@cache
def _field_end(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf"[\r\n]|{re.escape(delimiter)}")


def _quoted(text: str, at: int, layout: Layout) -> tuple[str, int]:
    """From behind the opening quote to behind the closing one."""
    quote, escape = layout.quote or "", layout.escape if layout.escape != layout.quote else None
    parts = []
    while at < len(text):
        sign = text[at]
        if sign == escape and text[at + 1 : at + 2] in (quote, escape):
            parts.append(text[at + 1])
            at += 2
        elif sign == quote and text.startswith(quote, at + 1):
            parts.append(quote)
            at += 2
        elif sign == quote:
            return "".join(parts), at + 1
        else:
            parts.append(sign)
            at += 1
    return "".join(parts), at


def by_csv_module(data: bytes, layout: Layout) -> list[list[str]]:
    """The same by Python's csv; only for layouts that it knows."""
    text = _text(data, layout)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=layout.delimiter,
        quotechar=layout.quote or '"',
        quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
    )
    return [row for row in reader if row]


def names(header: Record) -> list[str]:
    """The names of columns that a header means: without spaces around them, never empty, never twice."""
    taken: list[str] = []
    for position, (text, _) in enumerate(header):
        name = wanted = text.strip() or f"c{position}"
        number = 2
        while name in taken or (name != wanted and name in [other.strip() for other, _ in header]):
            name, number = f"{wanted}_{number}", number + 1
        taken.append(name)
    return taken


def value(field: Field, column: dict[str, Any], nulls: Sequence[str] | None) -> Any:
    """What a field means in a column of this type. Raises NoValue."""
    text, quoted = field
    if nulls is None and text == "" and not quoted:
        return None
    if nulls is not None and text in nulls:
        return None
    kind = column["type"]
    if kind != "string" and text == "":
        return None
    try:
        return _READERS[kind](text, column.get("format"))
    except (ValueError, OverflowError) as error:
        raise NoValue(f"{text!r} is no {kind}") from error


def _long(text: str, _: str | None) -> int:
    text = text.strip(" \t")
    if not LONG.fullmatch(text) or not -(1 << 63) <= int(text) < 1 << 63:
        raise NoValue(text)
    return int(text)


def _double(text: str, _: str | None) -> float:
    text = text.strip(" \t")
    if not DOUBLE.fullmatch(text):
        raise NoValue(text)
    return float(text)


def _boolean(text: str, _: str | None) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise NoValue(text)
    return text.lower() in TRUE


def _timestamp(text: str, layout: str | None) -> datetime:
    if layout in (None, "iso8601"):
        moment = datetime.fromisoformat(text.strip().replace(" UTC", "Z"))
    else:
        moment = datetime.strptime(text, (layout or "").replace("%N", "%f").replace("%L", "%f"))  # noqa: DTZ007
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _date(text: str, layout: str | None) -> date:
    if layout in (None, "iso8601"):
        return date.fromisoformat(text.strip())
    return datetime.strptime(text, layout or "").date()  # noqa: DTZ007


def _time(text: str, layout: str | None) -> time:
    if layout in (None, "iso8601"):
        return time.fromisoformat(text.strip())
    return datetime.strptime(text, layout or "").time()  # noqa: DTZ007


def _json(text: str, _: str | None) -> Any:
    return json.loads(text)


_READERS: dict[str, Callable[[str, str | None], Any]] = {
    "string": lambda text, _: text,
    "long": _long,
    "double": _double,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "time": _time,
    "json": _json,
    "decimal": lambda text, _: Decimal(text.strip()),
}


def best_type(texts: Sequence[str]) -> str:
    """What a person would say that a column of these texts holds, told strictly; `string` in doubt."""
    if not texts:
        return "string"
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text) for text in texts):
        return "long"
    if all(re.fullmatch(r"-?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?", text) for text in texts):
        return "double" if all(any(sign.isdigit() for sign in text) for text in texts) else "string"
    if all(text.lower() in ("true", "false") for text in texts):
        return "boolean"
    return "string"


def same(kind: str, loaded: Any, expected: Any, *, raw: bool = False) -> bool:
    """Whether two values of a column of this type are one. `raw`: both are as Tidegate has them."""
    if loaded is None or expected is None:
        return loaded is expected
    match kind:
        case "double":
            return loaded == expected or (math.isnan(loaded) and math.isnan(expected))
        case "json" if not raw:
            return bool(json.loads(loaded) == expected)
        case "timestamp":
            return bool(loaded.astimezone(UTC) == expected.astimezone(UTC))
    return type(loaded) is type(expected) and bool(loaded == expected)


def json_records(data: bytes, *, root: str | None = None, array: bool = False) -> list[Any]:
    """The records of JSON text: the elements of one array, or each of several values."""
    text = data.decode("utf-8-sig")
    try:
        values = [json.loads(text)]
        if isinstance(values[0], list) and not array:
            return list(values[0])
    except json.JSONDecodeError:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    for part in (root or "").split("/")[1:]:
        values = [each[part.replace("~1", "/").replace("~0", "~")] for each in values]
    return [element for each in values for element in each] if array else values


def json_value(found: Any, column: dict[str, Any]) -> Any:
    """What a JSON value means in a column of this type. Raises NoValue."""
    if found is None:
        return None
    match column["type"], found:
        case ("json", _) | ("string", str()) | ("boolean", bool()):
            return found
        case "string", _:
            return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        case (("long" | "double"), bool()):
            pass
        case "long", int() if -(1 << 63) <= found < 1 << 63:
            return found
        case "double", int() | float():
            return float(found)
        case (("timestamp" | "date" | "time"), str()):
            return value((found, False), column, None)
    raise NoValue(f"{found!r} is no {column['type']}")
