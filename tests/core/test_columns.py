from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.columns import merge

A, B = Column(name="a", type=ColumnType.LONG), Column(name="b", type=ColumnType.STRING)


def test_known_columns_keep_place_and_type_and_new_ones_follow() -> None:
    seen = (B, Column(name="a", type=ColumnType.STRING))
    assert merge((), (A, B)) == (A, B)
    assert merge((A,), seen) == (A, B)
    assert merge(merge((A,), seen), seen) == (A, B)
    assert merge((A, B), ()) == (A, B)
