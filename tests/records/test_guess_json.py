"""Guessing JSON: shape and columns."""

import json
from typing import Any

import pytest

from chalicelib.records.proposals.proposal import Sure
from chalicelib.records.proposals.propose import propose
from tests.records.guessing import guessed, loaded, options, said, samples, types

ROWS: list[dict[str, Any]] = [{"id": 1, "name": "a", "ok": True, "v": 1.5}, {"id": 2, "name": "b", "ok": None, "v": 2}]
COLUMNS = {"id": "long", "name": "string", "ok": "boolean", "v": "double"}


@pytest.mark.parametrize(
    "text",
    [
        "".join(json.dumps(row) + "\n" for row in ROWS),
        "".join(json.dumps(row, indent=2) + "\n" for row in ROWS),
        "".join(json.dumps(row) for row in ROWS),
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
    ],
    ids=["lines", "pretty", "together", "array", "pretty array"],
)
def test_objects_however_they_are_laid_out_are_json(text: str) -> None:
    proposal = guessed(text)
    assert proposal.parser["type"] == "json"
    assert options(proposal) == {}
    assert types(proposal) == COLUMNS
    assert [row["id"] for row in loaded(text, proposal).rows] == [1, 2]


@pytest.mark.parametrize(
    "text", ["1\n2\n", '"a"\n"b"\n', "[1, 2]\n[3, 4]\n", "{a},{b}\n{c},{d}\n", "{}x,1\n", '{"a": 1},x\n']
)
def test_what_holds_no_objects_is_not(text: str) -> None:
    assert guessed(text).parser["type"] == "csv"


def test_a_value_that_holds_the_records_in_an_array() -> None:
    text = json.dumps({"status": "ok", "data": ROWS})
    proposal = guessed(text)
    assert options(proposal) == {"root": "/data", "flatten_json_array": True}
    assert types(proposal) == COLUMNS
    assert len(loaded(text, proposal).rows) == 2
    cut = propose(samples('{"status": "ok", "n": 2, ' + text[17:-20], whole=False))
    assert options(cut) == {"root": "/data", "flatten_json_array": True}
    assert "root" not in options(guessed('{"id": 1, "tags": ["a"], "lines": [{"b": 1}]}\n'))


def test_nested_values_are_json_columns_and_flatten_is_mentioned() -> None:
    proposal = guessed('{"id": 1, "a": {"b": 2}, "c": [1]}\n{"id": 2}\n')
    assert types(proposal) == {"id": "long", "a": "json", "c": "json"}
    assert "flatten" in said(proposal.evidence, "a, c").why


def test_columns_are_those_of_all_objects() -> None:
    proposal = guessed('{"a": 1, "b": 1}\n', '{"a": 1.5, "c": "x"}\n', '{"b": "y"}\n')
    assert types(proposal) == {"a": "double", "b": "string", "c": "string"}
    assert said(proposal.evidence, "b").sure is Sure.HIGH


def test_dates_as_text_have_their_format() -> None:
    text = '{"d": "31/12/2024", "t": "2024-01-02T03:04:05Z", "n": "20240102", "s": "12"}\n{"d": "01/02/2024"}\n'
    proposal = guessed(text)
    assert types(proposal) == {"d": "date %d/%m/%Y", "t": "timestamp", "n": "string", "s": "string"}
    assert loaded(text, proposal).rejects == []


def test_a_cut_end_is_no_record() -> None:
    proposal = propose(samples('{"id": 1, "n": "a"}\n{"id": 2, "n": "b"}\n{"id": 3, "n": "c', whole=False))
    assert types(proposal) == {"id": "long", "n": "string"}
    assert said(proposal.evidence, "proof").sure is Sure.HIGH


def test_what_was_given_is_kept() -> None:
    columns = [{"name": "x", "type": "string", "element_at": "/id"}]
    assert guessed('{"id": 1}\n', type="json", columns=columns).parser == {"type": "json", "columns": columns}
    kept = guessed('{"id": 1}\n', type="json", max_bad_rows=2)
    assert (kept.parser["max_bad_rows"], types(kept)) == (2, {"id": "long"})
    assert guessed('{"id": 1}\n{"id": 2}\n', type="csv").parser["type"] == "csv"


def test_wide_charsets_are_told() -> None:
    data = "".join(json.dumps(row) + "\n" for row in ROWS).encode("utf-16")
    proposal = guessed(data)
    assert options(proposal) == {"charset": "UTF-16"}
    assert len(loaded(data, proposal).rows) == 2
