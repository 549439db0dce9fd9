"""AddTime: one more column with a time (F76)."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.config.filters.add_time import AddTime, FromColumn, FromValue, ToColumn
from chalicelib.config.filters.path import steps
from chalicelib.core.objects import UNKNOWN_TIME
from chalicelib.records.filters.json_values import parsed, reached
from chalicelib.records.filters.moments import SECOND, moments, number_of, since_1970
from chalicelib.records.filters.rows import changed, refused
from chalicelib.records.filters.setting import Given, Step
from chalicelib.records.pages import Page
from chalicelib.records.types.schema import MOMENT
from chalicelib.records.types.values import Typed, typed

_Maker = Callable[[Page], Typed]


def add_time(declared: AddTime, given: Given) -> Step:
    """The new column comes last; one that has its name gets `_` behind it until nobody else has that.

    Raises ConfigError for a column that is not there or holds no times, and for a value that is none.
    """
    to = declared.to_column
    names = {column.name for column in given.columns}
    before = tuple(_aside(column, to.name, names) for column in given.columns)
    columns = (*before, Column(name=to.name, type=ColumnType(to.type)))
    if declared.from_column is not None:
        make, counts = _from_column(declared.from_column, given), True
    else:
        assert declared.from_value is not None
        make, counts = _from_value(declared.from_value, given)

    def change(page: Page) -> Page:
        made = _stored(make(page), to)
        bad = {row: [why] for row, why in made.bad.items()}
        return refused(page.batch, changed(page, columns, [*page.batch.columns, made.array]), bad, given.place)

    return Step.of(columns, change, counts=counts or (to.type, to.unix_timestamp_unit) == ("long", "nano"))


def _aside(column: Column, name: str, names: set[str]) -> Column:
    if column.name != name:
        return column
    while name in names:
        name += "_"
    return column.model_copy(update={"name": name})


def _stored(times: Typed, to: ToColumn) -> Typed:
    if to.type == "timestamp":
        return times
    numbers = number_of(times.array, to.unix_timestamp_unit)
    return Typed(numbers.array, {row: f"{to.name}: {why}" for row, why in numbers.bad.items()} | times.bad)


def _from_column(declared: FromColumn, given: Given) -> _Maker:
    index = given.index(declared.name)
    column = given.columns[index]
    target = _target(declared.name, declared.timestamp_format, declared.timezone, given)
    way = None
    if declared.json_key is not None:
        way = steps(declared.json_key)
        if way is None or column.type not in (ColumnType.JSON, ColumnType.STRING):
            raise given.error(f"json_key: {declared.json_key!r} is not a way into {declared.name}, a {column.type}")

    def make(page: Page) -> Typed:
        array = page.batch.column(index)
        if way is not None:
            values, bad = parsed(array)
            found = moments(reached(values, way), target, declared.unix_timestamp_unit)
            return Typed(found.array, {row: f"{declared.name}: {why}" for row, why in bad.items()} | found.bad)
        match column.type:
            case ColumnType.TIMESTAMP:
                return Typed(array, {})
            case ColumnType.DATE:
                return Typed(pc.cast(array, MOMENT), {})
            case ColumnType.STRING:
                return typed(array, target)
        made = since_1970(array, declared.unix_timestamp_unit)
        return Typed(made.array, {row: f"{declared.name}: {why}" for row, why in made.bad.items()})

    kinds = (ColumnType.TIMESTAMP, ColumnType.DATE, ColumnType.STRING, ColumnType.LONG, ColumnType.DOUBLE)
    if way is None and column.type not in kinds:
        hint = "; say json_key" if column.type is ColumnType.JSON else ""
        raise given.error(f"{declared.name} is a {column.type}, which holds no times{hint}")
    return make


def _from_value(declared: FromValue, given: Given) -> tuple[_Maker, bool]:
    """How the times are made, and whether records are counted for it."""
    if declared.mode == "incremental_time":
        return _increasing(_moment("from", declared, given), _moment("to", declared, given), given), True
    if declared.mode == "fixed_time":
        moment = pa.scalar(_moment("value", declared, given), pa.int64()).cast(MOMENT)
    elif declared.mode == "upload_time":
        moment = pa.scalar(given.setting.run_at, MOMENT)
    else:
        written = given.setting.ref.created_at
        moment = pa.scalar(None if written == UNKNOWN_TIME else written, MOMENT)
    return lambda page: Typed(pa.repeat(moment, page.batch.num_rows), {}), False


def _increasing(first: int, last: int, given: Given) -> _Maker:
    """By the record's number, so that a second attempt gives the same times."""
    if last < first:
        raise given.error("from_value.to lies before from_value.from")
    seconds = (last - first) // SECOND + 1

    def make(page: Page) -> Typed:
        assert page.records is not None
        passed = pc.subtract(page.records, 1)
        wrapped = pc.subtract(passed, pc.multiply(pc.divide(passed, seconds), seconds))
        return Typed(pc.add(pc.multiply(wrapped, SECOND), first).cast(MOMENT), {})

    return make


def _moment(name: str, declared: FromValue, given: Given) -> int:
    """Microseconds since 1970."""
    value = declared.from_ if name == "from" else getattr(declared, name)
    target = _target(f"from_value.{name}", declared.timestamp_format, declared.timezone, given)
    made = moments([value], target, declared.unix_timestamp_unit)
    if made.bad:
        raise given.error(made.bad[0])
    return int(made.array.cast(pa.int64())[0].as_py())


def _target(name: str, layout: str | None, timezone: str, given: Given) -> Column:
    try:
        return Column(name=name, type=ColumnType.TIMESTAMP, format=layout, timezone=timezone)
    except ValueError as error:
        raise given.error(str(error)) from None
