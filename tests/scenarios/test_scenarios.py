"""Folders of objects, and the rows they must become. A bug report is a new folder.

    tests/scenarios/NAME/pipeline.yml      the document, without name and connection
                        /objects/…         the customer's bucket; the path is the key
                        /expected.jsonl    the rows, in any order, without the origin columns except _key
                        /rejects.jsonl     what was set aside: key, line, text, a word of the reason; may be missing

The records code is the real one; the stores are fakes. Rows are compared as JSON, so times are ISO-8601 texts.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.config.pipeline import Pipeline
from tests.flows.world import World

HERE = Path(__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/pipeline.yml"))
ORIGIN = ("_bucket", "_identity", "_loaded_at")


def ran(folder: Path) -> World:
    document = yaml.safe_load((folder / "pipeline.yml").read_text(encoding="utf-8"))
    pipeline = Pipeline.parse({"name": "flights", "connection": "acme"} | document, where=str(folder))
    world = World()
    world.pipelines.put(pipeline)
    root = folder / "objects"
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        world.put(str(path.relative_to(root)), path.read_bytes(), notify=2)
    world.run()
    return world


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def plain(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in ORIGIN}
    return dict(json.loads(json.dumps(kept, default=lambda value: value.isoformat())))


def counted(rows: list[Any]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_objects_become_the_rows_that_are_expected(name: str) -> None:
    world = ran(HERE / name)
    assert counted([plain(row) for row in world.table.rows]) == counted(lines(HERE / name / "expected.jsonl"))


@pytest.mark.parametrize("name", NAMES)
def test_bad_rows_are_set_aside_with_their_line_and_reason(name: str) -> None:
    expected = lines(HERE / name / "rejects.jsonl")
    found = sorted(ran(HERE / name).table.rejects, key=lambda row: (row["_key"], row["record"]))
    assert [(row["_key"], row["line"], row["text"]) for row in found] == [
        (e["key"], e["line"], e["text"]) for e in expected
    ]
    assert all(e["reason"] in row["reason"] for e, row in zip(expected, found, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_object_ended(name: str) -> None:
    world = ran(HERE / name)
    keys = {str(p.relative_to(HERE / name / "objects")) for p in (HERE / name / "objects").rglob("*") if p.is_file()}
    assert {key for _, key in world.ledger.stored} == keys
    assert {entry.state for entry in world.ledger.stored.values()} <= {"committed", "refused"}
    rows = Counter(row["_key"] for row in world.table.rows)
    assert rows == Counter({key: entry.rows for (_, key), entry in world.ledger.stored.items() if entry.rows})
    rejects = Counter(row["_key"] for row in world.table.rejects)
    assert rejects == Counter({key: entry.rejects for (_, key), entry in world.ledger.stored.items() if entry.rejects})


def test_there_are_scenarios() -> None:
    assert len(NAMES) >= 9
