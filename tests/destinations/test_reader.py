"""Readers in a loop, beside everything that can happen to a table (P1, P4).

`TIDEGATE_HISTORIES=5000` takes that many steps of each kind; docs/testing.md says which planted bugs were found.
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config.destination import Iceberg, Parquet
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.destinations.iceberg.tables import IcebergTables
from tests.destinations.reading_along import TOOLS, Readers, look, reading_along
from tests.destinations.stories import Story

STEPS = int(os.environ.get("TIDEGATE_HISTORIES", "16"))
SEED = os.environ.get("TIDEGATE_SEED", "1")


def live(story: Story, steps: int, readers: Readers) -> None:
    """So many steps; after each the table is what it should be, row by row, and so is what anybody saw meanwhile."""
    for _ in range(steps):
        try:
            story.step()
            story.log.check(look(story.theirs, "pyiceberg"))
            readers.check(story.log)
        except BaseException as error:
            error.add_note("\n".join(["The story:", *story.told[-40:]]))
            raise


STRANGERS = ("stranger_adds", "stranger_deletes")
RUNS = ("replace", "late_run")
KINDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "plain": ({}, ()),
    "partitioned": ({"time_column": "at", "transform": "day"}, STRANGERS),  # pyiceberg alone writes no such partition
    "merged": ({"mode": "merge", "merge_keys": ["id"]}, RUNS),
    "merged in an order": ({"mode": "merge", "merge_keys": ["id"], "merge_order": "rank"}, RUNS),
}


@pytest.mark.parametrize(("options", "without"), KINDS.values(), ids=KINDS)
def test_no_reader_ever_sees_what_the_table_never_was(
    tmp_path: Path, options: Mapping[str, Any], without: Sequence[str]
) -> None:
    story = Story(tmp_path, random.Random(SEED), options, without=without)
    with reading_along(story.uri, story.warehouse, story.log) as readers:
        live(story, STEPS, readers)
    story.close()
    assert set(story.log.looks) == set(TOOLS)
    assert len(story.log.different) > STEPS / 4, "readers that saw little prove little"


Formers = Mapping[str, Sequence[Former]]
Careless = Callable[[IcebergTables, Iceberg | Parquet, Sequence[Task], Formers, Callable[[], None]], None]


def bare(task: Task) -> Task:
    """The task's formers without its rows, under another name."""
    assert task.staged is not None
    return replace(task, job=f"{task.job}b", staged=replace(task.staged, files=()))


def in_two_commits(
    tables: IcebergTables,
    out: Iceberg | Parquet,
    tasks: Sequence[Task],
    formers: Formers,
    looked_at: Callable[[], None],
) -> None:
    tables.commit(out, [bare(task) for task in tasks], {bare(task).id: formers[task.id] for task in tasks})
    looked_at()
    tables.commit(out, tasks)


def without_formers(
    tables: IcebergTables,
    out: Iceberg | Parquet,
    tasks: Sequence[Task],
    formers: Formers,
    looked_at: Callable[[], None],
) -> None:
    tables.commit(out, tasks)


def task_by_task(
    tables: IcebergTables,
    out: Iceberg | Parquet,
    tasks: Sequence[Task],
    formers: Formers,
    looked_at: Callable[[], None],
) -> None:
    for task in tasks:
        tables.commit(out, [task], {task.id: formers[task.id]})
        looked_at()


@pytest.mark.parametrize("careless", [in_two_commits, without_formers, task_by_task])
def test_a_committer_that_is_careless_is_caught(tmp_path: Path, careless: Careless) -> None:
    def looked_at() -> None:
        """A reader has begun to look, and ended, since this was called."""
        enough = story.log.looks.get("pyiceberg", 0) + 2
        while story.log.looks.get("pyiceberg", 0) < enough:
            readers.check(story.log)
            time.sleep(0.01)

    class Tables(IcebergTables):
        def commit(
            self,
            out: Iceberg | Parquet,
            tasks: Sequence[Task],
            formers: Formers | None = None,
            run: Run | None = None,
        ) -> str | None:
            if not formers or run:
                return super().commit(out, tasks, formers, run)
            careless(IcebergTables(self.catalog, self.warehouse), out, tasks, formers, looked_at)
            return None

    story = Story(tmp_path, random.Random(SEED), {}, kind=Tables, without=("compact", "forget", *STRANGERS))
    with (
        pytest.raises(AssertionError, match="pyiceberg saw"),
        reading_along(story.uri, story.warehouse, story.log, ["pyiceberg"]) as readers,
    ):
        live(story, 60, readers)
    story.close()
