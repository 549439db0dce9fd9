"""Objects with other columns than before, end to end on fakes: what each policy costs, and what is never lost (F85)."""

import io
import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chalicelib.config.columns import Column
from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import SchemaConflict
from chalicelib.flows.admin import Admin
from chalicelib.flows.preview import Preview, Previewing
from chalicelib.flows.replay import Chosen
from tests.examples import pipeline
from tests.fakes.stores import FakePipelines
from tests.flows.test_replay import replaying
from tests.flows.world import World
from tests.records.packing import zipped
from tests.records.reading import columns

ORIGIN = ("_bucket", "_key", "_identity", "_loaded_at")


def world(change: str = "evolve", *, filters: list[Any] | None = None, **parser: Any) -> World:
    made = World()
    made.pipelines.put(changed(change, filters=filters, **parser))
    return made


def changed(change: str, *, filters: list[Any] | None = None, **parser: Any) -> Pipeline:
    document = pipeline(parser={"type": "csv"} | parser).document()
    document["out"] |= {"schema_change": change}
    return Pipeline.parse(document | {"filters": filters or []}, where="test")


def loaded(world: World, *objects: bytes) -> list[dict[str, Any]]:
    """The rows after these objects were loaded, one after the other: in/0, in/1, …"""
    for number, content in enumerate(objects, len(world.buckets.latest)):
        world.put(f"in/{number}", content)
        world.run()
    return rows(world)


def rows(world: World, key: str | None = None) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in ORIGIN}
        for row in world.table.rows
        if key is None or row["_key"] == key
    ]


def reasons(world: World) -> list[tuple[str, str]]:
    return [(row["_key"], row["reason"]) for row in world.table.rejects]


def error(world: World, key: str) -> str:
    entry = world.ledger.stored["flights", key]
    assert (entry.state, entry.reason) == ("failed", "schema_conflict")
    return str(entry.error)


def agreed(world: World) -> list[tuple[str, str]]:
    return [(column.name, column.type.value) for column in world.pipelines.columns("flights")]


def parquet(**fields: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(fields), file)
    return file.getvalue()


def lines(*records: Any) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


# evolve


def test_a_new_column_is_added_and_a_missing_one_is_null() -> None:
    made = world()
    assert loaded(made, b"id,name\n1,a\n", b"id,size\n2,7\n") == [
        {"id": 1, "name": "a"},
        {"id": 2, "name": None, "size": 7},
    ]
    assert agreed(made) == [("id", "long"), ("name", "string"), ("size", "long")]
    assert reasons(made) == []


@pytest.mark.parametrize("value", ["n/a", "1.5", "true", '"{""a"": 1}"', "2024-01-01"])
def test_csv_text_that_is_no_long_costs_its_row_and_nothing_else(value: str) -> None:
    made = world()
    found = loaded(made, b"id,n\n1,1\n", f"id,n\n2,{value}\n3,3\n".encode())
    assert found == [{"id": 1, "n": 1}, {"id": 3, "n": 3}]
    ((key, reason),) = reasons(made)
    assert key == "in/1"
    assert reason.startswith("n: ")


@pytest.mark.parametrize("value", ["n/a", "1", 1.5, True, {"a": 1}, [1]])
def test_a_json_value_that_is_no_long_costs_its_row_and_nothing_else(value: Any) -> None:
    made = world(type="json")
    found = loaded(made, lines({"id": 1, "n": 1}), lines({"id": 2, "n": value}, {"id": 3, "n": 3}, {"id": 4}))
    assert found == [{"id": 1, "n": 1}, {"id": 3, "n": 3}, {"id": 4, "n": None}]
    assert [key for key, _ in reasons(made)] == ["in/1"]


@pytest.mark.parametrize(
    ("values", "kept", "lost"),
    [
        (pa.array([2, 3], pa.int32()), [2, 3], 0),
        (pa.array([2.0, 3.5]), [2], 1),
        (pa.array(["2", "x"]), [2], 1),
        (pa.array([True, None]), [None], 1),
        (pa.array([[1], None], pa.list_(pa.int64())), [None], 1),
        (pa.array([{"a": 1}, None]), [None], 1),
    ],
    ids=str,
)
def test_a_parquet_value_that_is_no_long_costs_its_row_and_nothing_else(values: Any, kept: Any, lost: int) -> None:
    made = world(type="parquet")
    found = loaded(made, parquet(n=[1]), parquet(n=values))
    assert [row["n"] for row in found] == [1, *kept]
    assert len(reasons(made)) == lost


