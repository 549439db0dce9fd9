"""Filter documents: what is taken, what is refused, and in which words (F73 to F79)."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from chalicelib.config.filters.path import compiled, joined, steps
from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import ConfigError

BASE = {
    "name": "flights",
    "connection": "acme",
    "in": {"type": "s3", "bucket": "acme-exports", "parser": {"type": "csv"}},
    "out": {"type": "parquet", "database": "travel", "table": "flights"},
}


def pipeline(filters: str) -> Pipeline:
    return Pipeline.parse(BASE | {"filters": yaml.safe_load(filters)}, where="load.yml")


def refusal(filters: str) -> str:
    with pytest.raises(ConfigError) as caught:
        pipeline(filters)
    assert caught.value.where == "load.yml"
    return caught.value.what


EMBULK = """
- type: rename
  rules:
    - rule: upper_to_lower
    - {rule: character_types, pass_types: ["a-z", "0-9"], pass_characters: "_", replace: "_"}
    - {rule: first_character_types, pass_types: ["a-z"], pass_characters: "_", prefix: "_"}
    - {rule: unique_number_suffix, max_length: 128}
- type: expand_json
  json_column_name: record
  root: "$."
  stop_on_invalid_record: false
  cache_provider: LRU
  default_timezone: Asia/Tokyo
  expanded_columns:
    - {name: id, type: long}
    - {name: "profile.like_words[1]", type: string}
    - {name: created, type: timestamp, format: "%Y-%m-%d %H:%M:%S %z", timezone: UTC}
- type: column
  default_timezone: UTC
  add_columns:
    - {name: source, type: string, default: "crm"}
    - {name: copy, src: id}
- type: column
  drop_columns:
    - {name: copy}
- type: column
  columns:
    - {name: id}
    - {name: source, default: unknown}
- type: hash
  columns:
    - {name: id}
    - {name: mail, algorithm: HmacSHA256, secret_key: "${secret:pepper}", new_name: mail_hash}
- type: add_time
  to_column: {name: time, type: timestamp}
  from_value: {mode: upload_time}
- type: add_time
  to_column: {name: epoch, type: long, unix_timestamp_unit: milli}
  from_column: {name: created_at, unix_timestamp_unit: sec, timestamp_format: "%Y-%m-%d", timezone: UTC, json_key: at}
- type: add_time
  to_column: {name: step}
  from_value: {mode: incremental_time, from: "2016-01-01 00:00:00 UTC", to: "2016-01-01 00:10:00 UTC"}
