"""Pipeline documents: what is taken, what is refused, and in which words."""

import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest
import yaml

from chalicelib.config.decoders import Gzip
from chalicelib.config.parsers.csv import Csv
from chalicelib.config.parsers.json import Json
from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import ConfigError

DOCUMENT: dict[str, Any] = yaml.safe_load(r"""
name: flights
connection: acme
in:
  type: s3
  bucket: acme-exports
  path_prefix: flights/
  path_match_pattern: \.csv(\.gz)?$
  decoders: [{type: gzip}]
  min_task_size: 1000
  parser:
    type: csv
    charset: UTF-8
    delimiter: "\t"
    quote: '"'
    escape: \
    null_string: ["", \N]
    skip_header_lines: 1
    newline: CRLF
    columns:
      - {name: id, type: long}
      - {name: at, type: timestamp, format: "%Y-%m-%d"}
out: {type: parquet, database: travel, table: flights, mode: append, time_column: at, transform: hour}
""")


def changed(path: str, value: Any) -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    *parents, last = path.split(".")
    place: Any = document
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    place[last] = value
    return document


def without(path: str) -> dict[str, Any]:
    document = changed(path, None)
    *parents, last = path.split(".")
    place: Any = document
    for name in parents:
        place = place[name]
    del place[last]
    return document


def refusal(document: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Pipeline.parse(document, where="load.yml")
    assert caught.value.where == "load.yml"
    assert caught.value.remedy
    return caught.value.what


def test_a_whole_document_is_understood() -> None:
    parsed = Pipeline.parse(DOCUMENT, where="load.yml")
    assert parsed.source.decoders == (Gzip(type="gzip"),)
    parser = parsed.source.parser
    assert isinstance(parser, Csv)
    assert (parser.delimiter, parser.null_strings, parser.header_lines) == ("\t", ("", "\\N"), 1)
    assert parsed.out.address == "parquet:travel.flights"


def test_a_treasure_data_load_yml_is_understood() -> None:
    seed = yaml.safe_load(r"""
    in:
      type: s3
      bucket: acme-exports
      path_prefix: logs/csv-
      path_match_pattern: \.csv$
      decoders:
      - {type: gzip}
      parser:
        charset: UTF-8
        newline: CRLF
        type: csv
        delimiter: ','
        quote: '"'
        escape: '"'
        null_string: 'NULL'
        skip_header_lines: 1
        columns:
        - {name: id, type: long}
        - {name: account, type: string}
        - {name: time, type: timestamp, format: '%Y-%m-%d %H:%M:%S'}
        - {name: payload, type: json}
        - {name: ok, type: boolean}
        - {name: price, type: double}
    out: {mode: append}
    """)
    seed |= {"name": "logs", "connection": "acme", "out": seed["out"] | {"type": "iceberg", "table": "logs"}}
    parsed = Pipeline.parse(seed, where="load.yml")
    assert [str(column.type) for column in parsed.source.parser.columns or ()] == [
        "long",
        "string",
        "timestamp",
        "json",
        "boolean",
        "double",
    ]


def test_what_is_left_out_has_the_documented_defaults() -> None:
    least = {
        "name": "p",
        "connection": "c",
        "in": {"bucket": "acme", "parser": {"type": "csv"}},
        "out": {"type": "iceberg", "table": "t"},
    }
    parsed = Pipeline.parse(least, where="load.yml")
    assert (parsed.source.path_prefix, parsed.source.path_match_pattern, parsed.source.decoders) == ("", None, None)
    assert parsed.source.min_task_size == 268_435_456
    assert (parsed.out.address, parsed.out.origin_columns) == ("iceberg:tidegate.t", True)
    assert isinstance(parsed.source.parser, Csv)
    assert (parsed.source.parser.null_strings, parsed.source.parser.header_lines) == (("",), 1)


def test_declared_columns_mean_no_header_unless_said_otherwise() -> None:
    columns = ({"name": "a", "type": "long"},)
    assert Csv.model_validate({"type": "csv", "columns": columns}).header_lines == 0
    assert Csv.model_validate({"type": "csv", "columns": columns, "skip_header_lines": 2}).header_lines == 2


ROUND = {
    "as it is": DOCUMENT,
    "no quote": changed("in.parser.quote", None),
    "no escape": changed("in.parser.escape", None),
    "no null string": changed("in.parser.null_string", None),
    "one null string": changed("in.parser.null_string", "NULL"),
    "no columns": changed("in.parser.columns", None),
    "no decoders": changed("in.decoders", None),
    "decoded as it is": changed("in.decoders", []),
    "json": changed("in.parser", {"type": "json", "columns": [{"name": "日本", "type": "json"}]}),
    "no pattern": changed("in.path_match_pattern", None),
    "whole bucket": changed("in.path_prefix", ""),
    "no partitions": changed("out", {"type": "iceberg", "table": "t", "origin_columns": False}),
    "nothing skipped": changed("in.parser.skip_header_lines", 0),
}


@pytest.mark.parametrize("document", ROUND.values(), ids=ROUND)
def test_a_document_comes_back_from_yaml_as_it_was(document: dict[str, Any]) -> None:
    parsed = Pipeline.parse(document, where="load.yml")
    text = yaml.safe_dump(parsed.document(), allow_unicode=True)
    assert Pipeline.parse(yaml.safe_load(text), where="stored") == parsed


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("nmae", "did you mean name?"),
        ("in.bukket", "did you mean bucket?"),
        ("in.path_match_patern", "did you mean path_match_pattern?"),
        ("in.parser.delimitr", "did you mean delimiter?"),
        ("out.tabel", "did you mean table?"),
        ("in.parser.columns.0.typ", "did you mean type?"),
        ("in.wholly_unlike", "known here: bucket, decoders, exclude, include"),
    ],
)
def test_an_unknown_key_is_refused_with_what_may_be_meant(path: str, hint: str) -> None:
    said = refusal(changed(path, 1))
    assert f"{path} is not a known key" in said
    assert hint in said


