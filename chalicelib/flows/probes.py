"""Probes, as the doctor asks for them: in a module of their own, so that no function loads what the doctor knows."""

from typing import Protocol

from chalicelib.config.connection import Connection
from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.roles import Attempt
from chalicelib.core.diagnosis.spots import Spot


class Probes(Protocol):
    """Read-only calls, one each, whose refusals are answers: nothing here raises for what AWS says."""

    def ourselves(self) -> Answer: ...
    def holder(self, connection: Connection) -> Answer:
        """Whom AWS takes the connection's pasted keys for."""
        ...

    def between(self, grant: Grant) -> Answer:
        """The role in between, assumed."""
        ...

    def assume(self, grant: Grant, attempt: Attempt) -> Answer: ...
    def bucket(self, spot: Spot) -> Answer: ...
    def list(self, spot: Spot, *, owner: str | None = None, pays: bool = False) -> Answer:
        """One page of keys. `owner`: the account that must own the bucket; `pays`: we offer to pay."""
        ...

    def head(self, spot: Spot, key: str) -> Answer: ...
    def get(
        self, spot: Spot, key: str, *, version: str | None = None, owner: str | None = None, pays: bool = False
    ) -> Answer:
        """The object's first byte."""
        ...

    def tags(self, spot: Spot, key: str) -> Answer: ...
    def notification(self, spot: Spot) -> Answer: ...
    def queue_policy(self, queue: str) -> Answer:
        """The policy of one of our own queues, by its ARN."""
        ...
