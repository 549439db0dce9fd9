import pytest

from chalicelib.config.columns import Column, ColumnType
from chalicelib.core.columns import match, merge, twins

A, B = Column(name="a", type=ColumnType.LONG), Column(name="b", type=ColumnType.STRING)


def test_known_columns_keep_place_and_type_and_new_ones_follow() -> None:
    seen = (B, Column(name="a", type=ColumnType.STRING))
    assert merge((), (A, B)) == (A, B)
    assert merge((A,), seen) == (A, B)
    assert merge(merge((A,), seen), seen) == (A, B)
    assert merge((A, B), ()) == (A, B)


def named(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=ColumnType.LONG) for name in names)


def decimal(precision: int, scale: int) -> tuple[Column, ...]:
    return (Column(name="d", type=ColumnType.DECIMAL, precision=precision, scale=scale),)


def test_names_in_other_case_are_known() -> None:
    assert merge(named("id", "Name"), named("ID", "NAME", "new")) == named("id", "Name", "new")


@pytest.mark.parametrize(
    ("known", "seen", "after"),
    [((10, 2), (12, 2), (12, 2)), ((12, 2), (10, 2), (12, 2)), ((10, 2), (12, 4), (10, 2)), ((5, 0), (38, 0), (38, 0))],
)
def test_decimals_grow_in_digits_and_never_in_scale(
    known: tuple[int, int], seen: tuple[int, int], after: tuple[int, int]
) -> None:
    assert merge(decimal(*known), decimal(*seen)) == decimal(*after)


def test_a_decimal_that_meets_another_type_stays() -> None:
    assert merge(decimal(10, 2), named("d")) == decimal(10, 2)
    assert merge(named("d"), decimal(10, 2)) == named("d")


@pytest.mark.parametrize(
    ("known", "seen", "read_from", "new", "clashing"),
    [
        ("a b", "a b", {}, "", ""),
        ("a b", "b", {}, "", ""),
        ("a b", "a c", {}, "c", ""),
        ("a b", "A B", {"a": "A", "b": "B"}, "", ""),
        ("a b", "a A", {}, "", "A"),
        ("a b", "A Ä c", {"a": "A"}, "Ä c", ""),
        ("a", "A\u0301", {}, "A\u0301", ""),
        ("a", "b B", {}, "", "B b"),
        ("", "id Id", {}, "", "Id id"),
        ("a A", "a A", {}, "", ""),
        ("ß", "ss SS", {}, "", "SS ss"),
    ],
)
def test_columns_are_the_same_by_name_then_by_name_without_case(
    known: str, seen: str, read_from: dict[str, str], new: str, clashing: str
) -> None:
    found = match(named(*known.split()), named(*seen.split()))
    assert [column.name for column in found.columns] == known.split()
    assert {column.name: column.src for column in found.columns if column.src} == read_from
    assert [column.name for column in found.new] == new.split()
    assert list(found.twins) == clashing.split()


def test_a_nested_value_is_read_where_this_object_has_it() -> None:
    known = (Column(name="a.b", type=ColumnType.LONG, element_at="/a/b"),)
    seen = (Column(name="A.b", type=ColumnType.STRING, element_at="/A/b"),)
    assert match(known, seen).columns == (Column(name="a.b", type=ColumnType.LONG, element_at="/A/b"),)


def test_twins_are_all_names_that_differ_only_in_case() -> None:
    assert twins(named("a", "B", "b", "c", "A")) == ("A", "B", "a", "b")
    assert twins(named("a", "b")) == ()
