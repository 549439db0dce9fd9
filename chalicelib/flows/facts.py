"""Facts: what the policies of a connection follow from, gathered from its pipelines and our own account."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.config.parsers.objects import Objects
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.policies.sheets import Facts, Read

READERS = ("load", "sweep", "tick")  # our functions that read customers' buckets


@dataclass(frozen=True, slots=True)
class Home:
    """Where Tidegate runs."""

    account: str  # twelve digits
    region: str
    stack: str

    @property
    def partition(self) -> str:
        """The ARN partition of the region."""
        start = self.region.partition("-")[0]
        return "aws-cn" if start == "cn" else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def queue(self) -> str:
        """The ARN of the queue that customers' buckets tell of their objects."""
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{self.stack}-arrivals"

    @property
    def functions(self) -> tuple[str, ...]:
        """The ARNs of the roles of the functions that read customers' buckets, as the template names them."""
        return tuple(f"arn:{self.partition}:iam::{self.account}:role/{self.stack}-{name}" for name in READERS)


def gathered(grant: Grant, pipelines: Iterable[Pipeline], home: Home) -> Facts:
    """The facts of one connection; `pipelines` may be all that there are.

    What the connection is not for (any more) is neither printed nor probed: pipelines may be older than its bounds.
    """
    return Facts(
        grant=grant,
        ours=home.account,
        region=home.region,
        queue=home.queue,
        functions=home.functions,
        reads=tuple(_read(each) for each in pipelines if _reads_over(grant, each)),
    )


def _reads_over(grant: Grant, pipeline: Pipeline) -> bool:
    connection, source = grant.connection, pipeline.source
    mine = pipeline.connection == connection.name
    return mine and connection.refusal(source.bucket, source.listed_prefix, owner=pipeline.owner) is None


def _read(pipeline: Pipeline) -> Read:
    source = pipeline.source
    return Read(
        bucket=source.bucket,
        prefix=source.listed_prefix,
        tags=isinstance(source.parser, Objects) and source.parser.tags,
        removals=pipeline.out.on_delete != "keep",
    )
