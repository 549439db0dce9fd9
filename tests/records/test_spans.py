"""Reading goes on in the middle of an object, and in parts of it, as if it was read in one go (P8, W7)."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chalicelib.config.columns import Column
from chalicelib.config.formats import Parser
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.core.places import Span
from chalicelib.errors import DataError
from chalicelib.records.pages import Reject
from tests.records.reading import columns, csv, json
from tests.records.spans import IN_PARTS, PACKED, Found, read_span

STRAY = "ACCEPT_STRAY_QUOTES_ASSUMING_NO_DELIMITERS_IN_FIELDS"
AB = columns(a="long", b="string")
DIALECTS: list[dict[str, Any]] = [
    {},
    {"quote": None},
    {"escape": "\\"},
    {"delimiter": ",;", "skip_header_lines": 2},
    {"comment_line_marker": ";", "columns": AB, "skip_header_lines": 0},
    {"quotes_in_quoted_fields": STRAY, "columns": AB, "skip_header_lines": 1},
    {"line_delimiter_recognized": "CR"},
    {"line_delimiter_recognized": "CRLF", "escape": "\\"},
    {"charset": "latin-1"},
    {"charset": "cp037"},
    {"columns": AB, "columns_by": "name", "allow_optional_columns": True, "charset": "cp1252"},
]
PARSERS = [csv(**dialect) for dialect in DIALECTS]
COUNTED = csv(charset="utf-16-le")
FIXED = FixedWidth.model_validate(
    {
        "type": "fixed_width",
        "columns": [{"name": "a", "type": "long", "width": 2}, {"name": "b", "type": "string", "width": 3}],
    }
)

values = st.text(alphabet='1a;"\\é', max_size=4)
lines = st.one_of(
    st.builds("{},{}".format, st.integers(0, 99), values),
    st.builds('{},"{}"'.format, st.integers(0, 99), st.text(alphabet="1a,;\r\n", max_size=5)),
    st.text(alphabet='1,;a"\\', max_size=5),
)
ends = st.sampled_from(["\n", "\n", "\r\n", "\r"])
rows = st.lists(st.builds("{}{}".format, lines, ends), max_size=25).map("".join)
objects = st.lists(
    st.one_of(
        st.builds('{{"a":{},"b":"{}"}}\n'.format, st.integers(0, 9), st.text(alphabet="x{}[]é", max_size=4)),
        st.builds('{{\n "a": {},\n "b": {{\n}}\n}}\r\n'.format, st.integers(0, 9)),
        st.sampled_from(["\n", "{}\n", '{"a":"x"}\n', '{"a":1} {"a":2}\n', '{"a":1\n', "x\n", "}\n", "[]\n"]),
        st.just('[{"a":1},\n{"a":2}\n,{"a":3}]\n'),
    ),
    max_size=20,
).map("".join)
blocks = st.sampled_from([8, 17, 40, 1 << 20])


def text_of(parser: Parser, text: str) -> bytes:
    charset = getattr(parser, "charset", "UTF-8")
    return ("a,b\n" + text).encode(charset, "replace") if parser.type == "csv" else text.encode()


def columns_of(parser: Parser) -> tuple[Column, ...]:
    return parser.columns if parser.type == "fixed_width" else AB  # type: ignore[union-attr, return-value]


@st.composite
def packed_objects(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(PACKED)) -> tuple[Parser, bytes]:
    kind = draw(st.sampled_from(kinds))
    parser: Parser = draw(
        st.sampled_from([*PARSERS, *([COUNTED] if kinds != IN_PARTS else []), FIXED, json(columns=AB)])
    )
    text = draw(objects if parser.type == "json" else rows)
    return parser, PACKED[kind](text_of(parser, text), draw(st.sampled_from([7, 30, 1000])))


def whole_of(data: bytes, parser: Parser, block: int) -> Found:
    try:
        return read_span(data, parser, columns_of(parser), block=block)
    except DataError:
        assume(False)
        raise


@settings(max_examples=80, deadline=None)
@given(packed_objects(), blocks)
def test_reading_goes_on_at_any_place_as_if_it_never_stopped(packed: tuple[Parser, bytes], block: int) -> None:
    parser, data = packed
    whole = whole_of(data, parser, block)
    for place, rows_before, rejects_before in whole.ends:
        rest = read_span(data, parser, columns_of(parser), Span(after=place), block=block)
        assert rest.rows == whole.rows[rows_before:]
        assert rest.rejects == whole.rejects[rejects_before:]
        if not place.is_counted:
            assert rest.begin is not None
            assert rest.begin.spot == place.spot
            assert (rest.begin.line, rest.begin.base) == (place.line, place.base)


def spans(cuts: list[int]) -> list[Span]:
    return [Span(start, end) for start, end in zip([0, *cuts], [*cuts, None], strict=True)]


def parts(data: bytes, parser: Parser, cuts: list[int], block: int) -> list[Found] | None:
    """What was read of each part; None if they do not fit together."""
    try:
        found = [read_span(data, parser, columns_of(parser), span, block=block) for span in spans(cuts)]
    except DataError:
        return None
    fits = all(one.end.spot == other.begin.spot for one, other in pairwise(found) if other.begin is not None)
    return found if fits else None


def placeless(rejects: list[Reject]) -> list[Reject]:
    return [replace(reject, line=None, record=0, offset=None) for reject in rejects]


@settings(max_examples=120, deadline=None)
@given(packed_objects(IN_PARTS), st.lists(st.floats(0, 1), min_size=1, max_size=4), blocks)
@example((csv(), b'a,b\n1,"x\n2,y\n3"\n4,z\n'), [0.4], 8)
def test_parts_that_fit_together_are_the_whole(packed: tuple[Parser, bytes], at: list[float], block: int) -> None:
    parser, data = packed
    cuts = sorted({int(each * (len(data) - 1)) for each in at} - {0, -1})
    whole = whole_of(data, parser, block)
    found = parts(data, parser, cuts, block)
    if found is None:
        return
    assert [row for part in found for row in part.rows] == whole.rows
    rejects = [reject for part in found for reject in part.rejects]
    assert placeless(rejects) == placeless(whole.rejects)
    for span, part in zip(spans(cuts), found, strict=True) if cuts else ():
        place, rows_before, rejects_before = part.ends[len(part.ends) // 2]
        rest = read_span(data, parser, columns_of(parser), replace(span, after=place), block=block)
        assert (rest.rows, rest.rejects) == (part.rows[rows_before:], part.rejects[rejects_before:])
        assert rest.end == part.end
    if data[:2] not in (b"BZ", b"(\xb5"):
        assert [reject.offset for reject in rejects] == [reject.offset for reject in whole.rejects]


plain_rows = st.lists(
    st.builds("{},{}\n".format, st.integers(0, 99), st.text(alphabet="1a;é", max_size=4)), max_size=25
)


@settings(max_examples=50, deadline=None)
@given(
    plain_rows.map("".join),
    st.sampled_from([*PARSERS[:2], *PARSERS[8:10], FIXED]),
    st.sampled_from(["plain", "bzip2", "zstd"]),
    st.integers(1, 40),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    blocks,
)
def test_parts_of_text_without_lines_in_quotes_always_fit(
    text: str, parser: Parser, kind: str, size: int, at: list[float], block: int
) -> None:
    data = PACKED[kind](text_of(parser, text), size)
    cuts = sorted({int(each * (len(data) - 1)) for each in at} - {0, -1})
    found = parts(data, parser, cuts, block)
    assert found is not None
    whole = read_span(data, parser, columns_of(parser))
    assert [row for part in found for row in part.rows] == whole.rows
