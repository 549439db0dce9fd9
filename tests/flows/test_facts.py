from dataclasses import replace

import pytest

from chalicelib.core.policies.sheets import Read
from chalicelib.flows.facts import Home, gathered
from tests.examples import grant, pipeline


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_queue_and_roles_lie_where_tidegate_runs(region: str, partition: str) -> None:
    home = Home("111111111111", region, "tide")
    assert home.queue == f"arn:{partition}:sqs:{region}:111111111111:tide-arrivals"
    assert home.functions == tuple(
        f"arn:{partition}:iam::111111111111:role/tide-{name}" for name in ("load", "sweep", "tick")
    )


def test_only_pipelines_of_the_connection_count() -> None:
    mine = pipeline(path="in/one.csv")
    other = pipeline(name="other").model_copy(update={"connection": "beta"})
    facts = gathered(grant(), [mine, other], Home("111111111111", "us-east-1", "tidegate"))
    assert facts.reads == (Read("acme-exports", "in/one.csv"),)


def test_pipelines_that_the_connection_is_not_for_any_more_open_nothing() -> None:
    narrowed = replace(grant(), connection=grant().connection.model_copy(update={"prefixes": ("in/",), "owner": "a"}))
    tags = {"type": "objects", "tags": True}
    wide = pipeline(path_prefix="", parser=tags).model_copy(update={"owner": "a"})
    others = pipeline(path_prefix="in/x/", parser=tags).model_copy(update={"owner": "b"})
    mine = pipeline(path_prefix="in/y/").model_copy(update={"owner": "a"})
    facts = gathered(narrowed, [wide, others, mine], Home("111111111111", "us-east-1", "tidegate"))
    assert facts.reads == (Read("acme-exports", "in/y/"),)


def test_what_a_pipeline_wants_beside_its_objects_is_told() -> None:
    tagged = pipeline(parser={"type": "objects", "tags": True})
    taking = tagged.model_copy(update={"out": tagged.out.model_copy(update={"on_delete": "delete_rows"})})
    (read,) = gathered(grant(), [taking], Home("111111111111", "us-east-1", "tidegate")).reads
    assert (read.tags, read.removals) == (True, True)
