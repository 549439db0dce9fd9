"""What operators declare stays consistent (F5, F17, F19, P10)."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config.connection import parse_connection
from chalicelib.config.destination import Mode
from chalicelib.config.pipeline import Pipeline
from chalicelib.errors import ConfigError
from chalicelib.flows.admin import Admin
from tests.examples import BUCKET, grant, pipeline
from tests.fakes.stores import FakeConnections, FakePipelines


def admin(*names: str) -> Admin:
    made = Admin(FakeConnections(), FakePipelines(), lambda _: None, lambda _: None)
    for name in names:
        made.connections.add(grant(name=name))
    return made


def test_who_asks_for_what_is_not_there_is_told_what_is() -> None:
    with pytest.raises(ConfigError, match="There are none yet"):
        admin().connection("acme")
    with pytest.raises(ConfigError, match="There are: acme, beta"):
        admin("beta", "acme").connection("gamma")
    with pytest.raises(ConfigError, match="pipeline flights: there is no pipeline"):
        admin("acme").pipeline("flights")
    with pytest.raises(ConfigError, match="there is no pipeline"):
        admin().delete("flights")


def test_a_pipeline_needs_its_connection() -> None:
    made = admin()
    with pytest.raises(ConfigError, match="connection acme"):
        made.apply(pipeline())
    assert made.pipelines.all() == []


def test_what_replaces_a_table_has_it_for_itself() -> None:
    made = admin("acme")
    made.apply(pipeline())
    made.apply(pipeline("more"))
    replacing = pipeline("whole").model_copy(update={"out": pipeline().out.model_copy(update={"mode": Mode.REPLACE})})
    with pytest.raises(ConfigError, match=r"iceberg:travel\.flights too, whose whole content whole replaces"):
        made.apply(replacing)
    made.delete("flights")
    made.delete("more")
    made.apply(replacing)
    made.apply(replacing)
    with pytest.raises(ConfigError, match="pipeline whole writes to"):
        made.apply(pipeline())


@pytest.mark.parametrize("limits", [{"buckets": ["other"]}, {"prefixes": ["out/"]}, {"owner": "alice"}])
def test_a_pipeline_outside_its_connection_is_refused(limits: dict[str, Any]) -> None:
    made = admin()
    made.connections.add(grant(**limits))
    with pytest.raises(ConfigError, match="pipeline flights"):
        made.apply(pipeline())
    assert made.pipelines.all() == []


def owned(owner: str | None) -> Pipeline:
    return pipeline().model_copy(update={"owner": owner})


def test_a_pipeline_may_use_its_owners_connections_and_nobodys() -> None:
    made = admin()
    made.connections.add(grant(owner="alice"))
    for owner in (None, "bob"):
        with pytest.raises(ConfigError, match=r"connection acme is for pipelines of alice.* Say `owner` in the"):
            made.apply(owned(owner))
    made.apply(owned("alice"))
    assert made.pipeline("flights").owner == "alice"


@pytest.mark.parametrize("owner", [None, "bob"])
def test_an_owner_is_neither_changed_nor_edited_away(owner: str | None) -> None:
    made = admin("acme")
    made.apply(owned(None))
    made.apply(owned("alice"))
    with pytest.raises(ConfigError, match="it is alice's, and an owner never changes"):
        made.apply(owned(owner))
    assert made.pipeline("flights").owner == "alice"
    made.delete("flights")
    made.apply(owned(owner))


def test_a_pipeline_is_stored_changed_and_deleted() -> None:
    made = admin("acme")
    assert made.apply(pipeline()) == ()
    changed = pipeline(path_prefix="/in/")
    (warning,) = made.apply(changed)
    assert "slash" in warning
    assert made.pipeline("flights") == changed
    made.delete("flights")
    assert made.pipelines.watching(BUCKET) == []


@pytest.mark.parametrize("what", ["table", "database"])
def test_a_pipeline_whose_table_is_missing_and_may_not_be_made_is_refused(what: str) -> None:
    made = replace(admin("acme"), lacks=lambda out: what if out.table == "flights" else None)
    with pytest.raises(ConfigError, match=f"no {what} iceberg:travel.flights, and out.auto_create_{what} is false"):
        made.apply(pipeline())
    assert made.pipelines.all() == []


@pytest.mark.parametrize(("before", "after"), [(Mode.APPEND, Mode.REPLACE), (Mode.REPLACE, Mode.APPEND)])
def test_a_pipeline_begins_or_ceases_to_replace_only_between_runs(before: Mode, after: Mode) -> None:
    """Half of such a run would be listed, or loaded, by other rules than the other half."""
    going = {"flights"}
    made = replace(admin("acme"), runs=lambda name: name in going)
    one = pipeline()
    made.apply(one.model_copy(update={"out": one.out.model_copy(update={"mode": before, "on_overwrite": None})}))
    other = one.model_copy(update={"out": one.out.model_copy(update={"mode": after, "on_overwrite": None})})
    with pytest.raises(ConfigError, match="while a run is not over"):
        made.apply(other)
    assert made.pipeline("flights").out.mode is before
    going.clear()
    made.apply(other)
    assert made.pipeline("flights").out.mode is after


@pytest.mark.parametrize(
    ("prefix", "table", "told"),
    [("in/logs/", "flights", True), ("", "flights", True), ("out/", "flights", False), ("in/logs/", "others", False)],
)
def test_who_brings_the_same_objects_into_the_same_table_is_told(prefix: str, table: str, told: bool) -> None:
    made = admin("acme")
    assert made.apply(pipeline("first")) == ()
    second = pipeline("second", path_prefix=prefix)
    warnings = made.apply(second.model_copy(update={"out": second.out.model_copy(update={"table": table})}))
    assert any("pipeline first reads" in warning for warning in warnings) is told


def test_who_adds_origin_columns_is_told_that_earlier_rows_stay_unknown() -> None:
    made, one = admin("acme"), pipeline()
    without = one.model_copy(update={"out": one.out.model_copy(update={"origin_columns": False})})
    assert made.apply(without) == ()
    assert made.apply(without) == ()
    assert any("cannot be told from others" in warning for warning in made.apply(one))
    assert made.apply(one) == ()


@pytest.mark.parametrize(("method", "warned"), [("profile", True), ("env", True), ("default", False)])
def test_whoever_uses_a_laptops_keys_is_told_that_functions_have_none(method: str, warned: bool) -> None:
    made = admin()
    laptop = parse_connection({"name": "acme", "auth_method": method}, where="test")
    made.connections.add(replace(grant(), connection=laptop))
    found = [warning for warning in made.apply(pipeline()) if "is for a laptop" in warning]
    assert bool(found) == warned