@pytest.mark.parametrize("path", ["name", "connection", "in", "out", "in.bucket", "in.parser", "out.table"])
def test_a_missing_key_is_named(path: str) -> None:
    assert refusal(without(path)).replace(".parquet", "") == f"{path} is required"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("name", "a b", "name"),
        ("name", "", "name"),
        ("name", "-a", "name"),
        ("name", "x" * 101, "100"),
        ("name", 5, "string"),
        ("in", None, "in"),
        ("in", [], "in"),
        ("in.bucket", "Acme", "bucket"),
        ("in.bucket", "ab", "bucket"),
        ("in.bucket", "s3://acme", "bucket"),
        ("in.min_task_size", 0, "greater than 0"),
        ("in.min_task_size", "much", "integer"),
        ("in.type", "gcs", "'s3'"),
        ("in.parser.delimiter", "", "delimiter"),
        ("in.parser.delimiter", "\n", "delimiter"),
        ("in.parser.quote", "''", "quote"),
        ("in.parser.skip_header_lines", -1, "skip_header_lines"),
        ("in.parser.newline", "LFCR", "'CRLF', 'LF' or 'CR'"),
        ("in.parser.columns.0.type", "int", "did you mean long? The types are boolean, long, double"),
        ("in.parser.columns.0.name", "", "name"),
        ("in.decoders", [{"type": "rar"}], "one of brotli, bzip2"),
        ("out.table", "Flights", "table"),
        ("out.database", "my-db", "database"),
        ("out.mode", "upsert", "'append'"),
        ("out.transform", "week", "'hour', 'day', 'month' or 'none'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_its_path(path: str, value: Any, words: str) -> None:
    said = refusal(changed(path, value))
    assert said.replace(".csv", "").replace(".parquet", "").startswith(path)
    assert words in said


@pytest.mark.parametrize(
    ("path", "known"), [("in.parser", ("csv", "tsv", "json", "parquet", "objects")), ("out", ("iceberg", "parquet"))]
)
@pytest.mark.parametrize("given", ["xls", None], ids=["wrong", "missing"])
def test_a_part_without_a_known_type_is_told_the_types_there_are(path: str, known: tuple[str, ...], given: str) -> None:
    said = refusal(changed(f"{path}.type", given) if given else without(f"{path}.type"))
    assert path in said
    assert all(name in said for name in known)
    assert "discriminator" not in said, "a word of the library's, not of the user's"


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_two_columns_of_one_name_are_refused(kind: str) -> None:
    columns = [{"name": name, "type": "long"} for name in ("a", "b", "a", "b", "c")]
    said = refusal(changed("in.parser", {"type": kind, "columns": columns}))
    assert "a, b is declared more than once" in said


def test_a_transform_without_a_column_leaves_the_choice_to_the_rule() -> None:
    out = Pipeline.parse(without("out.time_column"), where="load.yml").out
    assert (out.time_column, out.transform) == (None, "hour")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partition_by": ["a", "b", "a"]}, "partition_by names a twice"),
        ({"partition_by": ["a", "A"]}, "partition_by names A twice"),
        ({"partition_by": ["a", ""]}, "partition_by has an empty name"),
        ({"partition_by": ["at"]}, "partition_by names at, by which transform hour partitions already"),
        ({"storage_timezone": "CET"}, "a city like Europe/Paris"),
        ({"storage_timezone": "Europe/Pariss"}, "did you mean Europe/Paris?"),
        ({"unix_timestamp_unit": "seconds"}, "unix_timestamp_unit"),
    ],
)
def test_partitions_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    assert words in refusal(changed("out", DOCUMENT["out"] | options))


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("double", {"partition_by": ["c"]}, "out.partition_by names c, a double: its values are seldom equal"),
        ("json", {"partition_by": ["c"]}, "out.partition_by names c, a json"),
        ("timestamp", {"partition_by": ["c"]}, "name it as time_column with a transform"),
        ("string", {"time_column": "c"}, "out.time_column c is a string; declare it as a timestamp, a date or a long"),
        ("date", {"time_column": "c"}, "out.time_column c is a date, which has no hour"),
        ("string", {"partition_by": ["c"]}, None),
        ("double", {"partition_by": ["other"]}, None),
        ("long", {"time_column": "c"}, None),
        ("string", {"time_column": "c", "transform": "none"}, None),
        ("date", {"time_column": "c", "transform": "month"}, None),
    ],
)
def test_declared_columns_that_make_no_partitions_are_refused(
    kind: str, options: dict[str, Any], words: str | None
) -> None:
    document = changed("in.parser.columns", [{"name": "c", "type": kind}]) | {"out": DOCUMENT["out"] | options}
    if words is None:
        assert Pipeline.parse(document, where="load.yml")
    else:
        assert words in refusal(document)
        assert Pipeline.parse(document | {"filters": [{"type": "rename", "columns": {"c": "d"}}]}, where="load.yml")


