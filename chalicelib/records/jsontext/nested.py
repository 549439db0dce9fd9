"""Values of json columns, cut out of the text before Arrow reads it and put back as their compact JSON texts."""

import re
from collections.abc import Callable, Iterable
from functools import cache, partial

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import re2

from chalicelib.records.jsontext.scan import LEVELS, NESTED, STRING
from chalicelib.records.jsontext.shapes import Shapes

INEXACT = rb"[0-9]{20}|NaN|Infinity"  # orjson makes floats of integers beyond 64 bits, and refuses NaN
_INEXACT = re2.compile(INEXACT)


def _brackets(levels: int) -> bytes:
    inner = rb"[{\[]" + _FLAT + rb"[}\]]"
    for _ in range(levels - 1):
        inner = rb"[{\[]" + _FLAT + rb"(?:" + inner + _FLAT + rb")*+[}\]]"
    return inner


_FLAT = rb"[^{}\[\]]*+"  # brackets in strings are not told from others: what is cut must be read to be believed
_OUTERMOST = re.compile(rb":[ \t]?(" + _brackets(LEVELS) + rb")")  # a search leaps from one : to the next
_VALUE = rb"(" + STRING + rb"|" + NESTED + rb"|-?[0-9][-+.eE0-9]*+|true|false)"
_MARK = "\x01"  # begins every text that was put here, and no JSON text that stood there
_MOST = 1 << 16  # values that are cut out of a text: their marks take 4 MB, and are kept
_END = "\x02"  # follows each value where all are written at once
_END_TEXT = b',"\\u0002",'


class NotPlain(Exception):
    """Some value needs to be read with care."""


class Cut:
    """Sound text if the text was sound, in which each value that was cut out is a string: a mark and its number.

    The marks tell whether a value was cut out where one was wanted: whatever else is cut out does no harm. A cut that
    does not begin where a value does leaves text behind that no parser takes.
    """

    def __init__(self, data: bytes, values: list[bytes] | None = None) -> None:
        self.data = data
        self._values = values or []
        self._texts: pa.StringArray | None = None

    def put_back(self, marks: pa.StringArray, shapes: Shapes) -> pa.StringArray:
        """The JSON texts for the marks. Raises NotPlain if something else stands there, or a text is no plain JSON."""
        if not pc.all(pc.starts_with(marks, _MARK), min_count=0).as_py():
            raise NotPlain
        if self._texts is None:
            texts = self._values if shapes.know(self._values) else _compact(self._values, shapes)
            self._texts = pa.array(texts, pa.binary()).view(pa.string())  # seen to be UTF-8 before it was cut
        return self._texts.take(pc.utf8_slice_codeunits(marks, 1).cast(pa.int32()))

    def look(self, texts: pa.StringArray) -> None:
        """Raises NotPlain if a mark stands among texts that are none."""
        if self._values and pc.any(pc.starts_with(texts, _MARK)).as_py():
            raise NotPlain


Cutter = Callable[[bytes], Cut]


def at_keys(keys: Iterable[str]) -> Cutter:
    """Cuts out the values of these keys, at any depth."""
    names = b"|".join(re.escape(orjson.dumps(key)) for key in sorted(keys))
    return partial(_cut, re.compile(rb"((?:" + names + rb")\s*+:\s*+)" + _VALUE), b"")


def outermost(data: bytes) -> Cut:
    """Cuts out each array and object that is a value in a record, and in no value of it."""
    return _cut(_OUTERMOST, b":", data)


def _cut(pattern: re.Pattern[bytes], lead: bytes, data: bytes) -> Cut:
    """Cuts out the last group, and loses `lead`. Raises NotPlain if marks stand there already, or too many would."""
    if b"\\" in data and b"\\u0001" in data:
        raise NotPlain
    parts = pattern.split(data)
    numbered = slice(pattern.groups, None, pattern.groups + 1)
    values = parts[numbered]
    if len(values) >= _MOST:
        raise NotPlain
    parts[numbered] = _marks(lead, len(values).bit_length())[: len(values)]
    return Cut(b"".join(parts), values)


@cache
def _marks(lead: bytes, bits: int) -> list[bytes]:
    """As many marks as there are numbers of so many bits; made once, since to make them takes as long as to cut."""
    return [b'%s"\\u0001%d"' % (lead, number) for number in range(1 << bits)]


def _compact(values: list[bytes], shapes: Shapes) -> list[bytes]:
    """Compact texts. Raises NotPlain if one is no JSON, or is to be written with care."""
    together = b",".join(values)
    if _INEXACT.search(together):
        raise NotPlain
    try:
        parsed = [orjson.loads(value) for value in values]
        shapes.learn(parsed)
        if orjson.dumps(parsed) == b"[%s]" % together:
            return values
        texts = orjson.dumps([part for value in parsed for part in (value, _END)])  # in one go: a fifth of the time
    except (ValueError, TypeError):  # TypeError: more than 254 levels
        raise NotPlain from None
    compact = (texts[1:-1] + b",").split(_END_TEXT)[:-1]
    if len(compact) != len(values):
        raise NotPlain
    return compact
