"""Long values cost time in proportion to their length. A square of it would be minutes here: nothing is timed."""

import pyarrow as pa
import pytest

from chalicelib.config.columns import Column
from chalicelib.records.proposals.types import _whole_numbers
from chalicelib.records.types.values import reader, typed

LONG = 1_000_000


@pytest.mark.parametrize(
    "kind", [{"type": "double"}, {"type": "decimal(5,2)"}, {"type": "long"}, {"type": "timestamp"}]
)
@pytest.mark.parametrize("unit", ["0", "1.", "+", "e1", " ", "-"])
def test_a_value_of_a_megabyte_is_a_bad_value_and_no_more(kind: dict[str, str], unit: str) -> None:
    column = Column.parse({"name": "a", **kind}, where="columns")
    text = unit * (LONG // len(unit)) + "!"
    assert list(typed(pa.array([text]), column).bad) == [0]
    with pytest.raises((ValueError, OverflowError)):
        reader(column)(text)


@pytest.mark.parametrize("unit", [" at", "_on", "-", "_", "zip_"])
def test_a_name_of_a_megabyte_does_not_hold_up_a_guess(unit: str) -> None:
    name = unit * (LONG // len(unit)) + "\n"
    column = Column.parse({"name": name, "type": "long"}, where="columns")
    assert _whole_numbers(name, pa.array(["1", "2"]), column)