def test_a_time_column_may_be_a_partition_by_its_values_where_no_transform_uses_it() -> None:
    options = {"transform": "none", "time_column": "id", "partition_by": ["id"], "storage_timezone": "+09:00"}
    assert Pipeline.parse(changed("out", DOCUMENT["out"] | options), where="w").out.partition_by == ("id",)


@pytest.mark.parametrize("charset", ["nonsense", "base64", ""])
def test_a_charset_that_does_not_exist_is_refused_before_anything_is_read(charset: str) -> None:
    assert "charset" in refusal(changed("in.parser.charset", charset))


@pytest.mark.parametrize("pattern", ["(", "[a", "a**", "(?=x)", r"(a)\1", "(?P<n>a", "x{1001}"])
def test_a_pattern_that_re2_does_not_take_is_refused_with_its_reason(pattern: str) -> None:
    said = refusal(changed("in.path_match_pattern", pattern))
    assert said.startswith("in.path_match_pattern: ")
    assert repr(pattern) in said
    assert "(b'" not in said


def test_a_bad_pattern_prints_nothing_beside_its_error() -> None:
    code = (
        "from chalicelib.config.source import Source\nfrom chalicelib.errors import ConfigError\n"
        "try: Source.parse({'bucket': 'acme', 'path_match_pattern': '(', 'parser': {'type': 'csv'}}, where='w')\n"
        "except ConfigError: pass"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")


def test_all_faults_are_named_at_once() -> None:
    document = changed("in.bukket", 1) | {"name": "a b", "zzz": 1}
    said = refusal(document)
    assert all(path in said for path in ("name", "in.bukket", "zzz"))


@pytest.mark.parametrize("document", [{}, {1: 2}, {"in": {"in": {}}}, {None: None}, {"name": [], "in": 5, "out": "x"}])
def test_any_mapping_is_a_document_or_an_error_of_ours(document: Any) -> None:
    assert refusal(document)


def test_a_document_that_holds_itself_is_refused() -> None:
    document: dict[str, Any] = deepcopy(DOCUMENT)
    document["in"]["parser"]["columns"] = [document]
    assert refusal(document)


def test_a_prefix_with_a_leading_slash_is_warned_of() -> None:
    (warning,) = Pipeline.parse(changed("in.path_prefix", "/flights/"), where="w").source.warnings
    assert "slash" in warning
    assert Pipeline.parse(DOCUMENT, where="w").source.warnings == ()


def test_a_document_cannot_be_changed_behind_anybodys_back() -> None:
    parsed = Pipeline.parse(DOCUMENT, where="w")
    with pytest.raises(ValueError, match="frozen"):
        parsed.name = "other"  # type: ignore[misc]
    assert hash(parsed) == hash(Pipeline.parse(DOCUMENT, where="w"))


def test_json_needs_no_columns() -> None:
    parsed = Pipeline.parse(changed("in.parser", {"type": "json"}), where="w")
    assert parsed.source.parser == Json(type="json")
