"""Layouts of real tables that guess once took for others (bench/real_tables.py)."""

import json

import pytest

from chalicelib.records.proposals.proposal import Sample, Sure
from chalicelib.records.proposals.propose import propose
from tests.records.guessing import guessed, loaded, options, said, samples, types

HEADERS = {
    "numbers over the columns of a contingency table": (
        '"","16.5","16.75","17.25"\n"71",0,0,0\n"70",0,0,1\n"69",1,2,2\n',
        ["c0", "16.5", "16.75", "17.25"],
        3,
    ),
    "numbers that the rows are called by as well": (
        '"","0","1","2"\n"0",27,29,10\n"1",59,53,14\n"2",28,32,14\n',
        ["c0", "0", "1", "2"],
        3,
    ),
    "texts over texts, and nothing over the row names": (
        '"","nonEnglish","English"\n"1","C_rdenas","Cardenas"\n"2","Vel_zquez","Velazquez"\n',
        ["c0", "nonEnglish", "English"],
        2,
    ),
    "a delimiter at its end": (
        "Series id: LNS14000000Q\n\nSeries id,Year,Period,Value,\n" + "LNS1,1959,Q01,5.8\nLNS1,1960,Q02,5.1\n" * 9,
        ["Series id", "Year", "Period", "Value"],
        18,
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_told_by_what_stands_below_it(name: str) -> None:
    text, names, rows = HEADERS[name]
    proposal = guessed(text)
    assert list(types(proposal)) == names
    result = loaded(text, proposal)
    assert (len(result.rows), result.rejects) == (rows, [])


def test_a_header_without_rows_may_lack_its_first_name() -> None:
    proposal = guessed('"","friends","advice"\n')
    assert list(types(proposal)) == ["c0", "friends", "advice"]
    assert options(proposal)["skip_header_lines"] == 1


def test_a_missing_first_value_alone_makes_no_header() -> None:
    text = ",5,1.5\n7,6,2.5\n7,8,3.5\n9,8,4.5\n"
    assert options(guessed(text)).get("skip_header_lines", 0) == 0


def test_rows_of_values_are_no_lines_before_the_header() -> None:
    text = "dates, cpi, predict, stderr, low, high\n1950:1, 28.980,,,,\n" + "".join(
        f"19{50 + n}:2, 29.{n}50, 29.8{n},,\n" for n in range(20)
    )
    proposal = guessed(text)
    result = loaded(text, proposal)
    assert len(result.rows) + len(result.rejects) == 21
    assert list(types(proposal))[:5] == ["dates", "cpi", "predict", "stderr", "low"]


def test_aligned_numbers_are_no_lines_before_the_header() -> None:
    text = " 7.689620  0.000000\n 6.004791  0.000000\n" + "".join(f" 1{n}.401620 -0.0{n}000\n" for n in range(10, 40))
    result = loaded(text, guessed(text))
    assert len(result.rows) + len(result.rejects) == 32


def test_lines_before_the_header_stay_so_when_a_number_is_in_them() -> None:
    text = "Time Frame:,1996\nUnits,3\na,b,c,d,e\n" + "x,1,2,3,4\n" * 3
    proposal = guessed(text)
    assert list(types(proposal)) == ["a", "b", "c", "d", "e"]
    assert len(loaded(text, proposal).rows) == 3


@pytest.mark.parametrize("text", ["2.51;}\rNAnull2024-01-02::::};\r'NA\r\n\ufffdNA]", "::\r\n:\x1e//\r;"])
def test_a_first_record_longer_than_all_others_is_no_trouble(text: str) -> None:
    for delimiter in (",", "\t", "::", ";"):
        guessed(text, type="csv", delimiter=delimiter)


@pytest.mark.parametrize(
    "start",
    ['{\n"type": "FeatureCollection",\n"crs": {"a": {}},\n"features": [\n{"a": 1},\n', '{"8985410": {"id": 1, "b": ['],
)
def test_an_object_larger_than_the_sample_is_json_whose_columns_the_load_finds(start: str) -> None:
    proposal = propose(samples(start, whole=False))
    assert dict(proposal.parser) == {"type": "json"}
    assert said(proposal.evidence, "columns").sure is Sure.LOW
    whole = json.dumps({"type": "x", "features": [{"a": n} for n in range(9)]})
    assert len(loaded(whole, proposal).rows) == 1


def test_a_piece_from_inside_of_utf_16_has_no_mark_and_is_text_all_the_same() -> None:
    text = "id,name\n" + "".join(f"{n},näme {n}\n" for n in range(200))
    packed = text.encode("utf-16")
    start = Sample("a", packed[:1001], whole=False)
    for inside in (packed[2000:3000], text.encode("utf-16-be")[2000:3000]):
        proposal = propose([start, Sample("a", inside, whole=False, start=False)])
        assert proposal.parser["charset"] == "UTF-16"
        assert types(proposal) == {"id": "long", "name": "string"}


def test_objects_with_and_without_a_mark_are_no_trouble() -> None:
    propose([Sample("a", b"\xff\xfeL\x00,\x00"), Sample("b", b"\xff\xcd\xff\xff")])
