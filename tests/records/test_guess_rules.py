"""Rules of guessing: what was written is read back, whatever it was written with; nothing makes it fall over."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.errors import ConfigError, DataError
from chalicelib.records.proposals.proposal import Sample
from chalicelib.records.proposals.propose import propose
from tests.records.guessing import guessed, loaded, said, samples

DELIMITERS = [",", "\t", ";", "|", "\x01", "||", "::", "|~|", "~", "^"]
words = st.text("abcdefghijklmnopqrstuvwxyzéü", min_size=2, max_size=8)
VALUES = {
    "number": st.integers(0, 10**6).map(str),
    "amount": st.decimals(0, 1000, places=2, allow_nan=False).map(str),
    "word": words,
    "day": st.dates().filter(lambda day: day.year > 1900).map(str),
    "phrase": st.lists(words, min_size=2, max_size=4).map(" ".join),
    "spoken": st.lists(words, min_size=2, max_size=3).map(', "'.join),
    "lines": st.lists(words, min_size=2, max_size=3).map("\n".join),
    "maybe": st.just("") | words,
}


@dataclass(frozen=True)
class Written:
    """A table, and one of the ways to write it."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str
    quote: str
    every: bool  # all values are quoted
    end: str

    @property
    def text(self) -> str:
        return "".join(self.delimiter.join(map(self._field, row)) + self.end for row in (self.names, *self.rows))

    def _field(self, value: str) -> str:
        special = (self.delimiter[0], self.quote, "\n", "\r")
        if not self.every and not any(sign in value for sign in special):
            return value
        return self.quote + value.replace(self.quote, self.quote * 2) + self.quote


@st.composite
def tables(draw: st.DrawFn) -> Written:
    kinds = ["number", *draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))]
    names = tuple(f"{kind} {position}" for position, kind in enumerate(kinds))
    rows = draw(st.lists(st.tuples(*(VALUES[kind] for kind in kinds)), min_size=4, max_size=12))
    quote = draw(st.sampled_from(['"', '"', "'"]))
    every = quote == "'" or draw(st.booleans())  # what nothing is quoted with cannot be told
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return Written(names, tuple(rows), draw(st.sampled_from(DELIMITERS)), quote, every, end)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_a_table_is_read_back_whatever_it_was_written_with(table: Written) -> None:
    found = loaded(table.text, guessed(table.text, all_strings=True))
    assert tuple(column.name for column in found.columns) == table.names
    assert [tuple(value or "" for value in row) for row in found.tuples] == list(table.rows)
    assert found.rejects == []


@settings(max_examples=40, deadline=None)
@given(tables())
def test_by_its_types_every_sampled_row_loads(table: Written) -> None:
    proposal = guessed(table.text)
    found = loaded(table.text, proposal)
    assert (len(found.rows), found.rejects) == (len(table.rows), [])
    assert said(proposal.evidence, "proof").value == f"{len(table.rows)} rows"


@settings(max_examples=30, deadline=None)
@given(tables().filter(lambda table: table.quote == '"'), st.integers(1, 400))
def test_what_is_left_of_a_cut_sample_is_enough(table: Written, cut: int) -> None:
    whole = Written(table.names, table.rows * 3, table.delimiter, table.quote, table.every, table.end)
    text = whole.text[: -min(cut, len(whole.text) // 3)]
    proposal = propose(samples(text, whole=False), all_strings=True)
    assert tuple(column["name"] for column in proposal.parser["columns"]) == table.names


pieces = st.sampled_from(
    [b'"', b",", b"\n", b"\r", b";", b"\\", b"{", b"}", b"[", b"]", b":", b" ", b"#", b"a", b"1", b"\0"]
)
nasty = st.lists(pieces | st.binary(max_size=4), max_size=40).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(nasty, min_size=1, max_size=3), st.booleans(), st.booleans())
@example([b'"'], True, True)
@example([b"\xff\xfe"], True, False)
@example([b"{"], False, True)
@example([b'[{"a":', b"1"], True, True)
def test_no_bytes_make_it_fall_over(data: list[bytes], whole: bool, start: bool) -> None:
    objects = [Sample("first", data[0], whole=whole)]
    objects += [Sample(f"{number}", each, whole=False, start=start) for number, each in enumerate(data[1:])]
    try:
        proposal = propose(objects)
    except (ConfigError, DataError):
        return
    names = [column["name"] for column in proposal.parser["columns"]]
    assert len(set(names)) == len(names)
    assert all(before != after for before, after in pairwise(sorted(names)))
