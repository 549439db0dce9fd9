"""How times are written: strptime's directives, Java's letters, or a count since 1970, as one grammar of parts.

A format becomes an RE2 pattern with a named group for each part; records.types.timestamps makes values of the groups.
So what a format means is said here once, and a faulty one is refused when the pipeline is applied (F68).

strptime knows the directives of Ruby, as Embulk's documents write them; the whole text must match, only spaces
around it mean nothing, and no part is optional. White space stands for one or more white space characters. Numbers
of two digits may have one (`5/1/2024` is `%m/%d/%Y`), unless they touch another number: `%Y%m%d` is eight digits.
Names of months and days are English, short or long, in any case; names of days are not compared with the date.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

ISO = "iso8601"
MAX_LENGTH = 200  # characters of a format
MAX_DIGITS = 18  # of a fraction, of which six are kept
_EPOCHS = {"epoch_s": 1, "epoch_ms": 1000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}


class Part(StrEnum):
    """What a piece of a text says of a time; the name of its group in the pattern."""

    YEAR = "year"
    SHORT_YEAR = "short_year"  # 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068
    MONTH = "month"
    MONTH_NAME = "month_name"
    DAY = "day"
    YEAR_DAY = "year_day"
    HOUR = "hour"
    HOUR_12 = "hour_12"
    HALF = "half"  # am or pm
    MINUTE = "minute"
    SECOND = "second"
    FRACTION = "fraction"
    ZONE = "zone"
    EPOCH = "epoch"


DATE = frozenset({Part.YEAR, Part.SHORT_YEAR, Part.MONTH, Part.MONTH_NAME, Part.DAY, Part.YEAR_DAY})
TIME = frozenset({Part.HOUR, Part.HOUR_12, Part.HALF, Part.MINUTE, Part.SECOND, Part.FRACTION})
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_LOOSE = {
    Part.YEAR: "[0-9]{4}",
    Part.SHORT_YEAR: "[0-9]{2}",
    Part.MONTH: "1[0-2]|0?[1-9]",
    Part.DAY: "3[01]|[12][0-9]|0?[1-9]",
    Part.YEAR_DAY: "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0?[1-9][0-9]|0{0,2}[1-9]",
    Part.HOUR: "2[0-3]|[01]?[0-9]",
    Part.HOUR_12: "1[0-2]|0?[1-9]",
    Part.MINUTE: "[0-5]?[0-9]",
    Part.SECOND: "[0-5]?[0-9]",
    Part.FRACTION: "[0-9]{1,9}",
    Part.EPOCH: "-?[0-9]{1,30}",
}
_FULL = _LOOSE | {  # beside another number, where only the count of digits tells them apart
    Part.MONTH: "1[0-2]|0[1-9]",
    Part.DAY: "3[01]|[12][0-9]|0[1-9]",
    Part.YEAR_DAY: "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0[1-9][0-9]|00[1-9]",
    Part.HOUR: "2[0-3]|[01][0-9]",
    Part.HOUR_12: "1[0-2]|0[1-9]",
    Part.MINUTE: "[0-5][0-9]",
    Part.SECOND: "[0-5][0-9]",
}
_OFFSET = "[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"
_WORDS = {
    Part.MONTH_NAME: "(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sep(?:tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)",
    Part.HALF: r"(?i:[ap]\.?m\.?)",
    Part.ZONE: f"(?i:UTC|GMT|UT|Z)|{_OFFSET}",
}
_WEEKDAY = "(?i:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_SPACE = r"[ \t\n\r\f\v]"
_ISO_TIME = (
    r"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
)
_ISO_DATE = r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
_ISO_MOMENT = (
    rf"{_ISO_DATE}"
    r"(?:[ T](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    rf"(?: ?(?P<zone>UTC|GMT|Z|{_OFFSET}))?)?"
)
_ONE_OF = (  # each says the same, so a format may have one of them
    {Part.YEAR, Part.SHORT_YEAR},
    {Part.MONTH, Part.MONTH_NAME, Part.YEAR_DAY},
    {Part.DAY, Part.YEAR_DAY},
    {Part.HOUR, Part.HOUR_12},
)

_DIRECTIVES = {
    "Y": Part.YEAR,
    "y": Part.SHORT_YEAR,
    "m": Part.MONTH,
    "b": Part.MONTH_NAME,
    "B": Part.MONTH_NAME,
    "h": Part.MONTH_NAME,
    "d": Part.DAY,
    "e": Part.DAY,
    "j": Part.YEAR_DAY,
    "H": Part.HOUR,
    "k": Part.HOUR,
    "I": Part.HOUR_12,
    "l": Part.HOUR_12,
    "p": Part.HALF,
    "P": Part.HALF,
    "M": Part.MINUTE,
    "S": Part.SECOND,
    "N": Part.FRACTION,
    "L": Part.FRACTION,
    "f": Part.FRACTION,
    "z": Part.ZONE,
    "Z": Part.ZONE,
    "s": Part.EPOCH,
    "Q": Part.EPOCH,  # in milliseconds
}
_SHORTHANDS = {
    "F": "%Y-%m-%d",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "R": "%H:%M",
    "r": "%I:%M:%S %p",
    "D": "%m/%d/%y",
    "n": " ",
    "t": " ",
}
_STRPTIME = re.compile(r"%(?:-?([A-Za-z])|([369])([NL])|:(z)|(%))|%|[^%]+")
_JAVA = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")
_JAVA_LETTERS = {
    "d": Part.DAY,
    "D": Part.YEAR_DAY,
    "H": Part.HOUR,
    "h": Part.HOUR_12,
    "a": Part.HALF,
    "m": Part.MINUTE,
    "s": Part.SECOND,
    "X": Part.ZONE,
    "x": Part.ZONE,
    "Z": Part.ZONE,
    "z": Part.ZONE,
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part, or a text that says nothing (`part` is None)."""

    part: Part | None
    text: str = ""  # a literal
    digits: int = 0  # of a fraction; 0: any
    ticks: int = 1  # of an epoch in a second
    weekday: bool = False

    @property
    def begins_with_a_digit(self) -> bool:
        return self.part in _LOOSE if self.part else self.text[:1].isdigit()

    @property
    def ends_with_a_digit(self) -> bool:
        return self.part in _LOOSE if self.part else self.text[-1:].isdigit()


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How one column's times are written."""

    parts: frozenset[Part]
    pattern: str  # of RE2, for the whole text; a group for each part
    ticks: int = 1  # of EPOCH in a second
    optional: bool = False  # groups may be empty

    @property
    def numeric(self) -> bool:
        """True for a count since 1970, which a number can say as well as a text."""
        return Part.EPOCH in self.parts


