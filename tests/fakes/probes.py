"""A customer's account as probes see it. It sits the same exam as the real probes in tests/contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.config.connection import Connection
from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.roles import Attempt, ExternalId
from chalicelib.core.diagnosis.spots import Spot
from chalicelib.core.listing import Listed

PAGE = 1000
GIVEN = Answer(200, said={"arn": "arn:aws:sts::222222222222:assumed-role/reader/tidegate"})
DENIED = Answer(403, "AccessDenied", "Access Denied")


@dataclass
class FakeProbes:
    """Lets in who knows the external id, unless told otherwise by `refused`: the answers of single calls, by name."""

    buckets: Mapping[str, Mapping[str, Listed]] = field(default_factory=dict)
    region: str = "us-east-1"
    account: str = "123456789012"
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of queues, by their ARNs
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # notification configurations, by bucket
    refused: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def ourselves(self) -> Answer:
        said = {"arn": f"arn:aws:iam::{self.account}:user/operator", "account": self.account}
        return self._said("ourselves", Answer(200, said=said))

    def holder(self, connection: Connection) -> Answer:
        return self._said("holder", Answer(200, said={"arn": "arn:aws:iam::222222222222:user/gate"}))

    def between(self, grant: Grant) -> Answer:
        return self._said("between", GIVEN)

    def assume(self, grant: Grant, attempt: Attempt) -> Answer:
        self.attempts.append(attempt)
        right = attempt.external_id is ExternalId.RIGHT
        return self._said(f"assume {attempt.external_id.value}", GIVEN if right else DENIED)

    def bucket(self, spot: Spot) -> Answer:
        if spot.bucket not in self.buckets:
            return self._said("bucket", Answer(404, "404", "Not Found"))
        return self._said("bucket", Answer(200, headers={"x-amz-bucket-region": self.region}))

    def list(self, spot: Spot, *, owner: str | None = None, pays: bool = False) -> Answer:
        if spot.bucket not in self.buckets:
            return self._said("list", Answer(404, "NoSuchBucket", "The specified bucket does not exist"))
        found = [each for key, each in sorted(self.buckets[spot.bucket].items()) if key.startswith(spot.prefix)]
        more = {"more": "true"} if len(found) > PAGE else {}
        name = "list" + (" paid" if pays else "") + (" owned" if owner else "")
        return self._said(name, Answer(200, said=more, listed=tuple(found[:PAGE])))

    def head(self, spot: Spot, key: str) -> Answer:
        found = self.buckets.get(spot.bucket, {}).get(key)
        if found is None:
            return self._said("head", Answer(404, "404", "Not Found"))
        return self._said("head", Answer(200, headers={"content-length": str(found.ref.size)}))

    def get(
        self, spot: Spot, key: str, *, version: str | None = None, owner: str | None = None, pays: bool = False
    ) -> Answer:
        found = self.buckets.get(spot.bucket, {}).get(key)
        name = "get" + (" version" if version else "") + (" paid" if pays else "") + (" owned" if owner else "")
        if found is None:
            return self._said(name, Answer(404, "NoSuchKey", "The specified key does not exist."))
        if found.ref.size == 0:
            return self._said(name, Answer(416, "InvalidRange", "The requested range is not satisfiable"))
        return self._said(name, Answer(206))

    def tags(self, spot: Spot, key: str) -> Answer:
        return self._said("tags", Answer(200))

    def notification(self, spot: Spot) -> Answer:
        return self._said("notification", Answer(200, document=self.told.get(spot.bucket, {})))

    def queue_policy(self, queue: str) -> Answer:
        if queue not in self.policies:
            code = "AWS.SimpleQueueService.NonExistentQueue"
            return self._said("queue_policy", Answer(400, code, "The specified queue does not exist."))
        return self._said("queue_policy", Answer(200, document=self.policies[queue]))

    def _said(self, name: str, answer: Answer) -> Answer:
        self.asked.append(name)
        return self.refused.get(name, answer)
