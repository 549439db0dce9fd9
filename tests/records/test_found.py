"""What once broke a reader: the objects that fuzzing and real tables found, made small (fuzz/README.md)."""

from typing import Any

import pytest

from chalicelib.config.formats import Parser
from chalicelib.config.parsers.csv import Csv
from chalicelib.errors import DecodeError, ParseError
from chalicelib.records.formats.csv import CsvRows
from chalicelib.records.formats.json import JsonRows
from tests.records.reading import SAMPLES, Trickle, columns, csv, json, read

FOUND = SAMPLES / "found"
BLOCKS = (1, 2, 3, 7, 64, 1 << 20)


def found(name: str) -> bytes:
    return (FOUND / name).read_bytes()


def in_blocks(name: str, parser: Parser, block: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows, and the texts of rejects."""
    body = Trickle(found(name))
    rows = CsvRows(body, parser, block=block) if isinstance(parser, Csv) else JsonRows(body, parser, block=block)  # type: ignore[arg-type]
    pages = list(rows.pages(rows.infer()))
    good = [row for page in pages for row in page.batch.to_pylist()]
    return good, [reject.text for page in pages for reject in page.rejects]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_byte_order_mark_inside_an_object_is_data_wherever_a_block_begins(block: int) -> None:
    parser = csv(skip_header_lines=0, columns=columns(a="string"))
    rows, rejects = in_blocks("mark_inside.csv", parser, block)
    assert [row["a"] for row in rows] == ["a", "1", "\ufeff||"]
    assert rejects == []


def test_values_that_are_no_text_are_values_when_types_are_inferred() -> None:
    result = read(found("no_text.csv"), csv())
    assert result.types == {"a": "long", "b": "string"}
    assert result.tuples == [(2, None)]
    assert [reject.line for reject in result.rejects] == [2]


def test_an_object_with_nothing_but_values_that_are_no_text_has_rejects() -> None:
    result = read(found("nothing_but_no_text.csv"), csv())
    assert result.rows == []
    assert [reject.line for reject in result.rejects] == [2, 3]


def test_records_without_any_value_are_counted() -> None:
    result = read(found("no_values.csv"), csv())
    assert len(result.rows) == 2
    assert [(reject.record, reject.line) for reject in result.rejects] == [(2, 3)]


def test_json_records_without_any_value_are_counted() -> None:
    result = read(found("no_values.jsonl"), json())
    assert len(result.rows) == 3
    assert [(reject.record, reject.line) for reject in result.rejects] == [(2, 2)]


def test_a_json_reject_keeps_what_is_blank_elsewhere_but_not_in_json() -> None:
    result = read(found("form_feed.jsonl"), json(), columns(a="long"))
    assert [(reject.offset, reject.text) for reject in result.rejects] == [(0, "\f1 x")]
    assert result.tuples == [(1,)]


def test_a_block_of_json_without_any_row_is_no_trouble() -> None:
    wanted = columns(a="long")
    result = read(found("no_row.json"), json(), wanted)
    assert result.rows == []
    assert len(result.rejects) > 0


@pytest.mark.parametrize("parser", [csv(charset="UTF-16"), json(charset="UTF-16"), json(charset="UTF-32")])
def test_an_object_that_does_not_say_its_byte_order_is_set_aside(parser: Parser) -> None:
    with pytest.raises(ParseError, match="charset"):
        read(found("no_byte_order.txt"), parser)


def test_a_zip_whose_directory_points_outside_of_it_is_broken() -> None:
    with pytest.raises(DecodeError):
        read(found("points_outside.zip"), csv())
