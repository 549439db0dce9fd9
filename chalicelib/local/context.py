"""The second argument that Lambda hands to a function."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """What our functions, Chalice and Powertools read of Lambda's context."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    aws_request_id: str
    deadline: float
    """When the time is up, on the clock of `time.monotonic`."""
    function_version: str = "$LATEST"
    log_group_name: str = "local"
    log_stream_name: str = "local"

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may still run."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))
