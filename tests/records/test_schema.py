import pyarrow as pa
import pytest

from chalicelib.config.columns import Column
from chalicelib.records.types.schema import arrow_schema, arrow_type


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("boolean", pa.bool_()),
        ("long", pa.int64()),
        ("double", pa.float64()),
        ("string", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("json", pa.string()),
        ("date", pa.date32()),
        ("time", pa.time64("us")),
        ("decimal(18,2)", pa.decimal128(18, 2)),
        ("decimal(5)", pa.decimal128(5, 0)),
        ("binary", pa.binary()),
    ],
)
def test_a_column_has_an_arrow_type_and_may_be_null(kind: str, expected: pa.DataType) -> None:
    column = Column.model_validate({"name": "v", "type": kind})
    assert arrow_type(column) == expected
    assert arrow_schema([column]) == pa.schema([pa.field("v", expected, nullable=True)])
