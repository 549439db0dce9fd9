"""Where a value in JSON text ends, and where reading can go on after a broken one.

Only brackets and strings are looked at: whether the text between them is JSON is for a parser to say. No string goes
over a line end, since JSON allows none in it: a quote that never closes is found out on its own line.
"""

import re
from functools import cache

import orjson

LEVELS = 8  # of nesting that one regular expression follows; deeper values are followed bracket by bracket
OPEN = -1  # the value may go on after what there is
WRONG = -2  # whatever follows, this is no JSON value
INDENT = 64  # blanks before a value that are told from others
_DEEPEST = 100_000  # levels; no parser follows a hundredth of them
_RUN = 1 << 16  # bytes that are parsed at once
_TRIES = 20  # broken elements of an array that are tried before the rest of it is given up
_PREFIX = 4 << 20  # bytes that are parsed to see whether a value that does not end has gone wrong

_PAIRS = (b"{}", b"[]")
_BLANK = b" \t\r\n"
STRING = rb'"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+"'
_FLAT = rb'[^"{}\[\]]*+'


def _nested(levels: int) -> bytes:
    inner = STRING
    for _ in range(levels):
        nested = rb"[{\[]" + _FLAT + rb"(?:(?:" + inner + rb")" + _FLAT + rb")*+[}\]]"
        inner = STRING + b"|" + nested
    return nested


NESTED = _nested(LEVELS)
_VALUE = re.compile(NESTED)
_BRACKET = re.compile(_FLAT + rb"(?:" + STRING + _FLAT + rb")*+([{}\[\]])")
_BROKEN_STRING = re.compile(
    _FLAT + rb"(?:" + STRING + _FLAT + rb")*+\"[^\"\\\r\n]*+(?:\\[^\r\n][^\"\\\r\n]*+)*+\\?[\r\n]"
)
_ELEMENT = re.compile(rb"(" + NESTED + rb")(?:[ \t\r\n]*+,[ \t\r\n]*+(?=\{))?+")
_SCALAR = re.compile(STRING + rb"|[^\s,:\"{}\[\]]+")
_LINE = re.compile(rb"([^\r\n]*+)\s*+")
_NEXT_ELEMENT = re.compile(rb"[}\]]\s*,\s*(?=\{)")


def end_of(data: bytes, start: int) -> int:
    """The index after the array or object that begins at `start`; OPEN or WRONG if there is none in `data`.

    What follows `data` changes nothing of an index or of WRONG.
    """
    end = _sound_end(data, start)
    return end if end > 0 else tail_end(data, start, b"")


def tail_end(data: bytes, at: int, around: bytes) -> int:
    """The index after the values in which `at` lies, which began with the brackets `around`; or OPEN or WRONG.

    WRONG is said at the first bracket that cannot stand where it does, so that a value that is never closed does
    not take the search through all that follows.
    """
    opened = bytearray(around)
    while match := _BRACKET.match(data, at):
        at = match.end()
        if match[1] in b"}]":
            if opened[-1:] + match[1] not in _PAIRS:
                return WRONG
            opened.pop()
            if not opened:
                return at
            continue
        if opened and data[_significant(data, 0, at - 1)] not in (b":" if opened[-1] == ord("{") else b",["):
            return WRONG
        if len(opened) == _DEEPEST:
            return WRONG
        end = _sound_end(data, at - 1) if 0 < len(opened) < LEVELS else 0
        if end:
            at = end
        else:
            opened += match[1]
    return WRONG if _BROKEN_STRING.match(data, at) else OPEN


def _sound_end(data: bytes, start: int) -> int:
    """The index after a sound value that is not too deep; 0 if it is anything else."""
    match = _VALUE.match(data, start)
    return match.end() if match and is_json(match[0]) else 0


def elements(data: bytes, start: int) -> tuple[list[tuple[int, int]], int]:
    """Where the objects from `start`, elements of one array, begin and end, and how far was looked.

    None are given if any of these is not sound: then they are to be looked at one by one.
    """
    found: list[tuple[int, int]] = []
    at = start
    while at - start < _RUN and data[at : at + 1] == b"{" and (match := _ELEMENT.match(data, at)):
        found.append(match.span(1))
        at = match.end()
    if found and _count(b"[" + data[start : found[-1][1]] + b"]") != len(found):
        return [], at
    return found, at


def _count(array: bytes) -> int:
    try:
        return len(orjson.loads(array))
    except ValueError:
        return -1


def scalar_end(data: bytes, start: int) -> int:
    """The index after the text, number or word that begins at `start`; `start` if there is none."""
    match = _SCALAR.match(data, start)
    return match.end() if match else start


def is_json(text: bytes) -> bool:
    """True if a parser takes it."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def has_gone_wrong(data: bytes, start: int) -> bool:
    """True if what begins at `start`, and does not end in `data`, is the beginning of no JSON value."""
    end = data.rfind(b",", start, start + _PREFIX) + 1  # within no character, number or word
    if end <= start:
        return False
    try:
        orjson.loads(data[start:end])
    except ValueError as error:
        return not str(error).startswith("unexpected end of data")
    return True


def next_line(data: bytes, start: int, end: int, *, final: bool) -> tuple[int, int]:
    """Where, up to `end`, a line begins that hardly belongs to the value from `start`; surely and perhaps, -1: nowhere.

    Such a line begins with a bracket, in column 1 or indented as the value's own first line is. It surely is none of
    the value's if the text before it could not go on with a bracket. It perhaps is none if it is a whole object that
    neither a comma nor a closing bracket follows.
    """
    perhaps = -1
    for match in _lines(_indent(data, start)).finditer(data, start, end):
        before = _significant(data, start, match.start())
        if data[before : before + 1] not in (b",", b":", b"["):
            return match.end(), perhaps
        if perhaps < 0 and _is_whole(data, match.end(), final=final):
            perhaps = match.end()
    return -1, perhaps


def next_element(data: bytes, start: int, *, own_line: bool, final: bool) -> int:
    """Where, after the broken element at `start`, the next object begins that is one; -1: nowhere, or not yet.

    If the element begins its `own_line`, the next one must stand there too, indented as much.
    """
    pattern = _lines(_indent(data, start)) if own_line else _NEXT_ELEMENT
    for tries, match in enumerate(pattern.finditer(data, start), 1):
        end = end_of(data, match.end())
        if end > 0 and is_json(data[match.end() : end]):
            return match.end()
        if tries == _TRIES or (end == OPEN and not final):
            break
    return -1


@cache
def _lines(indent: bytes) -> re.Pattern[bytes]:
    """The beginnings of lines with an opening bracket, in column 1 or indented so."""
    return re.compile(rb"[\r\n](?:" + indent + rb")?(?=[{\[])")


def _indent(data: bytes, start: int) -> bytes:
    """The spaces and tabs right before `start`, if they are not absurdly many."""
    text = data[max(0, start - INDENT) : start]
    indent = text[len(text.rstrip(b" \t")) :]
    return indent if len(indent) < INDENT else b""


def _significant(data: bytes, start: int, end: int) -> int:
    """The index of the last byte before `end` that is not blank."""
    at = end - 1
    while at > start and data[at] in _BLANK:
        at -= 1
    return at


def _is_whole(data: bytes, start: int, *, final: bool) -> bool:
    """True if the line from `start` is an object, and the last thing in whatever it may lie in."""
    match = _LINE.match(data, start)
    assert match is not None
    follows = data[match.end() : match.end() + 1]
    if not follows and not final:
        return False
    return follows not in (b",", b"]", b"}", b":") and data[start : start + 1] == b"{" and is_json(match[1])
