"""Guess: what is sampled, what is kept, what is refused."""

import gzip
from typing import Any

import pytest

from chalicelib.errors import ConfigError, DataError
from chalicelib.flows.admin import Admin
from chalicelib.flows.guess import Guessed, Guessing, pick
from chalicelib.records.proposals.sampling import MIDDLE, PLACES, START
from tests.examples import BUCKET, grant
from tests.fakes.buckets import FakeBuckets
from tests.fakes.stores import FakeConnections, FakePipelines

CSV = b"id,name\n1,a\n2,b\n"
COLUMNS = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]


def buckets(**contents: bytes) -> FakeBuckets:
    """Objects under in/, their keys with __ for a dot."""
    made = FakeBuckets()
    made.create(BUCKET)
    for key, data in contents.items():
        made.put(BUCKET, f"in/{key.replace('__', '.')}", data)
    return made


def seed(**source: Any) -> dict[str, Any]:
    return {"connection": "acme", "in": {"type": "s3", "bucket": BUCKET, "path_prefix": "in/"} | source}


def guessed(there: FakeBuckets, document: dict[str, Any], *, prefixes: tuple[str, ...] = (), **options: Any) -> Guessed:
    connections = FakeConnections()
    connections.add(grant(prefixes=prefixes))
    admin = Admin(connections, FakePipelines(), lambda _: None, lambda _: None)
    return Guessing(admin, there, there).guess(document, **options)


def test_a_seed_is_completed_and_keeps_its_order_and_words() -> None:
    document = {"name": "x", **seed(incremental=False), "out": {"mode": "append"}, "exec": {}}
    found = guessed(buckets(a__csv=CSV), document)
    assert list(found.document) == ["name", "connection", "in", "out", "exec"]
    assert list(found.document["in"]) == ["type", "bucket", "path_prefix", "incremental", "parser"]
    assert found.document["in"]["parser"] == {"type": "csv", "skip_header_lines": 1, "columns": COLUMNS}
    assert found.document["out"] == {"mode": "append"}


def test_what_the_user_wrote_is_never_overwritten() -> None:
    columns = [{"name": "a", "type": "string"}, {"name": "b", "type": "string"}]
    parser = {"type": "csv", "max_bad_rows": 7, "charset": "cp1252", "columns": columns}
    found = guessed(buckets(a__csv=CSV), seed(parser=parser, decoders=[]))
    assert found.document["in"]["parser"] == parser | {"skip_header_lines": 1}
    assert found.document["in"]["decoders"] == []
    partial = guessed(buckets(a__csv=b"a;b,c\n1;2,3\n"), seed(parser={"delimiter": ","}))
    assert [column["name"] for column in partial.document["in"]["parser"]["columns"]] == ["a;b", "c"]


def test_packed_objects_are_told_by_content_each_for_itself() -> None:
    found = guessed(buckets(a=gzip.compress(CSV), b__gz=CSV, c=CSV), seed())
    assert found.document["in"]["parser"]["columns"] == COLUMNS
    assert "decoders" not in found.document["in"]
    assert [taken.start for taken in found.taken] == [len(CSV)] * 3


