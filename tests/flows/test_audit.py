"""The audit finds what is missing, doubled or stuck, and nothing else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.core.audit import PATIENCE, Finding, last_under
from chalicelib.core.ledger import Entry, Owner, State
from chalicelib.core.listing import Page
from chalicelib.core.objects import ObjectRef, Removal
from chalicelib.core.selection import Reason
from chalicelib.core.tasks import Staged, StagedFile, Task, TaskState
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.audit import Audit, Auditing
from tests.destinations.staged import ID, batch, place, sql_catalog, task
from tests.examples import BUCKET, START, grant, pipeline
from tests.fakes.buckets import FakeBuckets
from tests.fakes.destination import FakeTable
from tests.fakes.stores import FakeConnections, FakeJobs, FakeLedger, FakePipelines
from tests.flows.world import World

CSV = b"id,name\n1,a\n2,b\n3,c\n"
HOUR = timedelta(hours=1)
OLD = START - 48 * HOUR


@dataclass
class CountedTable(FakeTable):
    """A table that tells where its rows came from."""

    def rows_by_key(self, database: str, table: str, *, bucket: str, prefix: str = "") -> Mapping[tuple[str, str], int]:
        mine = [row for row in self.rows if row["_bucket"] == bucket and row["_key"].startswith(prefix)]
        return Counter((row["_key"], row["_identity"]) for row in mine)


class Bench:
    """A bucket, a ledger and a table, filled by hand."""

    def __init__(self, **source: Any) -> None:
        self.now = START
        self.listing: Any = None  # stands in for the buckets while they are listed
        self.pipelines, self.connections, self.buckets = FakePipelines(), FakeConnections(), FakeBuckets(now=OLD)
        self.ledger, self.jobs, self.table = FakeLedger(), FakeJobs(), CountedTable()
        self.pipelines.put(pipeline(**source))
        self.connections.add(grant())
        self.buckets.create(BUCKET)

    def put(self, key: str, content: bytes = CSV) -> ObjectRef:
        return self.buckets.put(BUCKET, key, content)

    def knows(self, ref: ObjectRef, state: State = State.COMMITTED, **changes: Any) -> Entry:
        entry = Entry("flights", ref, state, discovered_at=OLD, rows=3, committed_at=OLD, revision=1)
        self.ledger.stored["flights", ref.key] = replace(entry, **changes)
        return entry

    @property
    def auditing(self) -> Auditing:
        return auditing_of(self, lambda: self.now)

    def audit(self, **options: Any) -> Audit:
        return self.auditing.audit("flights", **options)


def auditing_of(parts: Any, now: Any) -> Auditing:
    admin = Admin(parts.connections, parts.pipelines, lambda _: None, lambda _: None)
    return Auditing(admin, parts.listing or parts.buckets, parts.ledger, parts.jobs, lambda _: parts.table, now)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def found(audit: Audit) -> dict[str, Finding]:
    return {example.key: example.finding for example in audit.examples}


def walked() -> World:
    """A world with a walk of three objects behind it, and a table that tells where rows came from."""
    world = World()
    world.table = CountedTable()
    for name in "abc":
        world.put(f"in/{name}.csv", CSV)
    world.run()
    world.now += HOUR
    return world


def test_after_a_walk_bucket_ledger_and_table_agree() -> None:
    world = walked()
    audit = auditing_of(world, world.clock).audit("flights", rows=True)
    assert audit.clean
    assert (audit.listed, audit.entries, dict(audit.states), dict(audit.findings)) == (3, 3, {"committed": 3}, {})


def test_an_object_that_the_ledger_does_not_know_is_missing_once_it_had_its_time(bench: Bench) -> None:
    bench.put("in/a.csv")
    bench.put("in/empty.csv", b"")
    bench.put("out/b.csv")
    bench.buckets.archive(bench.put("in/cold.csv"))
    bench.buckets.now = START - timedelta(minutes=5)
    bench.put("in/young.csv")
    audit = bench.audit()
    assert found(audit) == {"in/a.csv": Finding.MISSING}
    assert not audit.clean
    assert audit.unwanted == {"empty": 1, "archived": 1}


def test_keys_that_only_the_ledger_has_are_seen_wherever_they_sort(bench: Bench) -> None:
    listed = [f"in/{number:05}" for number in range(100, 2600)]
    for key in listed:
        bench.knows(bench.put(key))
    only = ["in/", "in/00000", "in/01099x", "in/01100x", "in/02099x", "in/99999", "in/\U0010ffff"]
    for key in [*only, "im/a", "in", "in0", "io/a"]:
        bench.knows(ObjectRef(BUCKET, key, "e", 1, OLD))
    audit = bench.audit()
    assert found(audit) == dict.fromkeys(only, Finding.GONE)
    assert audit.clean, "what was loaded and then deleted is not missing"
    assert (audit.listed, audit.entries) == (2500, 2507)


def test_a_removal_that_was_told_is_no_surprise(bench: Bench) -> None:
    bench.knows(ObjectRef(BUCKET, "in/a.csv", "e", 1, OLD), removal=Removal(BUCKET, "in/a.csv", OLD))
    bench.knows(ObjectRef(BUCKET, "in/b.csv", "e", 1, OLD), State.FAILED)
    audit = bench.audit()
    assert found(audit) == {"in/a.csv": Finding.REMOVED}
    assert audit.clean


def test_an_object_whose_rows_were_taken_out_with_it_is_no_finding_unless_it_is_there_again(bench: Bench) -> None:
    gone = {"reason": Reason.DELETED, "rows": 0, "committed_at": None}
    bench.knows(
        ObjectRef(BUCKET, "in/a.csv", "e", 1, OLD),
        State.REFUSED,
        removal=Removal(BUCKET, "in/a.csv", OLD),
        **gone,
    )
    back = bench.put("in/b.csv")
    bench.knows(back, State.REFUSED, removal=Removal(BUCKET, "in/b.csv", OLD), **gone)
    audit = bench.audit()
    assert found(audit) == {"in/b.csv": Finding.NEWER}
    assert audit.refused == {"deleted": 2}


@pytest.mark.parametrize("reason", [Reason.DELETED, Reason.UNDONE])
def test_rows_that_should_have_left_the_table_are_found(bench: Bench, reason: Reason) -> None:
    out = {"reason": reason, "rows": 0, "committed_at": None, "claimed_at": OLD, "owner": Owner("u1", 0)}
    for key in ("in/a.csv", "in/b.csv"):
        bench.knows(ObjectRef(BUCKET, key, "e", 1, OLD), State.REFUSED, **out)
    bench.table.rows = [{"_bucket": BUCKET, "_key": "in/a.csv", "_identity": "e:e"}]
    audit = bench.audit(rows=True)
    assert found(audit) == {"in/a.csv": Finding.MORE_ROWS}
    assert not audit.clean


def test_another_content_under_a_loaded_key_is_found_unless_overwrites_are_ignored(bench: Bench) -> None:
    bench.knows(bench.put("in/a.csv"))
    later = bench.put("in/b.csv")
    bench.knows(replace(later, etag="other", created_at=later.created_at + HOUR))
    bench.buckets.now = START - HOUR
    bench.put("in/a.csv", b"id\n9\n")
    assert found(bench.audit()) == {"in/a.csv": Finding.NEWER, "in/b.csv": Finding.OLDER}
    assert not bench.audit(prefix="in/b").clean, "its rows are not in the table"
    document = bench.pipelines.stored["flights"]
    ignoring = document.model_copy(update={"out": document.out.model_copy(update={"on_overwrite": "ignore"})})
    bench.pipelines.put(ignoring)
    assert bench.audit().clean


@pytest.mark.parametrize("state", [State.CLAIMED, State.PENDING])
def test_a_claim_is_stuck_ten_minutes_after_its_lease(bench: Bench, state: State) -> None:
    bench.knows(bench.put("in/a.csv"), state, lease_until=START - PATIENCE, owner=Owner("j1", 0))
    assert bench.audit().clean
    bench.now += timedelta(seconds=1)
    audit = bench.audit()
    assert found(audit) == {"in/a.csv": Finding.STUCK}
    assert "j1/0" in audit.examples[0].detail


def test_refusals_are_counted_by_their_reason(bench: Bench) -> None:
    bench.knows(bench.put("in/a.csv"), State.REFUSED, reason=Reason.DENIED)
    bench.knows(bench.put("in/b.csv"), State.REFUSED, reason=Reason.ARCHIVED)
    bench.knows(bench.put("in/c.csv"), State.FAILED, reason=Reason.BROKEN)
    audit = bench.audit()
    assert audit.refused == {"denied": 1, "archived": 1, "broken": 1}
    assert audit.states == {"refused": 2, "failed": 1}
    assert audit.clean


def test_a_commit_that_the_table_does_not_know_is_found_within_the_time_that_tags_are_kept() -> None:
    world = walked()
    ((tag, _),) = list(world.table.tags.items())[:1]
    del world.table.tags[tag]
    auditing = auditing_of(world, world.clock)
    audit = auditing.audit("flights")
    assert set(audit.findings) == {Finding.UNTAGGED}
    assert tag in audit.examples[0].detail
    assert not audit.clean
    assert auditing.audit("flights", since=timedelta(minutes=1)).clean


def test_tasks_are_looked_up_in_batches_and_each_object_counts_once(bench: Bench) -> None:
    files = (StagedFile("s3://lake/f.parquet", 1, 3, ()),)
    for number in range(250):
        ref = bench.put(f"in/{number:03}.csv")
        done = Task("j1", number, "flights", "t", (ref,), TaskState.COMMITTED, OLD, staged=Staged((), files, OLD))
        bench.jobs.add([done])
        bench.knows(ref, owner=Owner("j1", number), committed_at=START - HOUR)
        if number % 5:
            bench.table.tags[done.id] = "s1"
    bench.knows(bench.put("in/unkept.csv"), owner=Owner("j2", 0), committed_at=START - HOUR)
    audit = bench.audit(examples=3)
    assert audit.findings == {Finding.UNTAGGED: 50}
    assert len(audit.examples) == 3


def test_doubled_and_lost_rows_are_found_in_the_table() -> None:
    world = walked()
    rows = world.table.rows
    world.table.rows = [*rows, rows[0], {**rows[0], "_bucket": "another"}, {**rows[0], "_identity": "e:earlier"}]
    world.table.rows.remove(next(row for row in rows if row["_key"] == "in/c.csv"))
    world.table.rows = [row for row in world.table.rows if row["_key"] != "in/b.csv"]
    auditing = auditing_of(world, world.clock)
    assert auditing.audit("flights").clean
    audit = auditing.audit("flights", rows=True)
    assert found(audit) == {
        "in/a.csv": Finding.MORE_ROWS,
        "in/b.csv": Finding.FEWER_ROWS,
        "in/c.csv": Finding.FEWER_ROWS,
    }
    assert [example.detail[:14] for example in audit.examples] == ["4 in the table", "0 in the table", "2 in the table"]
    assert not audit.clean
    assert auditing.audit("flights", rows=True, prefix="in/d").clean


def test_rows_without_origin_columns_cannot_be_audited(bench: Bench) -> None:
    document = bench.pipelines.stored["flights"]
    out = document.out.model_copy(update={"origin_columns": False})
    bench.pipelines.put(document.model_copy(update={"out": out}))
    assert bench.audit().clean
    with pytest.raises(ConfigError, match="where they came from"):
        bench.audit(rows=True)


def test_a_prefix_narrows_and_one_that_the_pipeline_does_not_read_is_refused(bench: Bench) -> None:
    bench.put("in/a/1.csv")
    bench.put("in/b/1.csv")
    bench.knows(ObjectRef(BUCKET, "in/b/0.csv", "e", 1, OLD))
    assert found(bench.audit(prefix="in/a/")) == {"in/a/1.csv": Finding.MISSING}
    assert bench.audit(prefix="i").listed == 2
    with pytest.raises(ConfigError, match="takes nothing under 'out/'"):
        bench.audit(prefix="out/")
    with pytest.raises(ConfigError, match="no pipeline of this name"):
        bench.auditing.audit("fligths")


keys = st.text(st.sampled_from("a/é\U0001f600"), min_size=1, max_size=3).map("in/{}".format)
entries = st.sampled_from(["none", "same", "other", "claimed", "overdue", "failed"])


@given(st.dictionaries(keys, st.tuples(st.booleans(), entries), max_size=12), st.integers(1, 4), st.data())
def test_findings_are_those_of_a_naive_comparison(
    world: dict[str, tuple[bool, str]], page: int, data: st.DataObject
) -> None:
    bench = Bench()
    bench.listing = Small(bench.buckets, page)
    for key, (there, known) in world.items():
        ref = bench.put(key)
        if not there:
            bench.buckets.delete(ref)
        if known != "none":
            remember(bench, ref, known)
    prefix = data.draw(st.sampled_from(["", "in/", "in/a", "in/é"]))
    expected = {key: finding for key, state in world.items() if (finding := naive(*state)) and key.startswith(prefix)}
    audit = bench.audit(prefix=prefix, examples=99)
    assert found(audit) == expected
    assert audit.findings == Counter(expected.values())
    assert audit.listed == sum(there for key, (there, _) in world.items() if key.startswith(prefix))
    assert audit.entries == sum(known != "none" for key, (_, known) in world.items() if key.startswith(prefix))


@dataclass
class Small:
    """A bucket that gives few keys at a time."""

    buckets: FakeBuckets
    limit: int

    def page(self, *args: Any, **kwargs: Any) -> Page:
        return self.buckets.page(*args, **{**kwargs, "limit": self.limit})


def remember(bench: Bench, ref: ObjectRef, known: str) -> None:
    if known == "other":
        bench.knows(replace(ref, etag="other", created_at=ref.created_at - HOUR))
    elif known in ("claimed", "overdue"):
        lease: datetime = START + HOUR if known == "claimed" else START - HOUR
        bench.knows(ref, State.CLAIMED, lease_until=lease)
    else:
        bench.knows(ref, State.FAILED if known == "failed" else State.COMMITTED)


def naive(there: bool, known: str) -> Finding | None:
    if known == "overdue":
        return Finding.STUCK
    if there:
        return {"none": Finding.MISSING, "other": Finding.NEWER}.get(known)
    return Finding.GONE if known in ("same", "other") else None


@example("a\ud7ff", "\uffff")
@example("\U0010ffff" * 256, "")
@given(st.text(st.characters(codec="utf-8"), max_size=4), st.text(st.characters(codec="utf-8"), max_size=4))
def test_the_last_key_under_a_prefix_sorts_after_all_of_them(prefix: str, rest: str) -> None:
    last = last_under(prefix)
    assert (prefix + rest).encode() <= last.encode()
    assert len(last.encode()) <= max(1024, len(prefix.encode()))


@pytest.mark.parametrize("kind", ["iceberg", "parquet"])
def test_both_destinations_count_the_rows_of_each_object(tmp_path: Path, kind: Literal["iceberg", "parquet"]) -> None:
    with sql_catalog(tmp_path) as catalog:
        there = place(kind, tmp_path, catalog)
        assert there.tables.rows_by_key("db", "t", bucket="bucket") == {}
        tasks = [there.staged(0, (1,), (2,)), there.staged(1, (3,))]
        there.tables.commit(there.out(), tasks)
        assert there.tables.rows_by_key("db", "t", bucket="bucket") == {("key", "e:1"): 3}
        assert there.tables.rows_by_key("db", "t", bucket="bucket", prefix="ke") == {("key", "e:1"): 3}
        assert there.tables.rows_by_key("db", "t", bucket="bucket", prefix="x") == {}
        assert there.tables.rows_by_key("db", "t", bucket="another") == {}


@pytest.mark.parametrize("kind", ["iceberg", "parquet"])
def test_a_table_without_origin_columns_has_no_rows_that_tell(
    tmp_path: Path, kind: Literal["iceberg", "parquet"]
) -> None:
    with sql_catalog(tmp_path) as catalog:
        there = place(kind, tmp_path, catalog)
        out = there.out(origin_columns=False)
        staging = there.stage(out, "a01/0", 1)
        staging.write(batch((ID,), (1,), origin=False), (ID,))
        staging.keep()
        there.tables.commit(out, [task(0, staging.finish())])
        assert there.tables.rows_by_key("db", "t", bucket="bucket") == {}


def audited(world: World, **options: Any) -> Audit:
    world.now += HOUR
    world.buckets.now = world.now
    made = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    return Auditing(made, world.buckets, world.ledger, world.jobs, lambda _: world.table, world.clock).audit(
        "flights", rows=True, **options
    )


def out_changed(**out: Any) -> Any:
    document = pipeline(incremental=False).document()
    return type(pipeline()).parse(document | {"out": document["out"] | {"on_overwrite": None} | out}, where="test")


def test_of_a_replaced_content_only_the_last_runs_objects_have_rows() -> None:
    world = World(table=CountedTable())
    world.pipelines.put(out_changed(mode="replace"))
    world.buckets.create(BUCKET)
    gone, stays = (world.put(key, CSV, notify=0) for key in ("in/a.csv", "in/b.csv"))
    for _ in range(2):
        world.now += HOUR
        assert world.sweep()
        world.run()
        if gone in world.buckets.latest.values():
            world.buckets.delete(gone)
    assert world.loaded() == {stays.key: 3}
    assert audited(world).clean
    world.table.rows.pop()
    assert audited(world).findings[Finding.FEWER_ROWS] == 1


def test_of_merged_rows_some_may_have_given_way_but_none_may_be_doubled() -> None:
    world = World(table=CountedTable())
    world.pipelines.put(out_changed(mode="merge", merge_keys=["id"]))
    world.put("in/a.csv", CSV)
    world.run()
    lost = world.table.rows.pop()
    assert audited(world).clean
    world.table.rows += [lost, lost]
    assert audited(world).findings == {Finding.MORE_ROWS: 1}
