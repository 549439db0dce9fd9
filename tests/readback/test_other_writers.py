"""Spark writes to our tables while we do: what it did is never undone, and what we did is there once."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from chalicelib.config.maintenance import Maintenance
from chalicelib.core.tasks import Former
from chalicelib.destinations.iceberg.upkeep import IcebergUpkeep
from chalicelib.local.account import without_aws
from tests.destinations.staged import Place, place
from tests.readback.served import served
from tests.readback.tables import commit, objects
from tests.readback.test_iceberg import PYTHON, needs_readers

pytestmark = needs_readers

COMPACT = "call c.system.rewrite_data_files(table => 'db.t', options => map('min-input-files', '2'))"


@dataclass
class Spark:
    """A Spark in a process of its own."""

    process: "subprocess.Popen[str]"
    there: Place

    def sql(self, statement: str) -> Any:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(statement) + "\n")
        self.process.stdin.flush()
        return self.heard()

    def heard(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def until_done(self, statement: str) -> int:
        """Ask until it is done, as people do whose statement met another writer; how often it was refused."""
        for refusals in range(50):
            self.sql("refresh table c.db.t")  # which Spark remembers from before
            said = self.sql(statement)
            if not isinstance(said, dict):
                return refusals
            assert any(word in said["error"].lower() for word in ("conflict", "concurrent", "commit")), said["error"]
        raise AssertionError("refused for ever")

    def rows(self) -> list[tuple[str, str, int]]:
        self.sql("refresh table c.db.t")
        return sorted(
            (key, identity, int(i)) for key, identity, i in self.sql("select _key, _identity, id from c.db.t")
        )


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    folder = tmp_path_factory.mktemp("spark")
    catalog = SqlCatalog("test", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
    environ = {**without_aws(os.environ), "TZ": "UTC", "READBACK_FOLDER": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"}
    with served(catalog) as uri, (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("writer.py"), uri],
            env=environ,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        made = Spark(process, place("iceberg", folder, catalog))
        try:
            assert made.heard() == "ready"
            yield made
        finally:
            process.kill()
            process.communicate()
            catalog.close()


@pytest.fixture
def there(spark: Spark) -> Place:
    if spark.there.catalog().table_exists(("db", "t")):
        spark.there.catalog().drop_table(("db", "t"))
    return spark.there


def overwrite(there: Place, number: int, key: str, before: str, after: str, *ids: int) -> None:
    again = objects(there, number, {(key, after): list(ids)})
    there.tables.commit(there.out(), [again], {again.id: [Former("bucket", key, before)]})


@pytest.mark.parametrize("mode", ["copy-on-write", "merge-on-read"])
def test_rows_that_spark_deleted_do_not_come_back_when_their_file_is_rewritten(
    spark: Spark, there: Place, mode: str
) -> None:
    commit(there, objects(there, 0, {("a", "e:1"): [1, 2], ("b", "e:1"): [3, 4]}))
    spark.until_done(f"alter table c.db.t set tblproperties ('write.delete.mode' = '{mode}')")
    spark.until_done("delete from c.db.t where id = 3")
    overwrite(there, 1, "a", "e:1", "e:2", 5)
    assert spark.rows() == [("a", "e:2", 5), ("b", "e:1", 4)]
    assert there.tables.count("db", "t") == 2


@pytest.mark.parametrize("mode", ["copy-on-write", "merge-on-read"])
def test_rows_that_spark_changed_and_added_stay_as_they_are(spark: Spark, there: Place, mode: str) -> None:
    commit(there, objects(there, 0, {("a", "e:1"): [1, 2], ("b", "e:1"): [3, 4]}))
    spark.until_done(f"alter table c.db.t set tblproperties ('write.update.mode' = '{mode}')")
    spark.until_done("update c.db.t set id = 40 where id = 4")
    spark.until_done("insert into c.db.t select id + 100, _bucket, 'theirs', _identity, _loaded_at from c.db.t")
    overwrite(there, 1, "a", "e:1", "e:2", 5)
    theirs = [("theirs", "e:1", each) for each in (101, 102, 103, 140)]
    assert spark.rows() == [("a", "e:2", 5), ("b", "e:1", 3), ("b", "e:1", 40), *theirs]


def test_our_compaction_leaves_what_spark_deleted_deleted(spark: Spark, there: Place) -> None:
    for number in range(6):
        commit(there, objects(there, number, {(f"k{number}", "e:1"): [number, number + 10]}))
    spark.until_done("alter table c.db.t set tblproperties ('write.delete.mode' = 'merge-on-read')")
    spark.until_done("delete from c.db.t where id in (2, 13)")
    IcebergUpkeep(there.catalog).compact(there.out(), Maintenance(min_files=2), in_time=lambda: True)
    assert sorted(row[2] for row in spark.rows()) == [0, 1, 3, 4, 5, 10, 11, 12, 14, 15]


def test_commits_of_both_at_once_are_all_there(spark: Spark, there: Place) -> None:
    """Spark compacts, deletes and inserts while objects come and are overwritten."""
    commit(there, objects(there, 0, {("a", "e:0"): [0], ("spare", "e:1"): list(range(1000, 1010))}))
    refused = 0
    done: list[int] = []

    def ours() -> None:
        for number in range(1, 41):
            commit(there, objects(there, 2 * number, {(f"k{number}", "e:1"): [number]}))
            overwrite(there, 2 * number + 1, "a", f"e:{number - 1}", f"e:{number}", number, number + 100)
            done.append(number)

    thread = Thread(target=ours)
    thread.start()
    for number in range(5):
        refused += spark.until_done(f"delete from c.db.t where id = {1000 + number}")
        refused += spark.until_done(
            f"insert into c.db.t select {2000 + number}, _bucket, 'theirs', _identity, _loaded_at from c.db.t "
            "where id = 1009"
        )
        refused += spark.until_done(COMPACT)
    thread.join()
    assert done == list(range(1, 41))
    expected = [("a", "e:40", 40), ("a", "e:40", 140)]
    expected += [(f"k{number}", "e:1", number) for number in range(1, 41)]
    expected += [("spare", "e:1", 1005 + number) for number in range(5)]
    expected += [("theirs", "e:1", 2000 + number) for number in range(5)]
    assert spark.rows() == sorted(expected)
    print(f"Spark was refused {refused} times")
