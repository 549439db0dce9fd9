"""The type of a column of texts, from the texts: Embulk's rules without its traps (E33, E35).

Only values that print back as they stand become numbers: `007`, `+5` and an integer beyond 64 bits stay strings.
A number needs a decimal point somewhere in its column to be a double; `20150127` is a long, never a date.
"""

import pyarrow as pa
import pyarrow.compute as pc

from chalicelib.config.columns import Column, ColumnType
from chalicelib.records.types.values import typed

_LONG = r"(?:0|-?[1-9][0-9]{0,18})"
_POINT = r"-?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_POWER = r"-?(?:0|[1-9][0-9]*)[eE][+-]?[0-9]+"
_ZONE = r" ?(?:Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)"
_CLOCK = rf"[0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]+)?)?(?:{_ZONE})?"
_MOMENT = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{_CLOCK})?"

# The first type wins whose first pattern every value matches, and whose second at least one.
_TYPES = (
    (ColumnType.BOOLEAN, r"(?i:true|false)", ""),
    (ColumnType.LONG, _LONG, ""),
    (ColumnType.DOUBLE, rf"(?:{_LONG}|-0|{_POINT}|{_POWER}|NaN|-?Infinity)", r"[.N]"),
    (ColumnType.TIMESTAMP, _MOMENT, ""),
)


def guess(name: str, texts: pa.StringArray) -> Column:
    """The column that all these texts fit; a string if there are none."""
    present = texts.drop_null()
    if len(present):
        first = present[:1]
        for kind, every, some in _TYPES:
            every = f"^{every}$"
            column = Column(name=name, type=kind)
            if _all(first, every) and _all(present, every) and _any(present, some) and not typed(present, column).bad:
                return column
    return Column(name=name, type=ColumnType.STRING)


def _all(texts: pa.StringArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _any(texts: pa.StringArray, pattern: str) -> bool:
    return not pattern or bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())
