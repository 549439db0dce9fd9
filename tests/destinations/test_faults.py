"""Whatever call of a commit goes wrong, readers see the table before or after it, and the next try ends exactly."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, ServiceUnavailableError

from chalicelib.core.objects import ObjectRef
from chalicelib.core.tasks import Former, Run, Task
from chalicelib.errors import DataError, TidegateError
from chalicelib.records.origin import with_origin
from tests.destinations.faulty import Dead, FaultyCatalog, FaultyIO, Trouble
from tests.destinations.staged import ID, LOADED_AT, Place, batch, place, restaged, sql_catalog, task

Row = tuple[str, str, int]  # key, identity, id
STARTED = datetime(2026, 3, 1, tzinfo=UTC)
EVERY = 1 if "TIDEGATE_HISTORIES" in os.environ else 2  # calls, of which one fails


@dataclass
class Step:
    """One commit, and what is in the table after it."""

    task: Task
    after: list[Row]
    formers: Sequence[Former] = ()
    run: Run | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def staged(there: Place, number: int, rows: Sequence[Row], **options: Any) -> Task:
    staging = there.stage(there.out(**options), f"a{number:02}/0", 1)
    for key, identity in dict.fromkeys(row[:2] for row in rows):
        ids = [(row[2],) for row in rows if row[:2] == (key, identity)]
        ref = ObjectRef("bucket", key, identity[2:], 1, LOADED_AT)
        staging.write(with_origin(batch((ID,), *ids, origin=False), ref, LOADED_AT), (ID,))
        staging.keep()
    return task(0, staging.finish(), f"a{number:02}")


def append(there: Place, number: int, before: list[Row]) -> Step:
    rows = [(f"k{number}", "e:1", number)]
    return Step(staged(there, number, rows), sorted([*before, *rows]))


def overwrite(there: Place, number: int, before: list[Row]) -> Step:
    """An object's content takes the place of its last one, which shared a file with another object's."""
    rows = [("a", f"e:{number}", number), ("a", f"e:{number}", number + 1000), (f"k{number}", "e:1", number)]
    after = [*(row for row in before if row[0] != "a"), *rows]
    former = Former("bucket", "a", f"e:{number - 1}")
    return Step(staged(there, number, rows), sorted(after), (former,))


def withdraw(there: Place, number: int, before: list[Row]) -> Step:
    """Rows go, and none come, every other time."""
    if number % 2:
        return append(there, number, before)
    gone = [row for row in before if row[0] == f"k{number - 1}"]
    after = [row for row in before if row not in gone]
    return Step(task(0, (), f"a{number:02}"), after, [Former("bucket", key, identity) for key, identity, _ in gone])


def replace(there: Place, number: int, before: list[Row]) -> Step:
    rows = [("r", f"e:{number}", each) for each in range(number, number + 3)]
    made = staged(there, number, rows)
    run = Run(made.job, STARTED + timedelta(hours=number))
    return Step(made, rows, run=run, options={"mode": "replace"})


def merge(there: Place, number: int, before: list[Row]) -> Step:
    options = {"mode": "merge", "merge_keys": ["id"]}
    rows = [("m", f"e:{number}", 0), ("m", f"e:{number}", number)]
    after = [*(row for row in before if row[2] not in (0, number)), *rows]
    return Step(staged(there, number, rows, **options), sorted(after), options=options)


STORIES = (append, overwrite, withdraw, replace, merge)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path, FaultyCatalog) as catalog:
        yield place("iceberg", tmp_path, catalog)
    FaultyIO.trouble = None


def contents(there: Place) -> list[Row]:
    FaultyIO.trouble = None
    return there.read("(_key, _identity, id)", "order by all") if there.files() else []


def commit(there: Place, step: Step) -> str | None:
    formers = {step.task.id: step.formers} if step.formers else None
    return there.tables.commit(there.out(**step.options), [step.task], formers, step.run)


def tell(
    there: Place, story: Callable[..., Step], error: Callable[[], BaseException], start: int = 0, every: int = 1
) -> list[str]:
    """A step with trouble at its first call, on a new table one at its second, …; returns where it was met."""
    met: list[str] = []
    for at in count(start, every):
        first = begun(there, story)
        step = story(there, 2, first.after)
        trouble = FaultyIO.trouble = Trouble(at, error)
        try:
            commit(there, step)
        except (TidegateError, Dead):
            assert trouble.happened
        FaultyIO.trouble = None
        assert contents(there) in (first.after, step.after), f"{trouble.happened}: a mixture"
        snapshot = commit(there, step)
        assert contents(there) == step.after, trouble.happened
        assert commit(there, step) == snapshot, f"{trouble.happened}: committed once more"
        if not trouble.happened:
            return met
        met.append(trouble.happened.partition(" ")[0])
    raise AssertionError("there is an end")


def begun(there: Place, story: Callable[..., Step]) -> Step:
    """A table after its first step."""
    if there.catalog().table_exists(("db", "t")):
        there.catalog().drop_table(("db", "t"))
    step = story(there, 1, [])
    commit(there, step)
    return step


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_process_that_dies_at_any_call_costs_nothing(there: Place, story: Callable[..., Step]) -> None:
    """At every second call, of every second story the other ones; at each if TIDEGATE_HISTORIES says so."""
    met = tell(there, story, Dead, STORIES.index(story) % EVERY, EVERY)
    known = {"load", "commit", "write", "read"}
    assert known <= set(met) if EVERY == 1 else known & set(met)
    assert len(met) >= 6 // EVERY


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_storage_that_fails_costs_nothing(there: Place, story: Callable[..., Step]) -> None:
    """At every third call, each story beginning with another: what they have in common fails at each of its calls."""
    met = tell(there, story, lambda: OSError("the storage did not answer"), STORIES.index(story) % 3, every=3)
    assert met


ANSWERS = (
    lambda: CommitStateUnknownException("gateway timeout"),
    lambda: CommitFailedException("the client sent it again and met itself"),
    lambda: ServiceUnavailableError("try later"),
    lambda: ConnectionResetError("reset by peer"),
    lambda: TimeoutError("no answer"),
    lambda: Dead(),
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("error", ANSWERS, ids=lambda error: type(error()).__name__)
def test_an_answer_that_is_lost_after_the_commit_costs_nothing(
    there: Place, story: Callable[..., Step], error: Callable[[], BaseException]
) -> None:
    step = story(there, 2, begun(there, story).after)
    catalog = there.catalog()
    assert isinstance(catalog, FaultyCatalog)
    made = catalog.commits
    catalog.after.append(lambda: (_ for _ in ()).throw(error()))  # the change is there
    try:
        commit(there, step)
    except Dead:
        assert isinstance(error(), Dead)
    assert contents(there) == step.after
    commit(there, step)
    assert contents(there) == step.after
    assert catalog.commits == made + 1


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_another_attempt_of_a_task_whose_answer_was_lost_adds_nothing(there: Place, story: Callable[..., Step]) -> None:
    first = begun(there, story)
    step = story(there, 2, first.after)
    commit(there, step)
    zombie = story(there, 2, first.after)
    files = zombie.task.staged.files if zombie.task.staged else ()
    zombie.task = restaged(step.task, files)
    commit(there, zombie)
    assert contents(there) == step.after


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "noise"])
@pytest.mark.parametrize("story", [append, overwrite, replace, merge], ids=lambda story: story.__name__)
def test_a_staged_file_that_cannot_be_read_stops_its_task_and_changes_nothing(
    there: Place, story: Callable[..., Step], damage: str
) -> None:
    first = begun(there, story)
    step = story(there, 2, first.after)
    assert step.task.staged
    file = there.lake.file(step.task.staged.files[0].path)
    whole = file.read_bytes()
    match damage:
        case "gone":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(whole[: len(whole) // 2])
        case _:
            file.write_bytes(os.urandom(len(whole)))
    with pytest.raises(TidegateError) as caught:
        commit(there, step)
    assert isinstance(caught.value, DataError), "set aside, not tried for ever"
    assert contents(there) == first.after
    file.write_bytes(whole)
    commit(there, step)
    assert contents(there) == step.after


def test_what_a_conflict_takes_away_is_not_brought_back(there: Place) -> None:
    """Another engine deletes a file's rows between our look and our commit."""
    first = overwrite(there, 1, [])
    commit(there, first)
    step = overwrite(there, 2, first.after)
    catalog = there.catalog()
    assert isinstance(catalog, FaultyCatalog)

    def elsewhere() -> None:
        catalog.load_table(("db", "t")).delete("_key == 'k1'")

    catalog.before.append(elsewhere)
    commit(there, step)
    assert contents(there) == [row for row in step.after if row[0] != "k1"]