_ISO_CLOCK = frozenset({Part.HOUR, Part.MINUTE, Part.SECOND, Part.FRACTION})
ISO_MOMENT = TimeFormat(
    _ISO_CLOCK | {Part.YEAR, Part.MONTH, Part.DAY, Part.ZONE}, rf"^[ \t]*{_ISO_MOMENT}[ \t]*$", optional=True
)
ISO_SECONDS = (
    r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    rf"(?:[.,][0-9]{{1,9}})?(?: ?(?:UTC|GMT|Z|{_OFFSET}))?$"
)  # those that ISO_MOMENT reads whose first 19 characters are all but a fraction and a zone
ISO_END = TimeFormat(
    frozenset({Part.FRACTION, Part.ZONE}),
    rf"^(?:[.,](?P<fraction>[0-9]{{1,9}}))? ?(?P<zone>UTC|GMT|Z|{_OFFSET})?$",
    optional=True,
)
ISO_DATE = TimeFormat(frozenset({Part.YEAR, Part.MONTH, Part.DAY}), rf"^[ \t]*{_ISO_DATE}[ \t]*$")
ISO_TIME = TimeFormat(_ISO_CLOCK, rf"^[ \t]*{_ISO_TIME}[ \t]*$", optional=True)


@lru_cache(maxsize=256)
def time_format(text: str) -> TimeFormat:
    """What the format means; of `iso8601` the most common forms of it.

    Raises ValueError for what is no format, with what may be written instead.
    """
    if text == ISO:
        return ISO_MOMENT
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the format has {len(text)} characters; at most {MAX_LENGTH} are taken")
    if text in _EPOCHS:
        ticks = _EPOCHS[text]
        fraction = r"(?:\.(?P<fraction>[0-9]{1,9}))?" if ticks == 1 else ""
        parts = {Part.EPOCH, *({Part.FRACTION} if fraction else ())}
        pattern = rf"^[ \t]*(?P<epoch>{_LOOSE[Part.EPOCH]}){fraction}[ \t]*$"
        return TimeFormat(frozenset(parts), pattern, ticks=ticks, optional=bool(fraction))
    if text.startswith("java:"):
        pieces = list(_java(text.removeprefix("java:")))
    else:
        pieces = list(_strptime(text.removeprefix("ruby:"), text))
    _check(pieces, text)
    if any(piece.digits > MAX_DIGITS for piece in pieces):
        raise ValueError(f"{text!r} has a fraction of more than {MAX_DIGITS} digits; at most as many are read")
    return _compiled(pieces)


