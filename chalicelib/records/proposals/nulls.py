"""Texts that stand for NULL."""

from collections.abc import Iterable, Mapping, Sequence

WORDS = frozenset(
    {"NULL", "null", "Null", "\\N", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "None", "<NA>", "<null>", "(null)", "nil"}
    | {"NIL", "-", "--", "—", ".", "?", "*", "missing", "#NULL!", "#VALUE!", "#DIV/0!", "#REF!"}
)
"""What people write for it; most of these are values as well."""

CLEAR = frozenset({"NULL", "\\N", "#N/A", "<NA>", "<null>", "(null)", "null"})
"""What hardly ever is a value, also among texts."""


def ordered(words: Iterable[str]) -> tuple[str, ...]:
    """The words in one order: the empty text first, then what hardly ever is a value."""
    return tuple(sorted(words, key=lambda word: (word != "", word not in CLEAR, word)))


def collisions(words: Iterable[str], texts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """For each word that is no clear one, the columns of texts in which it would become NULL as well."""
    hits = {word: [name for name, values in texts.items() if word in values] for word in words if word not in CLEAR}
    return {word: names for word, names in hits.items() if names}
