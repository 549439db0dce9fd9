"""The search for planted secrets in all that the suite produces, as a plugin of pytest.

Each secret that a test hands to Tidegate has `planted` in it (tests/planted.py); those that STS gives out, and those
that are kept in Secrets Manager or Parameter Store, are watched as well, whatever they look like. This looks for them
in what is printed and logged, in the text of every error of ours, in every call of AWS but those that keep secrets (so
in DynamoDB's items, queues' messages, files of ours and tables' metadata), and in whatever the fakes of stores
remember. A test in which one is found fails, even if the code under test swallowed everything.

A test that has to print one (because it proves that this search finds it) is marked `leaks`.
"""

import functools
import io
import json
import logging
import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.errors import TidegateError
from tests.planted import MARK

FAKES = ("tests.fakes", "tests.flows.world")
WIRES = ("tests.fakes.wire", "tests.fakes.gate")  # what goes to AWS is signed, and has a session's token with it
KEEPERS = frozenset({"secretsmanager", "ssm"})
MAKERS = frozenset({"iam", "sts"})
SECRET = re.compile("secret|token|password")
SHORTEST = 12  # characters of a secret that is watched without having the mark
MOST = 24  # of these that are looked for at a time: the latest

leaks: list[str] = []
watched: "deque[str]" = deque(maxlen=MOST)
kept: set[str] = set()  # all that were ever put into a keeper


def secret_in(text: str) -> str | None:
    """The first secret in the text."""
    if MARK in text.replace("planted.py", ""):  # as two files of the suite are called
        return MARK
    return next((secret for secret in watched if secret in text), None)


def note(channel: str, value: Any) -> None:
    """Remember it if a value that went out by this channel holds a secret."""
    for text in texts(value):
        found = secret_in(text)
        if found is not None:
            place = text.index(found)
            around = text[max(place - 60, 0) : place] + "<here>" + text[place + len(found) :][:20]
            leaks.append(f"{channel}: …{around}…")


def texts(value: Any) -> Iterator[str]:
    """All texts within plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("latin-1")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(key)
            yield from texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, io.BytesIO):
        yield value.getvalue().decode("latin-1")


def watch(service: str, operation: str, told: Any, answer: Any) -> None:
    """Secrets that AWS gave out or was given to keep."""
    if service == "sts" and isinstance(answer, Mapping) and "Credentials" in answer:
        for name in ("SecretAccessKey", "SessionToken"):
            _watch(answer["Credentials"].get(name))
    elif service in KEEPERS:
        for place in (told, answer, answer.get("Parameter", {}) if isinstance(answer, Mapping) else {}):
            for name in ("SecretString", "Value"):
                for secret in _values(place.get(name) if isinstance(place, Mapping) else None):
                    _watch(secret)
                    kept.add(secret)


def _values(text: Any) -> list[Any]:
    """What is kept as a JSON object is the values in it; names of keys are no secret."""
    try:
        document = json.loads(text)
    except (TypeError, ValueError):
        return [text] if isinstance(text, str) and len(text) >= SHORTEST else []
    values = document.items() if isinstance(document, dict) else ()
    return [value for name, value in values if isinstance(value, str) and SECRET.search(name)]


def _watch(secret: Any) -> None:
    if isinstance(secret, str) and len(secret) >= SHORTEST and MARK not in secret and secret not in watched:
        watched.append(secret)


def search(folder: Path) -> None:
    """All files below the folder in which an embedded AWS has its state; raises AssertionError if a secret is there.

    Those of the services that keep secrets, and of those that make them, are passed over.
    """
    secrets = [MARK.encode(), *(secret.encode() for secret in kept if len(secret) >= SHORTEST)]
    for file in folder.rglob("*"):
        if file.is_file() and file.stem not in KEEPERS | MAKERS:
            text = file.read_bytes()
            found = next((secret for secret in secrets if secret in text), None)
            if found is not None:
                place = text.index(found)
                raise AssertionError(f"a secret is in {file}: …{text[max(place - 100, 0) : place]!r}")


def _calling(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def wrapped(self: Any, operation: str, told: Any) -> Any:
        service = self.meta.service_model.service_name
        if service not in KEEPERS:
            note(f"{service} {operation}", told)
        answer = call(self, operation, told)
        watch(service, operation, told, answer)
        return answer

    return wrapped


def _failing(make: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(make)
    def wrapped(self: TidegateError, what: str, *, where: str = "", remedy: str = "") -> None:
        note(f"error {type(self).__name__}", [str(what), str(where), str(remedy)])
        make(self, what, where=where, remedy=remedy)

    return wrapped


def _reading(read: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def wrapped(self: Any) -> Any:
        found = read(self)
        note("printed", [found.out, found.err])
        return found

    return wrapped


def _running(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        done = run(*arguments, **options)
        note("printed by a process", [done.stdout, done.stderr])
        return done

    return wrapped


class _Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(f"log {record.name}", self.format(record))


WRAPPED = (
    (BaseClient, "_make_api_call", _calling),
    (TidegateError, "__init__", _failing),
    (pytest.CaptureFixture, "readouterr", _reading),
    (subprocess, "run", _running),
)


def pytest_configure(config: pytest.Config) -> None:
    """Look at every way out, from the first test to the last."""
    config.addinivalue_line("markers", "leaks: prints a secret on purpose")
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in WRAPPED]
    for owner, name, wrap in WRAPPED:
        setattr(owner, name, wrap(getattr(owner, name)))
    handler = _Log()
    logging.getLogger().addHandler(handler)

    def restore() -> None:
        logging.getLogger().removeHandler(handler)
        for owner, name, original in before:
            setattr(owner, name, original)

    config.add_cleanup(restore)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """What a test's fakes remember."""
    for name, value in getattr(item, "funcargs", {}).items():
        if type(value).__module__.startswith(FAKES) and not type(value).__module__.startswith(WIRES):
            note(f"what {name} remembers", repr(value))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """A test in which a secret went out has failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    for title, text in report.sections:
        note(title, text)
    if leaks and report.when != "setup":
        if item.get_closest_marker("leaks") is None and report.outcome == "passed":
            report.outcome = "failed"
            report.longrepr = "A planted secret went out.\n" + "\n".join(dict.fromkeys(leaks))
        leaks.clear()
    return report