def test_a_packed_object_that_is_cut_is_sampled_as_far_as_it_goes() -> None:
    rows = b"id,name\n" + b"".join(b"%d,%x\n" % (number, number * 7919) for number in range(50_000))
    packed = gzip.compress(rows)
    found = guessed(buckets(a=packed[: len(packed) // 2]), seed())
    assert [column["type"] for column in found.document["in"]["parser"]["columns"]] == ["long", "string"]


def test_the_sample_is_bounded_and_comes_from_further_inside_as_well() -> None:
    lines = [b"%d,%d\n" % (number, number) for number in range(300_000)]
    lines[140_000:165_000] = [b"5,x%d\n" % number for number in range(25_000)]
    there = buckets(a__csv=b"id,v\n" + b"".join(lines))
    there.part = 64 << 10
    found = guessed(there, seed())
    assert found.taken[0].start == START
    assert found.taken[0].middle == len(PLACES) * MIDDLE
    assert found.document["in"]["parser"]["columns"][1] == {"name": "v", "type": "string"}
    assert there.ranges < 20


def test_several_objects_are_sampled_and_named() -> None:
    there = buckets(**{f"{number:02}": CSV + b"3,c\n" * number for number in range(20)})
    found = guessed(there, seed())
    assert len(found.taken) == 5
    assert found.taken[0].name == f"s3://{BUCKET}/in/19"
    assert {f"s3://{BUCKET}/in/00", f"s3://{BUCKET}/in/19"} <= {taken.name for taken in found.taken}
    assert len(guessed(there, seed(), objects=1).taken) == 1
    assert len({taken.name for taken in guessed(there, seed(), objects=3).taken}) == 3


@pytest.mark.parametrize("most", range(1, 8))
def test_what_is_picked_is_the_largest_and_others_from_all_over(most: int) -> None:
    there = buckets(**{f"{number:02}": CSV + b"3,c\n" * (number == 4) for number in range(12)})
    refs = [there.latest[BUCKET, f"in/{number:02}"] for number in range(12)]
    chosen = pick(refs, most)
    assert len(chosen) == len(set(chosen)) == most
    assert chosen[0] == refs[4]
    assert (refs[0] in chosen) == (most > 1)
    assert (refs[11] in chosen) == (most > 2)
    assert pick(refs[:1], most) == refs[:1]
    assert pick([], most) == []


def test_only_what_the_seed_selects_is_looked_at() -> None:
    there = buckets(a__csv=CSV, b__txt=b"nothing of it", c__csv=b"", d__csv=CSV)
    there.archive(there.latest[BUCKET, "in/d.csv"])
    found = guessed(there, seed(suffix=".csv"))
    assert [taken.name for taken in found.taken] == [f"s3://{BUCKET}/in/a.csv"]
    assert {ref.key for _, ref, _ in there.opened} == {"in/a.csv"}


def test_nothing_to_sample_says_why() -> None:
    with pytest.raises(ConfigError, match="no key is there"):
        guessed(buckets(), seed())
    with pytest.raises(ConfigError, match=r"1 empty, 1 outside_suffix|1 outside_suffix, 1 empty"):
        guessed(buckets(a__csv=b"", b__txt=CSV), seed(suffix=".csv"))
    with pytest.raises(ConfigError, match="is for keys under elsewhere/"):
        guessed(buckets(a=CSV, b=CSV), seed(), prefixes=("elsewhere/",))


def test_an_object_that_breaks_is_left_out_and_said() -> None:
    broken = b"\x1f\x8b\x08\x00" + b"\xff" * 50
    found = guessed(buckets(a=CSV, b=broken), seed())
    assert [taken.name for taken in found.taken] == [f"s3://{BUCKET}/in/a"]
    assert any(each.what == "trouble" for each in found.evidence)
    with pytest.raises(DataError):
        guessed(buckets(b=broken), seed())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"connection": "acme"}, "in is required"),
        ({"in": {"bucket": BUCKET}}, "no connection is named"),
        ({"connection": "acme", "in": {"bucket": BUCKET, "pth_prefix": "x"}}, "did you mean path_prefix"),
        ({"connection": "acme", "in": {"bucket": BUCKET, "parser": "csv"}}, "in.parser holds no mapping"),
        ({"connection": "acme", "in": {"bucket": BUCKET, "parser": {"type": "cvs"}}}, "not one of"),
        ({"connection": "other", "in": {"bucket": BUCKET}}, "no connection of this name"),
    ],
)
def test_a_seed_that_is_wrong_is_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        guessed(buckets(a=CSV), document)


def test_a_connection_that_is_given_is_written_down() -> None:
    document = {"in": {"bucket": BUCKET}}
    assert guessed(buckets(a=CSV), document, connection="acme").document["connection"] == "acme"


def test_all_strings_is_handed_on() -> None:
    found = guessed(buckets(a=CSV), seed(), all_strings=True)
    assert {column["type"] for column in found.document["in"]["parser"]["columns"]} == {"string"}


def test_a_listing_is_asked_a_few_times_at_most_and_nothing_is_written() -> None:
    there = buckets(**{f"{number:05}": CSV for number in range(5000)})
    found = guessed(there, seed())
    assert there.listings == 3
    assert "the first of more" in next(each.why for each in found.evidence if each.what == "objects")
    assert len(there.opened) == 5
