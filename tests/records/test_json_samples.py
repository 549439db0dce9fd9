"""Small files that naive JSON readers get wrong (tests/samples/README.md), at every size of blocks and reads."""

import pytest

from chalicelib.records.formats.json import JsonRows
from tests.records.bodies import Trickle
from tests.records.reading import SAMPLES, Read, columns, json, read_rows

FOLDER = SAMPLES / "json"
SIZES = [(1, 1), (1, 1 << 30), (2, 3), (3, 5), (7, 2), (16, 1 << 30), (64, 7), (1 << 21, 1)]
BIGGEST, SMALLEST = 2**63 - 1, -(2**63)

# of each file the values of the rows, and the lines of the rejects
EXPECTED: dict[str, tuple[list[int | None], list[int]]] = {
    "array_cut_off": ([1, 2], [3]),
    "array_never_closed": ([1, 2, 3], [4]),
    "array_of_everything": ([1, None, 2], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]),
    "arrays_on_lines": ([1, 2, 4], [3]),
    "bare_cr": ([1, 2, 3], [1]),
    "big_numbers": ([BIGGEST, SMALLEST, 0], [2, 4, 5, 7, 8, 9, 10]),
    "brackets_in_strings": ([1, 2, 3, 4], []),
    "bytes_that_are_no_text": ([2], [1, 3, 4]),
    "comments": ([1, 2, 3], [1, 2, 3, 5]),
    "concatenated": ([1, 2, 3, 4], [1]),
    "control_characters": ([3, 4], [1, 2, 3]),
    "deep": ([1, 2], [2]),
    "doubled_braces": ([2, 3, 4, 5], [1, 2, 4]),
    "empty_keys": ([1, None, None], []),
    "escapes": ([1, 6], [2, 3, 4, 5]),
    "indented_lines": ([1], [2]),
    "java_script": ([5], [1, 2, 3, 4, 5]),
    "keys_twice": ([2, 3, 5, None], []),
    "log_lines_between": ([1, 2, 3], [1, 3, 5, 6]),
    "marks": ([1, 3], [2]),
    "missing_commas": ([1, 2, 3, 4, 5], []),
    "mixed_line_ends": ([1, 2, 3, 4, 5], []),
    "no_bracket_closes": ([], [1, 2, 3, 4]),
    "not_a_number": ([1, 2, 3], [4, 5]),
    "one_quote_open": ([1, 3, 5], [2, 4]),
    "only_brackets": ([], [1, 2, 3, 5, 5]),
    "pretty_and_broken": ([1, 3, 5], [4, 13]),
    "pretty_without_indent": ([1, 2], []),
    "python": ([2], [1, 2, 3]),
    "record_separators": ([1, 2], [3]),
    "scalars": ([None, 1], [1, 2, 3, 4, 7]),
    "several_documents": ([1, 2, 3, 4, 5, 6], []),
    "trailing_commas": ([1, 2, 3], []),
    "truncated_escape": ([1], [2]),
    "types_that_change": ([1, None, 8], [2, 3, 4, 5, 7]),
    "wide_text": ([1, 2], [2]),
}


def found(name: str, block: int = 1 << 21, step: int = 1 << 30) -> Read:
    body = Trickle((FOLDER / f"{name}.json").read_bytes(), step)
    return read_rows(JsonRows(body, json(columns=columns(v="long")), block=block))


def test_every_sample_is_read():
    assert {path.stem for path in FOLDER.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_gives_its_rows_and_costs_what_is_broken(name):
    result = found(name)
    rows, lines = EXPECTED[name]
    assert [row["v"] for row in result.rows] == rows
    assert [reject.line for reject in result.rejects] == lines


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_the_same_however_it_is_cut(name):
    whole = found(name)
    for block, step in SIZES:
        cut = found(name, block, step)
        assert (cut.rows, places(cut)) == (whole.rows, places(whole)), (block, step)


def places(result: Read) -> list[tuple[str, str, int | None, int | None]]:
    return [(reject.reason, reject.text, reject.line, reject.offset) for reject in result.rejects]
