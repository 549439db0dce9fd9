"""JSON: any options, any bytes.

Nothing but ConfigError and DataError; the same rows and rejects whatever the size of blocks and reads, unless
brackets do not match: where such a value ends is told from as much of it as is there; each reject is where it says;
and text that Python's json reads as a sequence of values gives exactly these values.
"""

import json
from typing import Any

from pydantic import ValidationError

from chalicelib.config.parsers.json import Json
from chalicelib.errors import ConfigError, DataError
from chalicelib.records.formats.json import JsonRows
from chalicelib.records.pages import Readable
from chalicelib.records.text.charset import mark_of
from fuzz.choices import Choices
from fuzz.reading import Reading, Trickle, agree, in_place

TYPES = ("json", "string", "long", "double", "boolean", "timestamp", "date", "time", "decimal(9,2)", "binary")
POINTERS = (None, "", "/a", "/a/b", "/a/0", "/", "/~1")
OPTIONS: dict[str, tuple[Any, ...]] = {
    "root": (None, "/a", "", "/a/b", "/0"),
    "flatten_json_array": (False, True),
    "flatten": (0, 1, 3),
    "invalid_string_escapes": ("PASSTHROUGH", "SKIP", "UNESCAPE"),
    "charset": ("UTF-8", "UTF-8", "UTF-16", "UTF-16LE", "UTF-32"),
}
WHOLE = [{"name": "record", "type": "json", "element_at": ""}]
NO_VALUE = "neither { nor [ begins it"  # of text that is not taken for a value at all
DEEPEST = 100  # how deep values may be that are compared; deeper ones may be refused


def check(data: bytes) -> None:
    """Try one input. Raises AssertionError, or whatever the reader lets out."""
    choices = Choices(data)
    columns = choices.of((None, WHOLE, _columns(choices)))
    document: dict[str, Any] = {"type": "json"} | ({"columns": columns} if columns else {})
    document |= {name: choices.of(values) for name, values in OPTIONS.items()}
    blocks = (1 + choices.number(9), 16 + choices.number(200))
    try:
        parser = Json.model_validate({name: value for name, value in document.items() if value is not None})
    except ValidationError:
        return
    body = choices.rest()

    def opened(source: Readable, block: int) -> JsonRows:
        return JsonRows(source, parser, block=block)

    try:
        found = opened(Trickle(body), 1 << 20).infer()
    except (ConfigError, DataError):
        return
    whole = agree(opened, body, found, blocks, unless=_is_broken)
    as_is = parser.charset == "UTF-8" and parser.invalid_string_escapes == "PASSTHROUGH" and not mark_of(body)
    in_place(whole.rejects, body, offsets=as_is)
    plain = as_is and parser.root is None and not parser.flatten_json_array
    values = values_of(body) if plain and found else None
    if values is not None:
        _same(whole, values, compared=columns is WHOLE)


def _is_broken(whole: Reading) -> bool:
    """True if a value began and did not end as one."""
    return any(reject.reason.startswith("no JSON: ") and NO_VALUE not in reject.reason for reject in whole.rejects)


def _columns(choices: Choices) -> list[dict[str, str]] | None:
    names = [("abcde"[place], choices.of(TYPES), choices.of(POINTERS)) for place in range(choices.number(4))]
    columns = [{"name": name, "type": kind} | ({} if at is None else {"element_at": at}) for name, kind, at in names]
    return columns or None


def values_of(body: bytes) -> list[Any] | None:
    """The values that Python's json sees in a sequence of them, an array's elements if it is alone; None for others."""
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    decoder, values, at = json.JSONDecoder(parse_constant=_refused), [], _after_blank(text, 0)
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            values.append(value)
            at = _after_blank(text, at)
    except (ValueError, RecursionError):
        return None
    if any(_depth(value) > DEEPEST or not _is_text(value) for value in values):
        return None
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _after_blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _refused(word: str) -> None:
    raise ValueError(word)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _is_text(value: Any) -> bool:
    """False for half a surrogate pair, and for a number beyond a double, which cost their row."""
    text = json.dumps(value, ensure_ascii=False)
    return "Infinity" not in text and all(not "\ud800" <= sign <= "\udfff" for sign in text)


def _same(whole: Reading, values: list[Any], *, compared: bool) -> None:
    assert not whole.error, f"{whole.error} for {len(values)} good values"
    assert whole.records == len(values), f"{whole.records} records of {len(values)}"
    if compared:
        rows = [json.loads(eval(row)["record"]) for row in whole.rows]  # noqa: S307  (the repr of a dict of texts)
        assert repr(rows) == repr([value for value in values if isinstance(value, dict)]), "other values"