def test_a_string_takes_whatever_comes() -> None:
    made = world(type="json")
    found = loaded(made, lines({"s": "a"}), lines({"s": 1}, {"s": True}, {"s": {"a": [1.5]}}))
    assert [row["s"] for row in found] == ["a", "1", "true", '{"a":[1.5]}']


def test_a_decimal_gets_more_digits_and_keeps_its_scale() -> None:
    made = world(type="parquet")
    first, wide = (
        pa.array([1], pa.int64()).cast(pa.decimal128(21, 2)),
        pa.array([2], pa.int64()).cast(pa.decimal128(30, 2)),
    )
    finer = pa.array([3], pa.int64()).cast(pa.decimal128(30, 4))
    found = loaded(made, parquet(d=first), parquet(d=wide), parquet(d=finer))
    assert [str(row["d"]) for row in found] == ["1.00", "2.00", "3.00"]
    (column,) = made.pipelines.columns("flights")
    assert (column.precision, column.scale) == (30, 2)


def test_a_key_that_is_null_wherever_it_is_new_costs_no_row() -> None:
    records = [{"id": n} for n in range(60_000)] + [{"id": 60_000, "late": None}]
    made = world(type="json")
    loaded(made, lines(*records))
    assert (sum(made.loaded().values()), reasons(made)) == (60_001, [])


# order and case


def test_columns_stand_in_the_order_of_their_first_appearance() -> None:
    made = world()
    found = loaded(made, b"b,a\n1,2\n", b"a,c,b\n3,4,5\n")
    assert [list(row) for row in found] == [["b", "a"], ["b", "a", "c"]]
    assert found[1] == {"b": 5, "a": 3, "c": 4}


@pytest.mark.parametrize("change", ["evolve", "strict", "rescue"])
@pytest.mark.parametrize(
    ("parser", "first", "second"),
    [
        ("csv", b"id,Name\n1,a\n", b"NAME,ID\nb,2\n"),
        ("json", lines({"id": 1, "Name": "a"}), lines({"NAME": "b", "ID": 2})),
        ("parquet", parquet(id=[1], Name=["a"]), parquet(NAME=["b"], ID=[2])),
    ],
)
def test_a_column_written_in_other_case_is_the_same_one(change: str, parser: str, first: bytes, second: bytes) -> None:
    made = world(change, type=parser)
    found = loaded(made, first, second)
    more = {"_rescued": None} if change == "rescue" else {}
    assert found == [{"id": 1, "Name": "a"} | more, {"id": 2, "Name": "b"} | more]
    assert agreed(made) == [("id", "long"), ("Name", "string")]


def test_nested_keys_in_other_case_are_the_same_column() -> None:
    made = world(type="json", flatten=1)
    found = loaded(made, lines({"a": {"b": 1}}), lines({"A": {"B": 2}}), lines({"a": {"b": 3}}))
    assert [row["a.b"] for row in found] == [1, 2, 3]


@pytest.mark.parametrize("first", [True, False])
def test_two_columns_that_differ_only_in_case_set_the_object_aside(first: bool) -> None:
    made = world()
    if not first:
        loaded(made, b"id\n1\n")
    made.put("in/x", b"id,ID\n1,2\n")
    made.run()
    assert "only in case" in error(made, "in/x")
    assert "src" in error(made, "in/x")
    assert rows(made, "in/x") == []
    assert agreed(made) == ([] if first else [("id", "long")])


def test_two_declared_columns_that_differ_only_in_case_are_not_written() -> None:
    made = world(columns=[{"name": "id", "type": "long"}, {"name": "ID", "type": "long"}], skip_header_lines=1)
    loaded(made, b"id,ID\n1,2\n")
    assert "only in case" in error(made, "in/0")


def test_rescued_is_the_one_of_two_cases_that_is_not_the_column() -> None:
    made = world("rescue")
    found = loaded(made, b"id,ID\n1,2\n", b"ID,id\n3,4\n", b"ID\n5\n")
    assert found == [
        {"id": 1, "_rescued": '{"ID":"2"}'},
        {"id": 4, "_rescued": '{"ID":"3"}'},
        {"id": 5, "_rescued": None},
    ]


# strict


def test_an_object_with_other_columns_is_set_aside_whole_with_the_difference() -> None:
    made = world("strict")
    found = loaded(made, b"id,name,price\n1,a,2\n", b"id,price,new\n2,5,x\n3,n/a,y\n", b"id,name,price\n4,d,6\n")
    assert [row["id"] for row in found] == [1, 4]
    told = error(made, "in/1")
    assert "+ new string" in told
    assert '~ price: long → string, such as "n/a"' in told
    assert "- name string" in told
    assert "renamed" in told
    assert reasons(made) == [], "nothing of it is staged"
    assert agreed(made) == [("id", "long"), ("name", "string"), ("price", "long")]


