"""JSON: the shape of the records, and their columns."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.config.columns import Column, ColumnType
from chalicelib.errors import ConfigError
from chalicelib.records.proposals.charsets import text_of
from chalicelib.records.proposals.moments import moments
from chalicelib.records.proposals.proposal import Evidence, Proposal, Sample, Sure
from chalicelib.records.proposals.reading import Looked, look

_KEY = r'"((?:[^"\\]|\\.)*)"\s*:\s*'
_OPEN = re.compile(rf"\{{\s*{_KEY}")
_SCALAR = r'(?:"(?:[^"\\]|\\.)*"|[\w.+-]+)'
_OPEN_ARRAY = re.compile(rf'\s*\{{(?:\s*"(?:[^"\\]|\\.)*"\s*:\s*{_SCALAR}\s*,)*\s*{_KEY}\[\s*\{{')
_AFTER = re.compile(r"\s*(?:\Z|[{\]\x1e]|,\s*(?:\{|\Z))")
_NUMBERS = {ColumnType.LONG, ColumnType.DOUBLE}


def is_json(texts: Sequence[str]) -> bool:
    """True if every text begins with a JSON object, or with an array of objects."""
    starts = [text.lstrip() for text in texts if text.strip()]
    return bool(starts) and all(map(_begins, starts))


def proposed(samples: Sequence[Sample], charset: str, given: Mapping[str, Any], *, all_strings: bool) -> Proposal:
    """A json parser for these samples; keys that were given are kept. Raises ConfigError if there are no records."""
    starts = [sample for sample in samples if sample.start]
    parser: dict[str, Any] = {"type": "json"}
    evidence = [Evidence("format", "json", "every object begins with a JSON object, or an array of them", Sure.HIGH)]
    if charset != "UTF-8":
        parser["charset"] = charset
    if not {"root", "flatten_json_array", "columns"} & given.keys():
        inside = _array_inside(text_of(starts[0], charset)) if _alone(starts, charset) else None
        if inside is not None:
            parser |= {"root": inside, "flatten_json_array": True}
            evidence.append(Evidence("root", inside, "the one value holds the records in an array", Sure.MEDIUM))
    parser |= given
    if "columns" in given:
        return Proposal(parser, tuple(evidence))
    found = [look([(_whole_lines(sample), sample.whole)], parser) for sample in starts]
    columns, said = _merged(found, all_strings=all_strings)
    if not columns and not all(sample.whole for sample in starts) and _alone(starts, charset):
        why = "the first value does not end within the sample: each object's own columns are told when it is loaded"
        return Proposal(parser, (*evidence, Evidence("columns", "left out", why, Sure.LOW)))
    if not columns:
        raise ConfigError("there are no records in the samples", remedy="Write the parser by hand")
    parser["columns"] = [column.model_dump(mode="json", exclude_none=True) for column in columns]
    return Proposal(parser, (*evidence, *said, *_nested(columns), *_proof(starts, parser)))


def _begins(text: str) -> bool:
    decoder = json.JSONDecoder()
    if text[0] not in "{[":
        return False
    if text[0] == "[":
        text = text[1:].lstrip()
        if not text.startswith("{"):
            return False
    try:
        value, end = decoder.raw_decode(text)
        return isinstance(value, dict) and _AFTER.match(text, end) is not None
    except (ValueError, RecursionError):
        return _OPEN.match(text) is not None  # it was cut, or the first record is a bad one


def _array_inside(text: str) -> str | None:
    """The pointer to the one array of objects in a value that stands alone."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        cut = _OPEN_ARRAY.match(text)
        return _pointer(cut[1]) if cut and "\\" not in cut[1] else None
    if not isinstance(value, dict):
        return None
    arrays = [key for key, inner in value.items() if isinstance(inner, list) and _objects(inner)]
    simple = all(not isinstance(inner, list) or key in arrays for key, inner in value.items())
    return _pointer(arrays[0]) if len(arrays) == 1 and simple else None


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _alone(starts: Sequence[Sample], charset: str) -> bool:
    """True if each object seems to be one value: none of them has a second, and a cut one not even a whole first."""
    return all(sample.whole or _is_cut(text_of(sample, charset).lstrip()) for sample in starts)


