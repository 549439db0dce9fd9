"""Escapes that JSON does not know (F69, E40)."""

import json as stdlib_json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ParseError
from chalicelib.records.jsontext.escapes import Mended
from tests.records.bodies import Trickle
from tests.records.reading import json, read


def mended(data: bytes, mode: str, *, step: int = 1 << 20) -> bytes:
    body = Mended(Trickle(data, step), mode)
    return b"".join(iter(lambda: body.read(step), b""))


@pytest.mark.parametrize(
    "mode, text",
    [("PASSTHROUGH", None), ("SKIP", "\t|/|||é"), ("UNESCAPE", "\t|/|a|u12|ué")],
)
def test_an_escape_that_json_does_not_know_costs_its_record_or_is_mended(mode, text):
    data = b'{"v":"\\t|\\/|\\a|\\u12|\\u\\u00e9"}\n{"v":"\\\\a"}\n'
    parser = json(columns=[{"name": "v", "type": "string"}], invalid_string_escapes=mode)
    result = read(data, parser)
    if text is None:
        assert (result.tuples, len(result.rejects)) == ([("\\a",)], 1)
    else:
        expected = text if mode == "UNESCAPE" else "\t|/||12|é"
        assert (result.tuples, result.rejects) == ([(expected,), ("\\a",)], [])


def test_only_strings_are_mended():
    data = b'{"v":\\a1}\n\\x "\\x" \\x\n{"v":"\\\xc3\xa9"}'
    assert mended(data, "UNESCAPE") == b'{"v":\\a1}\n\\x "x" \\x\n{"v":"\xc3\xa9"}'
    assert mended(data, "SKIP") == b'{"v":\\a1}\n\\x "" \\x\n{"v":""}'


def test_a_quote_that_is_never_closed_ends_with_its_line():
    assert mended(b'{"v":"\\a\n\\x "\\a"', "UNESCAPE") == b'{"v":"a\n\\x "a"'


def test_offsets_of_mended_text_are_not_told():
    parser = json(columns=[{"name": "v", "type": "string"}], invalid_string_escapes="SKIP")
    assert [(reject.line, reject.offset) for reject in read(b'{"v":"\\a"}\noops\n', parser).rejects] == [(2, None)]


def test_a_string_that_never_ends_sets_the_object_aside():
    body = Mended(Trickle(b'"' + b"x" * (1 << 14), 512), "SKIP", longest=1 << 12)
    with pytest.raises(ParseError, match="longer than"):
        while body.read(512):
            pass


@given(
    parts=st.lists(st.sampled_from(['"', "\\", "\\\\", "\\a", "\\u00e9", "\\u12", "\n", "é", "{", " "])),
    step=st.integers(1, 9),
)
def test_what_is_mended_does_not_depend_on_where_the_stream_is_cut(parts, step):
    data = "".join(parts).encode()
    for mode in ("SKIP", "UNESCAPE"):
        assert mended(data, mode, step=step) == mended(data, mode)


@given(value=st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_what_is_sound_is_not_touched(value):
    data = stdlib_json.dumps(value).encode()
    assert mended(data, "SKIP", step=7) == mended(data, "UNESCAPE") == data
