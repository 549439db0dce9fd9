"""Everything on one machine: the embedded AWS, Tidegate's stack in it, and the runtime."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from chalicelib.local import emulator
from chalicelib.local.account import CUSTOMERS
from chalicelib.local.emulator import Emulator
from chalicelib.local.project import Project
from chalicelib.local.runtime import TICK, WORKERS, Runtime
from chalicelib.local.stack import VISIBILITY, Stack, provision

DATA = Path(".tidegate")
PORT = 4566


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. `port` 0 takes a free one; `visibility` and `tick` in seconds; `workers` 0 is for debugging."""

    data: Path = DATA
    port: int = PORT
    stack: str = "tidegate"
    workers: int = WORKERS
    visibility: int = VISIBILITY
    tick: float = TICK
    project: Project = field(default_factory=Project)


@dataclass(frozen=True, slots=True)
class Local:
    """What is up."""

    emulator: Emulator
    stack: Stack
    runtime: Runtime

    def env(self) -> dict[str, str]:
        """Environment variables for `tidegate`, the aws CLI and any AWS client."""
        return self.stack.env()


@contextmanager
def running(
    options: Options, environ: Mapping[str, str] = os.environ, output: BinaryIO | None = None
) -> Iterator[Local]:
    """Emulator, stack and runtime for the length of a block; `output` takes what the functions print.

    Raises:
        ConfigError: the emulator is not installed or cannot start, or the stack cannot be made.
    """
    with emulator.running(options.data, port=options.port, environ=environ) as cloud:
        stack = provision(cloud.account(), options.stack, visibility=options.visibility)
        runtime = Runtime(
            options.project, stack, workers=options.workers, tick=options.tick, environ=environ, output=output
        )
        with runtime:
            yield Local(cloud, stack, runtime)


def up(options: Options, say: Callable[[str], None] = print) -> None:
    """Run until SIGINT or SIGTERM; `say` gets what there is to know. Call it in the main thread.

    Raises:
        ConfigError: the emulator is not installed or cannot start, or the stack cannot be made.
    """
    show_log()
    stop = threading.Event()
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with running(options) as local:
            say(banner(local))
            stop.wait()
            say("Stopping; the state is kept.")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def show_log() -> None:
    """Let the runtime's log appear on standard error."""
    log = logging.getLogger("chalicelib.local")
    if not log.handlers:
        log.addHandler(logging.StreamHandler())
        log.setLevel(logging.INFO)


def banner(local: Local) -> str:
    """What is up, and how to use it."""
    exports = "\n".join(f"  export {name}={value}" for name, value in local.env().items())
    endpoint, arn = local.emulator.endpoint, local.stack.queue_arn("arrivals")
    lost = "The emulator was killed: all but buckets and objects is as of its last clean stop.\n"
    return f"""{lost if local.emulator.was_killed else ""}Tidegate is up on {endpoint}

To use it from another terminal:
{exports}

Our side (account {local.stack.account.number}):
  aws --endpoint-url {endpoint} dynamodb list-tables
  aws --endpoint-url {endpoint} sqs list-queues
  aws --endpoint-url {endpoint} glue get-tables --database-name tidegate

A customer (any twelve digits are an account; its number is its access key):
  export AWS_ACCESS_KEY_ID={CUSTOMERS}
  aws --endpoint-url {endpoint} s3 mb s3://acme-exports
  aws --endpoint-url {endpoint} s3api put-bucket-notification-configuration --bucket acme-exports \\
    --notification-configuration \\
    '{{"QueueConfigurations":[{{"QueueArn":"{arn}","Events":["s3:ObjectCreated:*"]}}]}}'
  aws --endpoint-url {endpoint} s3 cp flights.csv s3://acme-exports/flights/

The tables' files: s3://{local.stack.bucket}/warehouse
All state:         {local.emulator.data} (the emulator's log is emulator.log there)

Ctrl-C stops it and keeps the state."""