def _is_cut(text: str) -> bool:
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return True
    return False


def _objects(array: Sequence[Any]) -> bool:
    return bool(array) and all(isinstance(each, dict) for each in array)


def _whole_lines(sample: Sample) -> bytes:
    if sample.whole:
        return sample.data
    end = sample.data.rfind(b"\n") + 1
    return sample.data[:end] or sample.data


def _merged(found: Sequence[Looked], *, all_strings: bool) -> tuple[list[Column], list[Evidence]]:
    """The columns of all samples: of numbers the wider, of anything else that differs a string."""
    columns: dict[str, Column] = {}
    evidence: list[Evidence] = []
    for looked in found:
        for column in looked.columns:
            known = columns.setdefault(column.name, column)
            if known.type is not column.type:
                kind = ColumnType.DOUBLE if {known.type, column.type} == _NUMBERS else ColumnType.STRING
                columns[column.name] = known.model_copy(update={"type": kind})
                why = f"objects have it as {known.type} and as {column.type}"
                evidence.append(Evidence(column.name, kind, why, Sure.HIGH))
    if all_strings:
        return [column.model_copy(update={"type": ColumnType.STRING}) for column in columns.values()], []
    return [_dated(column, found, evidence) for column in columns.values()], evidence


def _dated(column: Column, found: Sequence[Looked], evidence: list[Evidence]) -> Column:
    """A column of strings that are dates, all of one format."""
    if column.type is not ColumnType.STRING or any(each.what == column.name for each in evidence):
        return column
    texts = [array for looked in found for array in looked.texts.get(column.name, [])]
    kinds = {kind for array in texts if (kind := _moment(column.name, array)) is not None}
    if len(kinds) != 1 or any(array.null_count < len(array) and _moment(column.name, array) is None for array in texts):
        return column
    moment, layout, other = kinds.pop()
    if layout is None or layout in ("%Y%m%d", "%Y%m%d%H%M%S"):
        return column
    why = f"its values allow {other} as well: the first is assumed" if other else "all its values fit"
    evidence.append(Evidence(column.name, f"{moment} {layout}", why, Sure.LOW if other else Sure.HIGH))
    return column.model_copy(update={"type": moment, "format": layout})


def _moment(name: str, array: Any) -> tuple[ColumnType, str | None, str | None] | None:
    moment = moments(name, array)
    return (moment.column.type, moment.column.format, moment.other) if moment else None


def _nested(columns: Sequence[Column]) -> list[Evidence]:
    names = [column.name for column in columns if column.type is ColumnType.JSON]
    if not names:
        return []
    why = "nested values; without `columns`, `flatten: 1` makes columns like a.b of them"
    return [Evidence(", ".join(names), "json", why, Sure.MEDIUM)]


def _proof(starts: Sequence[Sample], parser: dict[str, Any]) -> list[Evidence]:
    """Load the samples by the document; a column that costs a row becomes a string."""
    said = []
    samples = [(_whole_lines(sample), sample.whole) for sample in starts]
    found = look(samples, parser)
    for column in parser["columns"]:
        misfit = next((each.reason for each in found.rejects if f"{column['name']}: " in each.reason), None)
        if misfit and column["type"] != "string":
            column["type"] = "string"
            column.pop("format", None)
            said.append(Evidence(column["name"], "string", f"a value did not fit: {misfit}", Sure.HIGH))
    if said:
        found = look(samples, parser)
    bad = len(found.rejects)
    why = f"{found.rows} rows of the samples load, {bad} do not" + (f": {found.rejects[0].reason}" if bad else "")
    return [*said, Evidence("proof", f"{found.rows} rows", why, Sure.LOW if bad else Sure.HIGH)]
