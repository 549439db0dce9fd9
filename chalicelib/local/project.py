"""What the Chalice application listens to, read from the application itself and from its config.json."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from chalice.app import Chalice, ScheduledEventConfig, SQSEventConfig
from chalice.config import Config

ROOT = Path(__file__).parents[2]
DEFAULT_TIMEOUT = 60  # seconds and MiB, as Chalice deploys a function that says nothing
DEFAULT_MEMORY = 128


@dataclass(frozen=True, slots=True)
class Function:
    """A handler as Lambda would know it. `timeout` in seconds, `memory` in MiB."""

    handler: str
    name: str
    timeout: int
    memory: int
    environ: Mapping[str, str]
    policy_file: str | None  # in .chalice/; None: the function has no policy of its own


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A function that a queue's messages wake, at most `batch_size` at a time."""

    function: Function
    queue: str
    batch_size: int


@dataclass(frozen=True, slots=True)
class Project:
    """A Chalice application: its folder, the module that has its `app`, and the stage whose configuration counts."""

    root: Path = ROOT
    module: str = "app"
    stage: str = "dev"
    config: Mapping[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read config.json once."""
        path = self.root / ".chalice" / "config.json"
        object.__setattr__(self, "config", json.loads(path.read_text()) if path.exists() else {})

    def app(self) -> Chalice:
        """The application, imported into this process."""
        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        loaded: Chalice = import_module(self.module).app
        return loaded

    def function(self, handler: str) -> Function:
        """What config.json says of one handler, by Chalice's own rules of precedence."""
        scoped = Config(self.stage, handler, config_from_disk=dict(self.config))
        return Function(
            handler=handler,
            name=f"{self.app().app_name}-{self.stage}-{handler}",
            timeout=scoped.lambda_timeout or DEFAULT_TIMEOUT,
            memory=scoped.lambda_memory_size or DEFAULT_MEMORY,
            environ=scoped.environment_variables,
            policy_file=scoped.iam_policy_file,
        )

    def queues(self, stack: str) -> list[QueueSource]:
        """Who listens to which queue of `stack`: the application's name at the head of a queue's name is replaced."""
        app = self.app()
        return [
            QueueSource(self.function(each.name), renamed(each.queue, app.app_name, stack), each.batch_size)
            for each in app.event_sources
            if isinstance(each, SQSEventConfig) and each.queue
        ]

    def schedules(self) -> list[Function]:
        """The functions that wait for a time."""
        events = self.app().event_sources
        return [self.function(each.name) for each in events if isinstance(each, ScheduledEventConfig)]


def renamed(queue: str, app: str, stack: str) -> str:
    """`tidegate-tasks` of application `tidegate` is `blue-tasks` in stack `blue`."""
    return stack + queue.removeprefix(app) if queue.startswith(f"{app}-") else queue
