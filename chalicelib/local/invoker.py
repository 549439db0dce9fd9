"""Calling a function: in a worker process, or in this one."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

from chalicelib.local.account import Account, without_aws
from chalicelib.local.context import Context
from chalicelib.local.outcome import Outcome, call
from chalicelib.local.project import ROOT, Function, Project
from chalicelib.local.roles import Role
from chalicelib.local.stack import Stack

HURRY = {
    "TIDEGATE_CLAIM_LEASE": "15",
    "TIDEGATE_TASK_LEASE": "15",
    "TIDEGATE_NUDGE_AFTER": "5",
    "TIDEGATE_RESEND_AFTER": "30",
}  # seconds: on a laptop nobody wants to wait two minutes for what a killed runtime held
START_TIMEOUT = 60.0  # seconds to import the application; a busy laptop is slower than Lambda's ten


class Invoker(Protocol):
    """Calls one function, one call at a time."""

    def warm(self) -> None:
        """Be ready for the first call."""

    def invoke(self, event: Mapping[str, Any]) -> Outcome:
        """Call the function with `event`."""

    def close(self) -> None:
        """End a call that is under way, and refuse others."""


class Worker:
    """Calls the function in a process of its own, which is killed when the function's time is up, and replaced."""

    def __init__(
        self,
        project: Project,
        function: Function,
        stack: Stack,
        environ: Mapping[str, str],
        output: BinaryIO | None = None,  # takes what the function prints; None: our own standard error
        role: Role | None = None,  # what the function runs as; None: the account's root
    ) -> None:
        self._function = function
        self._account = stack.account
        self._output = output
        self._command = [sys.executable, "-m", "chalicelib.local.worker", project.module, function.handler]
        path = os.pathsep.join([str(project.root), str(ROOT), environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        own = role.env() if role else {}
        self._environ = {**function_environ(function, stack, environ), **own, "PYTHONPATH": path}
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def warm(self) -> None:
        """Start the process, if none is running. A function that cannot be imported shows at its first call."""
        if self._closed or (self._process and self._process.poll() is None):
            return
        self._discard()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._output, env=self._environ
        )
        if not self._read(self._process, START_TIMEOUT):
            self._discard()

    def invoke(self, event: Mapping[str, Any]) -> Outcome:
        """Call the function; over its timeout the process is killed, as Lambda does."""
        self.warm()
        process = self._process
        if process is None or self._closed:
            return Outcome(failure="the function's process did not start")
        started = time.monotonic()
        answer = self._ask(process, event)
        if answer:
            return Outcome(**json.loads(answer))
        self._discard()
        late = time.monotonic() - started >= self._function.timeout
        reason = f"timed out after {self._function.timeout} seconds" if late else f"exited with {process.returncode}"
        return Outcome(failure=reason)

    def close(self) -> None:
        """Kill the process; a call under way fails."""
        self._closed = True
        self._discard()

    def _ask(self, process: subprocess.Popen[bytes], event: Mapping[str, Any]) -> bytes:
        """Send the call and wait for the answer; nothing if the process died over it."""
        request = {"event": event, "seconds": self._function.timeout, "context": names(self._function, self._account)}
        assert process.stdin
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        return self._read(process, self._function.timeout)

    @staticmethod
    def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """The next line, or nothing if it does not come in time: then the process is dead."""
        assert process.stdout
        alarm = threading.Timer(seconds, process.kill)
        alarm.start()
        try:
            return process.stdout.readline()
        finally:
            alarm.cancel()

    def _discard(self) -> None:
        """Be rid of the process and its pipes."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


class Inline:
    """Calls the function in this process, where a debugger can stop it. Timeouts are not enforced.

    `turn` is shared by all functions: one call at a time, since the environment is the whole process's.
    """

    def __init__(
        self, project: Project, function: Function, stack: Stack, environ: Mapping[str, str], turn: threading.Lock
    ) -> None:
        self._project = project
        self._function = function
        self._account = stack.account
        self._environ = function_environ(function, stack, environ)
        self._turn = turn

    def warm(self) -> None:
        """Nothing to do: the application is imported already."""

    def invoke(self, event: Mapping[str, Any]) -> Outcome:
        """Call the function, its environment variables set for the whole process."""
        with self._turn:
            os.environ.update(self._environ)
            handler = self._project.app().handler_map[self._function.handler]
            deadline = time.monotonic() + self._function.timeout
            return call(handler, event, Context(**names(self._function, self._account), deadline=deadline))

    def close(self) -> None:
        """Nothing to do: a call in this process cannot be ended."""


def function_environ(function: Function, stack: Stack, environ: Mapping[str, str]) -> dict[str, str]:
    """What the function finds in its environment: config.json, over it the shell's, over that where everything is."""
    lambda_own = {
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
    }
    return {**HURRY, **function.environ, **without_aws(environ), **stack.env(), **lambda_own}


def names(function: Function, account: Account) -> dict[str, Any]:
    """What the context says of function and call."""
    return {
        "function_name": function.name,
        "memory_limit_in_mb": function.memory,
        "invoked_function_arn": f"arn:aws:lambda:{account.region}:{account.number}:function:{function.name}",
        "aws_request_id": str(uuid4()),
    }
