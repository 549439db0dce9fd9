"""Where a connection's requests go, and how they name the bucket: one answer for the three clients that send them."""

from typing import Any

from botocore.config import Config

from chalicelib.config.connection import Connection

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 6},  # beyond that the queue delivers again
    connect_timeout=5,  # seconds
    read_timeout=60,  # seconds; a long poll of SQS takes 20
    tcp_keepalive=True,
    max_pool_connections=16,
    user_agent_extra="tidegate",
)


def client_arguments(connection: Connection) -> dict[str, Any]:
    """What botocore's `create_client` is told of a connection's network."""
    return {"region_name": connection.region, "config": CONFIG}