def test_a_difference_after_many_rows_takes_them_all_back() -> None:
    made = world("strict", type="json")
    records: list[Any] = [{"id": n} for n in range(60_000)]
    loaded(made, lines(*records, {"id": 1, "late": 2}))
    assert "+ late long" in error(made, "in/0")
    assert not made.loaded()


def test_after_the_document_is_mended_a_replay_loads_it() -> None:
    made = world("strict")
    loaded(made, b"id\n1\n", b"id,new\n2,x\n")
    error(made, "in/1")
    declared = [{"name": "id", "type": "long"}, {"name": "new", "type": "string"}]
    made.pipelines.put(changed("strict", columns=declared, columns_by="name", allow_optional_columns=True))
    replaying(made).start("flights", Chosen(key="in/1"))
    made.run()
    assert rows(made) == [{"id": 1}, {"id": 2, "new": "x"}]
    assert made.state("in/1") == "committed"


def test_declared_columns_are_what_a_strict_object_has() -> None:
    made = world("strict", type="json", columns=[{"name": "id", "type": "long"}])
    loaded(made, lines({"id": 1}), lines({"id": 2, "more": True}))
    assert rows(made) == [{"id": 1}]
    assert "+ more boolean" in error(made, "in/1")


def test_a_broken_line_is_a_bad_row_and_no_difference() -> None:
    made = world("strict")
    assert loaded(made, b"id,name\n1,a\n", b"id,name\n2\n3,c\n") == [{"id": 1, "name": "a"}, {"id": 3, "name": "c"}]
    assert len(reasons(made)) == 1


@dataclass
class Slow(FakePipelines):
    """The other first object settles its columns after this one has seen that there are none."""

    others: tuple[Column, ...] = ()

    def settle(self, name: str, seen: tuple[Column, ...], *, grow: bool = True) -> tuple[Column, ...]:
        self.settled.setdefault(name, self.others)
        return super().settle(name, seen, grow=grow)


@pytest.mark.parametrize("change", ["strict", "rescue"])
def test_of_two_first_objects_at_once_one_decides(change: str) -> None:
    made = World(pipelines=Slow(others=columns(id="long", a="string")))
    made.pipelines.put(changed(change))
    found = loaded(made, b"id,b\n2,y\n")
    assert agreed(made) == [("id", "long"), ("a", "string")]
    if change == "strict":
        assert "+ b string; - a string" in error(made, "in/0")
    else:
        assert found == [{"id": 2, "a": None, "_rescued": '{"b":"y"}'}]


def test_of_two_first_objects_at_once_with_names_in_other_case_one_decides() -> None:
    made = World(pipelines=Slow(others=columns(ID="long")))
    made.pipelines.put(changed("evolve"))
    assert loaded(made, b"id,b\n2,y\n") == [{"ID": 2, "b": "y"}]


def test_a_filter_that_finds_new_columns_sets_a_strict_object_aside() -> None:
    made = world("strict", type="json", filters=[{"type": "expand_json", "json_column_name": "j"}])
    loaded(made, lines({"j": {"a": 1}}), lines({"j": {"a": 1, "b": "x"}}))
    assert rows(made, "in/1") == []
    assert "+ j.b string" in error(made, "in/1")


# rescue


def test_columns_of_the_first_object_stay_and_later_ones_are_rescued() -> None:
    made = world("rescue")
    found = loaded(made, b"id,n\n1,1\n", b"id,n,new\n2,n/a,x\n3,3,\n", b"id\n4\n")
    assert found == [
        {"id": 1, "n": 1, "_rescued": None},
        {"id": 2, "n": None, "_rescued": '{"n":"n/a","new":"x"}'},
        {"id": 3, "n": 3, "_rescued": None},
        {"id": 4, "n": None, "_rescued": None},
    ]
    assert agreed(made) == [("id", "long"), ("n", "long")]
    assert reasons(made) == []
    (file,) = {tuple(c.name for c in t.staged.files[0].columns) for t in made.jobs.stored.values() if t.staged}
    assert file == ("id", "n", "_rescued")
    counts = [dict(job.counts).get("rescued", 0) for job in made.jobs.jobs.values()]
    assert sorted(counts) == [0, 0, 1]


