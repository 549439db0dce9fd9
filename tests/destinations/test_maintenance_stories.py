"""Whatever happens at a table, in whatever order and at the same time: its rows are those of its objects."""

import itertools
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.config.maintenance import Maintenance
from chalicelib.core.tasks import Former
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from tests.destinations.scripted import ScriptedCatalog
from tests.destinations.staged import ID, Place, batch, place, sql_catalog, task

RULES = Maintenance(min_files=2, keep_snapshots=2, max_snapshots=2)
DO = st.sampled_from(["load", "load", "load", "again", "remove", "compact", "compact", "expire"])


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Story:
    """A table and what should be in it: the row of each object."""

    there: Place
    catalog: ScriptedCatalog
    rows: dict[int, int] = field(default_factory=dict)  # by object
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def do(self, what: str, which: int) -> None:
        if what in ("compact", "expire"):
            getattr(self, what)()
        else:
            self.commit(what, which)

    def commit(self, what: str, which: int) -> None:
        """A new object; or one comes once more, or only goes, and its rows go with the commit."""
        number = next(self.numbers)
        known = sorted(self.rows)
        key = known[which % len(known)] if known and what != "load" else number
        formers = [Former("bucket", f"key{key}", "e:1")] if what != "load" else []
        new = number if what == "remove" else key
        staging = self.there.stage(self.there.out(), f"a01/{number}", 1)
        rows = [{**row, "_key": f"key{new}"} for row in batch((ID,), (number,)).to_pylist()]
        staging.write(type(batch((ID,), (1,))).from_pylist(rows, batch((ID,), (1,)).schema), (ID,))
        staging.keep()
        made = task(number, staging.finish())
        self.there.tables.commit(self.there.out(), [made], {made.id: formers})
        if what == "remove":
            self.rows.pop(key, None)
        self.rows[new] = number

    def compact(self) -> None:
        IcebergUpkeep(lambda: self.catalog).compact(self.there.out(), RULES, in_time=lambda: True)

    def expire(self) -> None:
        later = datetime.fromtimestamp(time.time(), UTC) + timedelta(hours=2)
        IcebergUpkeep(lambda: self.catalog).expire(self.there.out(), RULES, now=later, oldest_staged=None)

    def crash(self) -> None:
        raise Crash

    def check(self) -> None:
        assert sorted(self.there.read("id")) == sorted(self.rows.values())


@given(st.lists(st.tuples(DO, st.integers(0, 9), st.none() | DO), min_size=4, max_size=9))
@settings(max_examples=12, deadline=None)
def test_rows_are_those_of_the_objects_whatever_happens_meanwhile(steps: list[tuple[str, int, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder, sql_catalog(Path(folder), ScriptedCatalog) as catalog:
        assert isinstance(catalog, ScriptedCatalog)
        story = Story(place("iceberg", Path(folder), catalog), catalog)
        story.commit("load", 0)
        for what, which, meanwhile in steps:
            if meanwhile is not None:
                catalog.before = [lambda do=meanwhile, which=which: story.do(do, which + 1)]  # type: ignore[misc]
            story.do(what, which)
            catalog.before = []
            story.check()


@given(st.integers(2, 6), st.booleans(), st.sampled_from(["compact", "expire"]))
@settings(max_examples=8, deadline=None)
def test_a_crash_of_maintenance_changes_no_row(objects: int, after: bool, what: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sql_catalog(Path(folder), ScriptedCatalog) as catalog:
        assert isinstance(catalog, ScriptedCatalog)
        story = Story(place("iceberg", Path(folder), catalog), catalog)
        for _ in range(objects):
            story.commit("load", 0)
        (catalog.after if after else catalog.before).append(story.crash)
        with suppress(Crash):
            story.do(what, 0)
        catalog.before, catalog.after = [], []
        story.check()
        story.compact()
        story.check()
