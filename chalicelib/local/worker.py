"""A process in which one function runs, as in Lambda's execution environment: fresh, and one call at a time.

`python -m chalicelib.local.worker MODULE HANDLER` imports the application once and says so; then each line of
standard input is a call and each line of the old standard output its outcome. What the function prints goes to
standard error. When standard input ends, whoever asked is gone and the process ends at once, mid-call or not.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from importlib import import_module
from queue import SimpleQueue
from typing import Any, TextIO

from chalicelib.local.context import Context
from chalicelib.local.outcome import Handler, call


def main() -> None:
    """Serve calls until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runtime, which lets a call finish
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    calls: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=listen, args=(calls,), daemon=True).start()
    module, handler = sys.argv[1:]
    function = import_module(module).app.handler_map[handler]
    say(answers, {})
    while True:
        say(answers, serve(function, json.loads(calls.get())))


def listen(calls: "SimpleQueue[bytes]") -> None:
    """Hand on each line of standard input; end the process with the last."""
    for line in sys.stdin.buffer:
        calls.put(line)
    os._exit(0)


def serve(function: Handler, request: dict[str, Any]) -> dict[str, Any]:
    """One call: `{"event": …, "seconds": …, "context": {…}}`."""
    context = Context(**request["context"], deadline=time.monotonic() + request["seconds"])
    return asdict(call(function, request["event"], context))


def say(answers: TextIO, value: dict[str, Any]) -> None:
    """Write one line."""
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