"""


def test_embulks_spelling_is_understood() -> None:
    assert len(pipeline(EMBULK).filters) == 9


def test_a_document_of_filters_survives_being_shown_and_read() -> None:
    more = """
      - {type: add_columns, columns: [{name: a, type: timestamp, default: 2026-01-02}]}
      - {type: add_columns, columns: [{name: b, type: json, default: {x: 1}}]}
      - {type: digest, columns: [{name: a, algorithm: HmacMD5, secret_key: {secret: pepper}}]}
      - {type: explode, column: a, as: b, element: {type: long}}
      - {type: where, condition: a > 1}
      - {type: sanitize}
      - {type: file_metadata, columns: [{name: f, value: file_name}]}
      - {type: add_time, to_column: {name: t}, from_value: {mode: incremental_time, from: 2026-01-01, to: 2026-01-02}}
    """
    for text in (EMBULK, more):
        parsed = pipeline(text)
        assert Pipeline.parse(parsed.document(), where="again") == parsed


@pytest.mark.parametrize(
    "filters, words",
    [
        ("[{type: drop}]", "filters.0.type is not one of add_columns, "),
        ("[{type: dropcolumns}]", "(did you mean drop_columns?)"),
        ("[{columns: []}]", "filters.0.type is required"),
        ("[{type: drop_columns, colums: []}]", "filters.0.colums is not a known key (did you mean columns?)"),
        ("[{type: drop_columns, columns: []}]", "filters.0.columns: Tuple should have at least 1 item"),
        ("[{type: column}]", "exactly one of columns, add_columns and drop_columns is needed, not none"),
        ("[{type: column, columns: [{name: a}], drop_columns: [{name: b}]}]", "not columns and drop_columns (E45)"),
        ("[{type: retain_columns, columns: [{name: $.a.b}]}]", "'$.a.b' is a JSON path: give it as src"),
        ("[{type: add_columns, columns: [{name: a, src: '$.a[*]'}]}]", "is not a path like $.column.key"),
        ("[{type: add_columns, columns: [{name: a, type: int, default: 1}]}]", "did you mean long?"),
        ("[{type: add_columns, columns: [{name: a, format: '%Y'}]}]", "need a type"),
        ("[{type: rename}]", "columns or rules are needed"),
        ("[{type: rename, columns: {a: ''}}]", "a name cannot be empty"),
        ("[{type: rename, rules: [{rule: lower}]}]", "filters.0.rules.0.rule is not one of character_types, "),
        ("[{type: rename, rules: [{}]}]", "filters.0.rules.0.rule is required"),
        ("[{type: rename, rules: [{rule: truncate, maxlength: 2}]}]", "filters.0.rules.0.maxlength is not a known key"),
        ("[{type: rename, rules: [{rule: regex_replace, match: '(', replace: x}]}]", "is not an RE2 pattern"),
        ("[{type: rename, rules: [{rule: first_character_types}]}]", "exactly one of replace and prefix"),
        ("[{type: rename, rules: [{rule: unique_number_suffix, max_length: 7}]}]", "max_length"),
        ("[{type: rename, rules: [{rule: unique_number_suffix, delimiter: '1'}]}]", "delimiter"),
        ("[{type: rename, rules: [{rule: unique_number_suffix, digits: 9, max_length: 9}]}]", "no room"),
        ("[{type: digest, columns: [{name: a, algorithm: SHA-9}]}]", "'SHA-9' is not a digest; known are blake2b"),
        ("[{type: digest, columns: [{name: a, algorithm: shake_128}]}]", "is not a digest"),
        ("[{type: digest, columns: [{name: a, algorithm: HmacSHA256}]}]", "needs secret_key: ${secret:NAME}"),
        ("[{type: digest, columns: [{name: a, secret_key: '${secret:x}'}]}]", "did you mean HmacSHA256?"),
        ("[{type: digest, columns: [{name: a, keep: true}]}]", "keep needs a new_name"),
        ("[{type: expand_json, json_column_name: a, root: x}]", "does not begin with $"),
        (
            "[{type: expand_json, json_column_name: a, expanded_columns: [{name: 'a[', type: long}]}]",
            "is not a JSONPath",
        ),
        (
            "[{type: expand_json, json_column_name: a, max_depth: 2, expanded_columns: [{name: a, type: long}]}]",
            "max_depth",
        ),
        ("[{type: expand_json, json_column_name: a, expanded_columns: [{name: a, type: long, src: b}]}]", "say path"),
        ("[{type: expand_json, json_column_name: a, stop_on_invalid_record: true, on_invalid: 'null'}]", "exclude"),
        ("[{type: add_time, to_column: {name: t}}]", "exactly one of from_column and from_value"),
        ("[{type: add_time, to_column: {name: t}, from_value: {value: 1}, from_column: {name: a}}]", "exactly one of"),
        ("[{type: add_time, to_column: {name: t}, from_value: {}}]", "fixed_time needs value, not none"),
        ("[{type: add_time, to_column: {name: t}, from_value: {mode: upload_time, value: 1}}]", "neither value nor"),
        (
            "[{type: add_time, to_column: {name: t}, from_value: {mode: incremental_time, from: 1}}]",
            "from and to, not from",
        ),
        ("[{type: add_time, to_column: {name: t, type: string}, from_value: {value: 1}}]", "'timestamp' or 'long'"),
        ("[{type: where, condition: a =}]", "filters.0.condition: a column or a value is needed at character 4"),
        ("[{type: explode, column: a, element: {format: '%Y'}}]", "need a type"),
        ("[{type: explode, column: a, element: {}}]", "element.type is required"),
        ("[{type: file_metadata, columns: [{name: a, value: path}]}]", "'file_name', 'key'"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(filters: str, words: str) -> None:
    assert words in refusal(filters)


def test_faulty_elements_do_not_make_their_list_look_empty() -> None:
    assert "at least 1" not in refusal("[{type: drop_columns, columns: [{nmae: a}]}]")


@pytest.mark.parametrize("secret", ["hunter2", "${env:X}", "${secret:}", {"secret": "a b"}, {"value": "hunter2"}, 5])
def test_a_secret_in_the_document_is_refused_and_not_repeated(secret: Any) -> None:
    column = {"name": "a", "algorithm": "HmacSHA256", "secret_key": secret}
    said = refusal(yaml.safe_dump([{"type": "digest", "columns": [column]}]))
    assert "put it into Secrets Manager" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "path, found",
    [
        ("$", ()),
        ("$.a.b", ("a", "b")),
        ("a.b[0][-1]", ("a", "b", 0, -1)),
        ("$['a.b']['c d'].e", ("a.b", "c d", "e")),
        ('["x"]', ("x",)),
        ("a b.c-d", ("a b", "c-d")),
        ("$.a[*]", None),
        ("$..a", None),
        ("$.a[0:2]", None),
        ("$.a[?@.b]", None),
        ("$.a.", None),
        ("", None),
    ],
)
def test_simple_paths_are_keys_and_indices(path: str, found: Any) -> None:
    assert steps(path) == found


def test_a_path_begins_at_its_root_unless_it_names_the_whole() -> None:
    assert joined("$.", "a") == joined("$", "a") == "$.a"
    assert joined("$.r.", "[0]") == "$.r[0]"
    assert joined("$.r", "$.a") == "$.a"


@pytest.mark.parametrize("path", ["$.a[?search(@.b, '(a+)+$')]", "$.a[?match(@.b, 'x')]", "$.a[?@.b =~ /x/]"])
def test_regular_expressions_in_a_json_path_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=re.escape(path)):
        compiled(path)


def test_a_pipeline_is_read_without_the_json_path_library() -> None:
    code = (
        "import sys; from chalicelib.config.pipeline import Pipeline\n"
        "from chalicelib.config.filters.expand_json import ExpandJson\n"
        "ExpandJson.parse({'type': 'expand_json', 'json_column_name': 'a',"
        " 'expanded_columns': [{'name': 'b.c[0]', 'type': 'long'}]}, where='')\n"
        "sys.exit('jsonpath' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
