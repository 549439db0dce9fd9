"""The loading function, as its own role, in a process where it never has time left: `python -m tests.local.hasty`.

It lives until it is ended.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.local.account import account_of
from chalicelib.local.context import Context
from chalicelib.local.invoker import names
from chalicelib.local.outcome import Handler, Outcome, call
from chalicelib.local.poller import Poller, open_queue
from chalicelib.local.project import Project
from chalicelib.local.roles import function_role
from chalicelib.local.stack import existing


@dataclass(frozen=True)
class NoTimeLeft:
    """Calls the function in this process, with nothing left of its time."""

    handler: Handler
    said: Mapping[str, Any]  # of function and call

    def warm(self) -> None:
        """It is imported."""

    def invoke(self, event: Mapping[str, Any]) -> Outcome:
        """Call it."""
        return call(self.handler, event, Context(**self.said, deadline=time.monotonic()))

    def close(self) -> None:
        """Nothing to do."""


def main() -> None:
    project, stack = Project(), existing(account_of(os.environ), os.environ["TIDEGATE_STACK"])
    source = next(each for each in project.queues(stack.name) if each.function.handler == "load")
    role = function_role(project, "load", stack)
    assert role is not None
    os.environ |= role.env()
    invoker = NoTimeLeft(project.app().handler_map["load"], names(source.function, stack.account))
    poller = Poller(source, open_queue(stack, source.queue, role), invoker)
    while True:
        poller.step()


if __name__ == "__main__":
    main()
