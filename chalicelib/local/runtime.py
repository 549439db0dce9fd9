"""Stands in for Lambda: polls the queues, ticks the minute, calls the application's own handlers."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.local.invoker import Inline, Invoker, Worker
from chalicelib.local.poller import Poller, Ticker, open_queue
from chalicelib.local.project import Function, Project
from chalicelib.local.roles import Role, function_role
from chalicelib.local.stack import Stack

log = logging.getLogger("chalicelib.local")

WORKERS = 2
TICK = 10.0  # a laptop's minute
STOP_PATIENCE = 10.0
PAUSE = 1.0  # seconds between attempts to reach an emulator that does not answer


class Runtime:
    """Runs `project` on `stack` from `start` to `stop`; as a context manager, for the length of a block.

    `workers` is how many calls of one function may run at a time, each in a process of its own, which may do what the
    function's policy allows. With 0 the functions run in this process, one at a time, as the account's root, for
    debugging. `tick` is the number of seconds between two calls of every schedule's handler, whatever its own rate;
    the first comes at once. `output` takes what the processes print.
    """

    def __init__(
        self,
        project: Project,
        stack: Stack,
        *,
        workers: int = WORKERS,
        tick: float = TICK,
        environ: Mapping[str, str] = os.environ,
        output: BinaryIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tick = tick
        self._clock = clock
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        turn = threading.Lock()

        @cache
        def role(handler: str) -> Role | None:
            return function_role(project, handler, stack) if workers else None

        def invoker(function: Function) -> Invoker:
            if workers:
                return Worker(project, function, stack, environ, output, role(function.handler))
            return Inline(project, function, stack, environ, turn)

        self.pollers = [
            Poller(source, open_queue(stack, source.queue, role(source.function.handler)), invoker(source.function))
            for source in project.queues(stack.name)
            for _ in range(max(1, workers))
        ]
        self.tickers = [Ticker(function, stack, invoker(function)) for function in project.schedules()]

    def __enter__(self) -> "Runtime":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to listen."""
        warmed: set[str] = set()
        for poller in self.pollers:
            name = poller.source.function.handler
            self._run(self._poll, poller, name not in warmed)
            warmed.add(name)
        for ticker in self.tickers:
            self._run(self._keep_time, ticker)

    def stop(self, patience: float = STOP_PATIENCE) -> None:
        """Take no more messages, let the calls under way finish for `patience` seconds, then kill them."""
        self._stopping.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for invoker in [each.invoker for each in self.pollers] + [each.invoker for each in self.tickers]:
            invoker.close()
        for thread in self._threads:
            thread.join(1.0)

    def _run(self, loop: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=loop, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _poll(self, poller: Poller, warm: bool) -> None:
        if warm:
            poller.invoker.warm()
        while not self._stopping.is_set():
            try:
                poller.step()
            except (ClientError, BotoCoreError) as error:
                log.warning("%s: the queue cannot be read: %s", poller.source.queue, error)
                self._stopping.wait(PAUSE)

    def _keep_time(self, ticker: Ticker) -> None:
        while True:
            ticker.step(self._clock())
            if self._stopping.wait(self._tick):
                return
