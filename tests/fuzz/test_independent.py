"""The second reading of tables, which fuzzing and the real tables compare with, beside Python's csv module."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench import independent
from bench.independent import Layout, NoValue

TEXTS = st.text(st.sampled_from(",;\"'\r\n a1é"), max_size=40)


@settings(max_examples=300)
@given(text=TEXTS, delimiter=st.sampled_from(",;"), quote=st.sampled_from(['"', "'", None]))
@example(text='a,"b\n""c"d,e\r\n\r\n"', delimiter=",", quote='"')
def test_records_are_those_of_the_csv_module(text: str, delimiter: str, quote: str | None) -> None:
    layout = Layout(delimiter=delimiter, quote=quote)
    texts = [[part for part, _ in record] for record in independent.records(text.encode(), layout)]
    assert texts == independent.by_csv_module(text.encode(), layout)


@pytest.mark.parametrize(
    ("text", "layout", "records"),
    [
        ("a||b|||c\n", Layout(delimiter="||"), [["a", "b", "|c"]]),
        ("# no\na,b\n#,c\n", Layout(comment="#"), [["a", "b"]]),
        ('"a\\"b",c\n', Layout(escape="\\"), [['a"b', "c"]]),
        ("x\ny\na, b \n", Layout(skipped=2, trim=True), [["a", "b"]]),
        ("  1   2\n 10  20\n", Layout(runs=True), [["1", "2"], ["10", "20"]]),
        ("ab 1\ncd22\n", Layout(widths=(2, 2)), [["ab", "1"], ["cd", "22"]]),
        ("\ufeffa\rb\r\n\nc", Layout(), [["a"], ["b"], ["c"]]),
    ],
)
def test_layouts_that_the_csv_module_does_not_know(text: str, layout: Layout, records: list[list[str]]) -> None:
    assert [[part for part, _ in record] for record in independent.records(text.encode(), layout)] == records


def test_a_header_means_names_that_differ() -> None:
    header = [(text, False) for text in (" a ", "", "a", "a", "b")]
    assert independent.names(header) == ["a", "c1", "a_2", "a_3", "b"]


@pytest.mark.parametrize("text", ["007x", "1.5", "", "9223372036854775808"])
def test_a_text_that_is_no_long_is_none(text: str) -> None:
    with pytest.raises(NoValue):
        independent.value((text or "x", False), {"type": "long"}, None)
