"""What a connection is for, asked at every door that lists or reads: a pipeline may be older than its connection."""

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.listing import unlisted
from chalicelib.errors import ConfigError
from chalicelib.flows.ports import Connections


def check(grant: Grant, bucket: str, keys: str, *, owner: str | None) -> None:
    """Raises ConfigError if no pipeline of `owner` may list or read `keys` over this connection (F17).

    `keys` is a prefix or a key. What lies under an allowed prefix is allowed, so a listing is asked for once.
    """
    refused = grant.connection.refusal(bucket, keys, owner=owner)
    if refused:
        raise ConfigError(refused, where=f"s3://{bucket}/{keys}", remedy="Widen the connection or narrow the pipeline")


def check_listing(connections: Connections, pipeline: Pipeline, prefix: str) -> None:
    """Raises ConfigError if the pipeline may not have `prefix` listed, or may have nothing listed at all (F7, F17).

    A connection that was deleted is none of its business: whoever lists finds that out.
    """
    grant = connections.get(pipeline.connection)
    if grant is None:
        return
    if not grant.connection.can_list and pipeline.source.path is None:
        raise unlisted(grant.connection.name, f"pipeline {pipeline.name}")
    check(grant, pipeline.source.bucket, prefix, owner=pipeline.owner)
