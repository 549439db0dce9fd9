"""Readers that look all the time, while a Parquet dataset is written: whole files, and whole runs."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.destinations.runs import registry_of, replace, run, tasks_of
from tests.destinations.staged import Place, place, sql_catalog

COMMITS = 60
ROWS = 40  # of each object


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    with sql_catalog(tmp_path) as unused:
        yield place("parquet", tmp_path, unused)


def while_writing(write: Callable[[], None], *looks: Callable[[], object]) -> list[list[object]]:
    """What each of the looks saw, time after time, until all is written."""
    over = Event()

    def poll(look: Callable[[], object]) -> list[object]:
        seen = [look()]
        while not over.is_set():
            seen.append(look())
        return [*seen, look()]

    with ThreadPoolExecutor(len(looks)) as pool:
        polls = [pool.submit(poll, look) for look in looks]
        try:
            write()
        finally:
            over.set()
        return [each.result() for each in polls]


def rows_of(number: int) -> tuple[int, ...]:
    return tuple(range(number * 1000, number * 1000 + ROWS))


def test_a_file_is_seen_whole_or_not_at_all_and_stays(there: Place) -> None:
    def write() -> None:
        for number in range(COMMITS):
            staged = [there.staged(number * 2 + half, *((row,) for row in rows_of(number))) for half in (0, 1)]
            there.tables.commit(there.out(), staged)

    def look() -> dict[str, tuple[int, ...]]:
        return {path: tuple(pq.read_table(path[7:])["id"].to_pylist()) for path in there.files()}

    def query() -> list[tuple[int, int]]:
        if not there.files():
            return []
        source = f"read_parquet('{there.folder}/warehouse/parquet/db/t/*.parquet')"
        with duckdb.connect() as connection:
            return connection.execute(f"select id // 1000, count(*) from {source} group by 1").fetchall()

    files, queries = while_writing(write, look, query)
    before: dict[str, tuple[int, ...]] = {}
    for seen in files:
        assert isinstance(seen, dict)
        assert all(rows == rows_of(rows[0] // 1000) for rows in seen.values())
        assert before.items() <= seen.items()
        before = seen
    assert len(before) == 2 * COMMITS
    for found in queries:
        assert isinstance(found, list)
        assert {count for _, count in found} <= {ROWS, 2 * ROWS}  # one of the commit's two files, or both
    assert len(queries[-1]) == COMMITS  # type: ignore[arg-type]


def test_a_run_is_seen_whole_or_not_at_all(there: Place) -> None:
    options = {"register_in_glue": True}
    replace(there, 0, rows_of(0), rows_of(0), **options)

    def write() -> None:
        for number in range(1, COMMITS):
            objects = () if number % 7 == 0 else (rows_of(number), rows_of(number))
            replace(there, number, *objects, **options)
            older = tasks_of(there, number - 1, rows_of(number - 1), **options)  # delivered once more
            there.tables.commit(there.out(mode="replace", **options), older, run=run(number - 1))

    def look() -> tuple[int, ...]:
        return tuple(sorted(there.tables.rows("db", "t", 10_000)["id"].to_pylist()))

    def count() -> int:
        return there.tables.count("db", "t")

    def as_athena_does() -> tuple[int, ...]:
        found = registry_of(there).get("db", "t")
        assert found is not None
        paths = sorted(Path(found[0].location[7:]).glob("*.parquet"))
        return tuple(sorted(row for path in paths for row in pq.read_table(path)["id"].to_pylist()))

    whole = [tuple(sorted(rows_of(number) * 2)) if number % 7 or not number else () for number in range(COMMITS)]
    seen, counts, athena = while_writing(write, look, count, as_athena_does)
    assert set(seen) <= set(whole)
    assert set(athena) <= set(whole)
    assert set(counts) <= {0, 2 * ROWS}
    assert seen[-1] == athena[-1] == whole[-1]
    order = [whole.index(each) for each in seen if each]  # type: ignore[arg-type]
    assert order == sorted(order)  # never back to an older run
