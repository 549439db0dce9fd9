"""Which objects a pipeline wants (F18-F27)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.patterns import compiled
from chalicelib.config.source import Source
from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef
from chalicelib.core.selection import RETRYABLE, UNRECORDED, Reason, glob, refusal, refusals


def verdict(key: str, size: int = 12, **source: str) -> Reason | None:
    document = {"bucket": "acme", "parser": {"type": "csv"}} | source
    return refusal(
        Source.parse(document, where="test"), ObjectRef("acme", key, "e", size, datetime(2026, 1, 1, tzinfo=UTC))
    )


@pytest.mark.parametrize(
    ("prefix", "key", "wanted"),
    [
        ("", "anything", True),
        ("in/", "in/a.csv", True),
        ("in/", "in/", True),
        ("in/", "in", False),
        ("in/", "main/in/a.csv", False),
        ("in/", "/in/a.csv", False),
        ("/in/", "in/a.csv", False),
        ("/in/", "/in/a.csv", True),
        ("in/a", "in/abc", True),
        ("i*/", "in/a.csv", False),
        ("日本/", "日本/a", True),
        ("IN/", "in/a.csv", False),
    ],
)
def test_a_prefix_is_the_literal_start_of_a_key(prefix: str, key: str, wanted: bool) -> None:
    assert verdict(key, path_prefix=prefix) is (None if wanted else Reason.OUTSIDE_PREFIX)


@pytest.mark.parametrize(
    ("pattern", "key", "wanted"),
    [
        (".csv$", "xcsv", True),
        (r"\.csv$", "xcsv", False),
        (r"\.csv$", "a.csv", True),
        (r"\.csv$", "a.csv.gz", False),
        (r"\.csv(\.gz)?$", "a.csv.gz", True),
        ("/data1/", "deep/data1/a", True),
        ("^data1/", "deep/data1/a", False),
        ("", "anything", True),
        (r"\d{4}-\d{2}", "logs/2026-11/a", True),
        ("é", "in/é.csv", True),
        (r"^in/.$", "in/é", True),
        ("(?i)CSV$", "a.csv", True),
        (r"a.b", "a\nb", False),
    ],
)
def test_a_pattern_is_searched_anywhere_in_the_key(pattern: str, key: str, wanted: bool) -> None:
    assert verdict(key, path_match_pattern=pattern) is (None if wanted else Reason.OUTSIDE_PATTERN)


def test_a_pattern_that_would_hang_others_is_answered_at_once() -> None:
    assert verdict("a" * 1000 + "!", path_match_pattern="^(a+)+$") is Reason.OUTSIDE_PATTERN


@pytest.mark.parametrize(
    ("key", "size", "reason"),
    [
        ("in/a.csv", 0, Reason.EMPTY),
        ("in/folder/", 0, Reason.FOLDER),
        ("in/folder/", 1, None),
        ("in/a.csv", -1, None),
        ("in/a.csv", 1, None),
    ],
)
def test_only_what_is_known_to_hold_nothing_is_empty(key: str, size: int, reason: Reason | None) -> None:
    assert verdict(key, size) is reason


def test_the_key_is_judged_before_the_size() -> None:
    patterned = {"path_prefix": "in/", "path_match_pattern": r"\.csv$"}
    assert verdict("out/a.txt", 0, **patterned) is Reason.OUTSIDE_PREFIX
    assert verdict("in/a.txt", 0, **patterned) is Reason.OUTSIDE_PATTERN
    assert verdict("in/a.csv", 0, **patterned) is Reason.EMPTY


def test_only_what_can_be_recomputed_from_the_key_goes_unrecorded() -> None:
    keys_only = {Reason.NOT_INCLUDED, Reason.EXCLUDED}
    assert {reason for reason in Reason if reason.startswith("outside")} | keys_only == UNRECORDED
    assert not RETRYABLE & UNRECORDED


@pytest.mark.parametrize("archived", [True, False])
@pytest.mark.parametrize(
    ("key", "size", "expected"),
    [("in/a", 5, None), ("in/a", 0, None), ("in/", 0, Reason.FOLDER), ("in/", 5, None), ("out/a", 0, "outside_prefix")],
)
def test_where_the_rows_are_the_objects_neither_size_nor_class_keeps_one_out(
    key: str, size: int, expected: Reason | None, archived: bool
) -> None:
    source = Source.parse({"bucket": "acme", "path_prefix": "in/", "parser": {"type": "objects"}}, where="test")
    ref = ObjectRef("acme", key, "e", size, datetime(2026, 1, 1, tzinfo=UTC))
    assert refusal(source, ref, archived=archived) == expected


def by_definition(source: Source, listed: Listed) -> Reason | None:
    """The verdict on one object, each pattern tried by itself, in the order that is promised."""

    def found(pattern: str) -> bool:
        return compiled(pattern).search(listed.ref.key) is not None

    tried = {
        Reason.OUTSIDE_PREFIX: not listed.ref.key.startswith(source.path_prefix),
        Reason.OUTSIDE_SUFFIX: bool(source.suffix) and not any(map(listed.ref.key.endswith, source.suffix)),
        Reason.NOT_INCLUDED: bool(source.include) and not any(found(glob(each)) for each in source.include),
        Reason.EXCLUDED: any(found(glob(each)) for each in source.exclude),
        Reason.OUTSIDE_PATTERN: source.path_match_pattern is not None and not found(source.path_match_pattern),
        Reason.FOLDER: listed.ref.size == 0 and listed.ref.key.endswith("/"),
        Reason.EMPTY: listed.ref.size == 0,
        Reason.ARCHIVED: listed.archived,
    }
    return next((reason for reason, applies in tried.items() if applies), None)


PIECES = st.lists(st.sampled_from(["a", "b", "é", "/", ".", "*", "?", "**", "**/", "\n", "."]), max_size=5).map("".join)
KEYS = st.text("abé/.\n", min_size=1, max_size=8)
PATTERNS = st.sampled_from(
    ["", "a", "^a", "b$", r"\.b$", "(?i)A/", "[^/]b", "a.b", "(?s)a.b", r"\bé", "(?m)^b", "a*b*$"]
)


@settings(max_examples=300)
@given(
    keys=st.lists(KEYS, max_size=6),
    prefix=st.sampled_from(["", "a", "b/"]),
    suffix=st.lists(st.sampled_from(["b", "/", ".b"]), max_size=2),
    include=st.lists(PIECES, max_size=4),
    exclude=st.lists(PIECES, max_size=4),
    pattern=st.none() | PATTERNS,
    size=st.integers(-1, 1),
    storage=st.sampled_from(["STANDARD", "GLACIER"]),
)
def test_a_page_is_judged_as_its_keys_are_one_by_one(
    keys: list[str],
    prefix: str,
    suffix: list[str],
    include: list[str],
    exclude: list[str],
    pattern: str | None,
    size: int,
    storage: str,
) -> None:
    document = {"bucket": "acme", "path_prefix": prefix, "suffix": suffix, "include": include, "exclude": exclude}
    source = Source.parse({**document, "path_match_pattern": pattern, "parser": {"type": "csv"}}, where="test")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    page = [Listed(ObjectRef("acme", key, "e", size, at), storage, restored=False) for key in keys]
    expected = [by_definition(source, each) for each in page]
    assert refusals(source, page) == expected
    assert [refusal(source, each.ref, archived=each.archived) for each in page] == expected