def test_columns_with_our_own_names_are_rescued() -> None:
    made = world("rescue")
    found = loaded(made, b"id,_rescued,_key\n1,old,k\n")
    assert found == [{"id": 1, "_rescued": '{"_rescued":"old","_key":"k"}'}]


def test_an_object_that_says_nothing_of_its_columns_is_read_with_the_known_ones() -> None:
    made = world("rescue", type="json")
    found = loaded(made, lines({"id": 1}), lines({}, {"id": None}))
    assert found == [{"id": 1, "_rescued": None}, *[{"id": None, "_rescued": None}] * 2]


# preview


def previewed(world: World, pipeline: Pipeline) -> Preview:
    admin = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    return Previewing(admin, world.buckets, world.buckets, lambda name: b"", world.clock).preview(pipeline)


def test_a_preview_shows_what_is_rescued_and_settles_nothing() -> None:
    made = world("rescue")
    made.put("in/a", b"id\n1\n")
    made.put("in/b", b"id,new\n2,x\n")
    found = previewed(made, made.pipelines.stored["flights"])
    assert [column.name for column in found.columns] == ["id", "_rescued"]
    assert found.rows == [{"id": 1, "_rescued": None}, {"id": 2, "_rescued": '{"new":"x"}'}]
    assert agreed(made) == []


def test_a_preview_knows_what_was_agreed_on() -> None:
    made = world("rescue")
    loaded(made, b"id\n1\n")
    made.put("in/0", b"id,new\n2,x\n")
    assert previewed(made, made.pipelines.stored["flights"]).rows[0] == {"id": 2, "_rescued": '{"new":"x"}'}


def test_a_preview_of_a_strict_pipeline_shows_the_difference() -> None:
    made = world("strict")
    loaded(made, b"id\n1\n")
    made.put("in/0", b"id,new\n2,x\n")
    with pytest.raises(SchemaConflict, match=r"\+ new string"):
        previewed(made, made.pipelines.stored["flights"])


# objects of several kinds


@pytest.mark.parametrize("change", ["evolve", "strict", "rescue"])
@pytest.mark.parametrize("content", [b"id,name\n", b"id\n", b"\n"])
def test_objects_without_rows_cost_nothing(change: str, content: bytes) -> None:
    made = world(change)
    found = loaded(made, b"id,name\n1,a\n", content)
    assert len(found) == 1
    assert made.state("in/1") == "committed"
    assert agreed(made) == [("id", "long"), ("name", "string")]


def test_each_entry_of_an_archive_is_held_against_the_columns() -> None:
    packed = zipped({"a.csv": b"id\n1\n", "b.csv": b"id,new\n2,x\n"})
    made = world("rescue")
    assert loaded(made, packed) == [{"id": 1, "_rescued": None}, {"id": 2, "_rescued": '{"new":"x"}'}]
    made = world("strict")
    assert loaded(made, packed) == [], "an object is loaded whole or not at all"
    assert "+ new string" in error(made, "in/0")


@pytest.mark.parametrize("change", ["strict", "rescue"])
def test_objects_that_are_rows_have_no_other_columns_than_ours(change: str) -> None:
    made = world(change, type="objects", columns=[{"name": "key", "type": "string"}])
    more = {"_rescued": None} if change == "rescue" else {}
    assert loaded(made, b"anything") == [{"key": "in/0"} | more]


def test_records_within_json_are_rescued_too() -> None:
    content = json.dumps({"page": 1, "rows": [{"id": 1, "x": 2}, {"id": "?"}]}).encode()
    declared = [{"name": "id", "type": "long"}]
    for parser in ({"root": "/rows", "flatten_json_array": True}, {"root": "/rows/0"}):
        made = world("rescue", type="json", columns=declared, **parser)
        found = loaded(made, content)
        assert found[0] == {"id": 1, "_rescued": '{"x":2}'}
        assert found[1:] == ([{"id": None, "_rescued": '{"id":"?"}'}] if len(parser) == 2 else [])


def test_an_object_whose_conflict_shows_late_does_not_hold_up_its_companions() -> None:
    made = world("strict")
    loaded(made, b"id\n1\n")
    made.notify(*(made.put(f"in/{name}", content, notify=0) for name, content in OBJECTS.items()))
    made.run()
    assert sorted(row["id"] for row in rows(made)) == [1, 2, 4]
    assert made.state("in/b") == "failed"


OBJECTS = {"a": b"id\n2\n", "b": b"id\nx\n", "c": b"id\n4\n"}
