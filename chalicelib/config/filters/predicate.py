"""Predicate: a condition on a row, as `where` has it: text in, a frozen tree out.

    condition  = conjunction { or conjunction }
    conjunction = negation { and negation }
    negation   = not negation | ( condition ) | comparison
    comparison = operand [ (= | != | <> | < | <= | > | >=) operand
                         | is [not] null
                         | [not] in ( literal {, literal} )
                         | [not] between operand and operand
                         | [not] like 'pattern'
                         | [not] matches 'RE2' ]
    operand    = column | "column" | number | 'text' | true | false | timestamp '…' | date '…' | time '…'

Words are taken in any case. A quote within quotes is written twice. An operand alone is a boolean column.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from chalicelib.config.patterns import short, valid

MAX_DEPTH = 50  # parentheses and nots within each other

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])"
    r"|'(?P<text>(?:[^']|'')*)'"
    r'|"(?P<quoted>(?:[^"]|"")+)"'
    r"|(?P<word>[^\W\d]\w*(?:\.\w+)*)"
    r"|(?P<sign><=|>=|<>|!=|[=<>(),]))"
)
_WORDS = frozenset(["and", "or", "not", "in", "is", "null", "between", "like", "matches", "true", "false"])
_TEMPORAL = frozenset({"timestamp", "date", "time"})
_OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; `kind` is number, text, boolean, timestamp, date or time."""

    kind: str
    text: str


Operand = Name | Literal


@dataclass(frozen=True, slots=True)
class Compare:
    """One of = != < <= > >= between two operands."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class IsNull:
    """True where there is no value."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class In:
    """Equal to one of the values."""

    operand: Operand
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """Text with % for any characters and _ for one; a backslash takes that meaning away."""

    operand: Operand
    pattern: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Text in which the RE2 pattern is found, anywhere unless it says ^ and $."""

    operand: Operand
    pattern: str


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean by itself."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """True becomes false, false true; unknown stays."""

    inner: "Predicate"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: "tuple[Predicate, ...]"


Predicate = Compare | IsNull | In | Like | Matches | Truth | Not | And | Or


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, quoted, word, sign; end
    text: str
    place: int  # in the condition, from 1


def parse(condition: str) -> Predicate:
    """The condition as a tree. Raises ValueError that says where it cannot be understood."""
    parser = _Parser(_tokens(condition))
    found = parser.condition(0)
    if parser.here.kind != "end":
        parser.fail("and, or, or the end")
    return found


def _tokens(condition: str) -> list[_Token]:
    tokens, place, end = [], 0, len(condition.rstrip())
    while place < end:
        match = _TOKEN.match(condition, place)
        if match is None:
            rest = condition[place:].lstrip()
            raise ValueError(f"{_brief(rest)!r} cannot be understood, at character {end - len(rest.rstrip()) + 1}")
        kind = str(match.lastgroup)
        text = match[kind].replace("''", "'") if kind == "text" else match[kind]
        tokens.append(_Token(kind, text.replace('""', '"') if kind == "quoted" else text, match.end() - _width(match)))
        place = match.end()
    return [*tokens, _Token("end", "the end", end + 1)]


def _width(match: re.Match[str]) -> int:
    return len(match[0].lstrip()) - 1


def _brief(text: str) -> str:
    return text if len(text) <= 20 else text[:20] + "…"


@dataclass(slots=True)
class _Parser:
    tokens: list[_Token]
    at: int = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, wanted: str) -> NoReturn:
        token = self.here
        found = "it ends" if token.kind == "end" else f"{_brief(token.text)!r} stands there"
        raise ValueError(f"{wanted} is needed at character {token.place}, where {found}")

    def word(self, *words: str) -> bool:
        """Step over these words if they come next."""
        following = self.tokens[self.at : self.at + len(words)]
        if [(t.kind, t.text.lower()) for t in following] != [("word", word) for word in words]:
            return False
        self.at += len(words)
        return True

    def sign(self, sign: str, *, needed: bool = False) -> bool:
        """Step over this sign if it comes next."""
        if (self.here.kind, self.here.text) == ("sign", sign):
            self.at += 1
            return True
        return self.fail(repr(sign)) if needed else False

    def condition(self, depth: int) -> Predicate:
        if depth > MAX_DEPTH:
            raise ValueError(f"parentheses and nots lie deeper than {MAX_DEPTH}")
        parts = [self.conjunction(depth)]
        while self.word("or"):
            parts.append(self.conjunction(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self, depth: int) -> Predicate:
        parts = [self.negation(depth)]
        while self.word("and"):
            parts.append(self.negation(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negation(self, depth: int) -> Predicate:
        if self.word("not"):
            if depth >= MAX_DEPTH:
                raise ValueError(f"parentheses and nots lie deeper than {MAX_DEPTH}")
            return Not(self.negation(depth + 1))
        if self.sign("("):
            inner = self.condition(depth + 1)
            self.sign(")", needed=True)
            return inner
        return self.comparison()

    def comparison(self) -> Predicate:
        left = self.operand()
        if self.here.kind == "sign" and self.here.text in _OPERATORS:
            operator = _OPERATORS[self.here.text]
            self.at += 1
            return Compare(operator, left, self.operand())
        if self.word("is", "not", "null"):
            return Not(IsNull(left))
        if self.word("is", "null"):
            return IsNull(left)
        negated = self.word("not")
        found = self.test(left)
        if found is None and negated:
            self.fail("in, between, like or matches")
        if found is None:
            return Truth(left)
        return Not(found) if negated else found

    def test(self, left: Operand) -> Predicate | None:
        if self.word("in"):
            return In(left, self.literals())
        if self.word("between"):
            low = self.operand()
            if not self.word("and"):
                self.fail("and")
            return And((Compare(">=", left, low), Compare("<=", left, self.operand())))
        if self.word("like"):
            return Like(left, short(self.pattern()))
        if self.word("matches"):
            return Matches(left, str(valid(self.pattern())))
        return None

    def literals(self) -> tuple[Literal, ...]:
        self.sign("(", needed=True)
        values = [self.literal()]
        while self.sign(","):
            values.append(self.literal())
        self.sign(")", needed=True)
        return tuple(values)

    def literal(self) -> Literal:
        place = self.at
        operand = self.operand()
        if isinstance(operand, Name):
            self.at = place
            self.fail("a number, a 'text', true, false, timestamp '…' or date '…'")
        return operand

    def pattern(self) -> str:
        if self.here.kind != "text":
            self.fail("a 'text'")
        self.at += 1
        return self.tokens[self.at - 1].text

    def operand(self) -> Operand:
        token = self.here
        word = token.text.lower() if token.kind == "word" else ""
        if token.kind in ("end", "sign") or (word in _WORDS and word not in ("true", "false")):
            hint = " (of NULL say: is null)" if word == "null" else ""
            self.fail(f"a column or a value{hint}")
        self.at += 1
        if word in _TEMPORAL and self.here.kind == "text":
            return Literal(word, self.pattern())
        if word in ("true", "false"):
            return Literal("boolean", word)
        if token.kind in ("number", "text"):
            return Literal(token.kind, token.text)
        return Name(token.text)