def _strptime(layout: str, text: str) -> Iterator[_Piece]:
    for found in _STRPTIME.finditer(layout):
        letter, digits, fraction, zone, percent = found.groups()
        if letter in _SHORTHANDS:
            yield from _strptime(_SHORTHANDS[letter], text)
        elif letter in ("a", "A"):
            yield _Piece(None, weekday=True)
        elif letter in ("e", "k", "l"):
            yield _Piece(None, "\0")  # they may have a space for a zero
            yield _Piece(_DIRECTIVES[letter])
        elif letter == "Q":
            yield _Piece(Part.EPOCH, ticks=1000)
        elif letter in _DIRECTIVES or zone:
            yield _Piece(_DIRECTIVES[letter or zone])
        elif fraction:
            yield _Piece(Part.FRACTION, digits=int(digits))
        elif percent:
            yield _Piece(None, "%")
        elif found[0].startswith("%"):
            wrong = layout[found.start() : found.start() + 2]
            raise ValueError(f"{text!r} is no format: {wrong} means nothing here; known are {_known()}")
        else:
            yield _Piece(None, found[0])


def _java(pattern: str) -> Iterator[_Piece]:
    """The common letters of Java's DateTimeFormatter."""
    for found in _JAVA.finditer(pattern):
        quoted, letter = found.groups()
        count = len(found[0])
        if quoted is not None:
            yield _Piece(None, quoted.replace("''", "'") or "'")
        elif letter is None:
            if set(found[0]) & set("[]{}#'"):
                raise ValueError(
                    f"java:{pattern} has {found[0].strip()!r}; optional parts are not read, write one format"
                )
            yield _Piece(None, found[0])
        elif letter in "yu":
            yield _Piece(Part.SHORT_YEAR if count == 2 else Part.YEAR)
        elif letter in "ML":
            yield _Piece(Part.MONTH if count <= 2 else Part.MONTH_NAME)
        elif letter == "S":
            yield _Piece(Part.FRACTION, digits=count)
        elif letter == "E":
            yield _Piece(None, weekday=True)
        elif letter in _JAVA_LETTERS:
            yield _Piece(_JAVA_LETTERS[letter])
        else:
            raise ValueError(f"java:{pattern} has {found[0]!r}, which is not read; write strptime's, like %Y-%m-%d")


def _known() -> str:
    return " ".join(f"%{letter}" for letter in sorted({*_DIRECTIVES, *_SHORTHANDS, "a", "A"}, key=str.lower))


def _check(pieces: list[_Piece], text: str) -> None:
    """Raises ValueError for a format that cannot say a time, or says a part of it twice."""
    parts = [piece.part for piece in pieces if piece.part]
    if not parts:
        raise ValueError(
            f"{text!r} is no format: write iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, or like %Y-%m-%d"
        )
    for same in (*({part} for part in Part), *_ONE_OF):
        if sum(part in same for part in parts) > 1:
            raise ValueError(f"{text!r} says twice what the {' or '.join(sorted(same))} is")
    if Part.EPOCH in parts and not set(parts) <= {Part.EPOCH, Part.FRACTION}:
        raise ValueError(f"{text!r} counts from 1970 and has other parts as well; one of them is enough")
    if (Part.HOUR_12 in parts) != (Part.HALF in parts):
        raise ValueError(f"{text!r}: an hour of twelve and am or pm (%I and %p) need each other; %H goes without")
    if Part.FRACTION in parts and not {Part.SECOND, Part.EPOCH} & set(parts):
        raise ValueError(f"{text!r} has a fraction, but not of a second")


def _compiled(pieces: list[_Piece]) -> TimeFormat:
    pattern = ""
    for before, piece, after in zip([None, *pieces], pieces, [*pieces[1:], None], strict=False):
        if piece.part is None:
            pattern += _literal(piece)
            continue
        touching = (before is not None and before.ends_with_a_digit) or (
            after is not None and after.begins_with_a_digit
        )
        forms = _WORDS.get(piece.part) or (_FULL if touching else _LOOSE)[piece.part]
        forms = f"[0-9]{{{piece.digits}}}" if piece.digits else forms
        pattern += f"(?P<{piece.part}>{forms})"
    known = frozenset(piece.part for piece in pieces if piece.part)
    return TimeFormat(known, rf"^[ \t]*{pattern}[ \t]*$", ticks=max(piece.ticks for piece in pieces))


def _literal(piece: _Piece) -> str:
    if piece.weekday:
        return _WEEKDAY
    if piece.text == "\0":
        return " ?"
    words = re.split(r"\s+", piece.text)
    return f"{_SPACE}+".join(re.escape(word) for word in words)
