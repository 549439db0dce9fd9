"""Random tables for formats that carry types, and what their rows are to be."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LONG = st.integers(-(1 << 63), (1 << 63) - 1)
DOUBLE = st.floats(allow_nan=False, allow_infinity=False)
MOMENT = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
DECIMAL = st.decimals(-(10**8), 10**8, places=3)


@dataclass(frozen=True)
class Kind:
    """A type: in Arrow, in Avro, as a column, and its values."""

    arrow: pa.DataType
    avro: Any
    column: str
    values: st.SearchStrategy[Any]


def record(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": each, "type": kind} for each, kind in fields]}


KINDS = (
    Kind(pa.bool_(), "boolean", "boolean", st.booleans()),
    Kind(pa.int64(), "long", "long", LONG),
    Kind(pa.int32(), "int", "long", st.integers(-(1 << 31), (1 << 31) - 1)),
    Kind(pa.float64(), "double", "double", DOUBLE),
    Kind(pa.string(), "string", "string", TEXT),
    Kind(pa.binary(), "bytes", "binary", st.binary(max_size=6)),
    Kind(pa.date32(), {"type": "int", "logicalType": "date"}, "date", st.dates(date(1, 1, 1), date(9999, 12, 31))),
    Kind(pa.timestamp("us", "UTC"), {"type": "long", "logicalType": "timestamp-micros"}, "timestamp", MOMENT),
    Kind(
        pa.decimal128(12, 3),
        {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3},
        "decimal",
        DECIMAL,
    ),
    Kind(
        pa.list_(pa.int64()),
        {"type": "array", "items": ["null", "long"]},
        "json",
        st.lists(st.none() | LONG, max_size=3),
    ),
    Kind(
        pa.struct([("a", pa.string()), ("b", pa.list_(pa.float64()))]),
        record("s", ("a", ["null", "string"]), ("b", ["null", {"type": "array", "items": "double"}])),
        "json",
        st.fixed_dictionaries({"a": st.none() | TEXT, "b": st.none() | st.lists(DOUBLE, max_size=2)}),
    ),
)


@dataclass(frozen=True)
class Table:
    """Columns `c0`, `c1` … of these kinds, and their rows."""

    kinds: tuple[Kind, ...]
    rows: list[dict[str, Any]]

    @property
    def arrow(self) -> pa.Table:
        schema = pa.schema([(f"c{index}", kind.arrow) for index, kind in enumerate(self.kinds)])
        return pa.Table.from_pylist(self.rows, schema=schema)

    @property
    def avro(self) -> dict[str, Any]:
        fields = [(f"c{index}", ["null", _named(kind.avro, index)]) for index, kind in enumerate(self.kinds)]
        return record("r", *fields)

    def same(self, rows: list[dict[str, Any]]) -> bool:
        """True if these are the rows; JSON by its meaning."""
        json_columns = {f"c{index}" for index, kind in enumerate(self.kinds) if kind.column == "json"}
        seen = [
            {
                name: json.loads(value) if name in json_columns and value is not None else value
                for name, value in row.items()
            }
            for row in rows
        ]
        return seen == self.rows


def _named(schema: Any, index: int) -> Any:
    return {**schema, "name": f"s{index}"} if isinstance(schema, dict) and "name" in schema else schema


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = tuple(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)))
    row = st.fixed_dictionaries({f"c{index}": st.none() | kind.values for index, kind in enumerate(kinds)})
    return Table(kinds, draw(st.lists(row, max_size=12)))


EXAMPLE = Table(
    KINDS,
    [
        {f"c{index}": None for index in range(len(KINDS))},
        dict(
            zip(
                (f"c{index}" for index in range(len(KINDS))),
                (
                    True,
                    1 << 62,
                    -5,
                    0.5,
                    "é",
                    b"\xff",
                    date(2024, 2, 29),
                    datetime(2024, 2, 29, 1, 2, 3, 4, UTC),
                    Decimal("-1.500"),
                    [1, None],
                    {"a": "x", "b": [0.5]},
                ),
                strict=True,
            )
        ),
    ],
)
