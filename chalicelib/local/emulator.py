"""The embedded AWS: MiniStack as a child process, bound to 127.0.0.1, its state in a folder."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from chalicelib.errors import ConfigError
from chalicelib.local.account import OURS, REGION, SECRET, Account, without_aws

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
PYTHON_VARIABLE = "TIDEGATE_EMULATOR_PYTHON"
START_PATIENCE = 40.0  # seconds; it starts in half of one, unless an earlier one must first write its state
STOP_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running embedded AWS.

    `was_killed` says that the one before it on this folder had no chance to write its state: buckets and objects
    are as they were, everything else is as of its last clean stop.
    """

    endpoint: str
    data: Path
    pid: int
    region: str = REGION
    was_killed: bool = False

    def account(self, number: str = OURS) -> Account:
        """One of the emulator's accounts; any twelve digits make one."""
        return Account(number, self.endpoint, self.region)

    def env(self) -> dict[str, str]:
        """Environment variables that lead any AWS client to our own account here."""
        return self.account().env()


@contextmanager
def running(
    data: Path, *, port: int = 0, region: str = REGION, environ: Mapping[str, str] = os.environ
) -> Iterator[Emulator]:
    """The emulator, started on the state in `data` (made if missing) and stopped at the end.

    `port` 0 takes a free one. If this process is killed, the emulator writes its state and stops too.

    Raises:
        ConfigError: MiniStack is not installed, the port is taken, or another emulator runs on `data`.
    """
    python, port = interpreter(environ), port or free_port()
    data = data.resolve()
    (data / "tmp").mkdir(parents=True, exist_ok=True)
    token = uuid4().hex
    with (data / "emulator.log").open("w") as log:
        child = subprocess.Popen(
            [python, Path(__file__).with_name("guardian.py"), data],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=without_aws(environ) | ministack_env(data, port, region, token),
            # A Ctrl-C at the terminal is for us: the functions may still need the emulator to finish.
            start_new_session=True,
        )
    try:
        endpoint = f"http://{HOST}:{port}"
        await_health(child, endpoint, token, data)
        yield Emulator(endpoint, data, child.pid, region, was_killed=(data / "killed").exists())
    finally:
        stop(child)


def interpreter(environ: Mapping[str, str]) -> Path:
    """The Python that has MiniStack: TIDEGATE_EMULATOR_PYTHON, else `.venv-emulator/` beside app.py."""
    python = Path(environ.get(PYTHON_VARIABLE) or ROOT / ".venv-emulator" / "bin" / "python")
    if not python.exists():
        raise ConfigError(
            "the embedded AWS is not installed",
            where=str(python),
            remedy=f"Run `make` to install it, or name a Python that has MiniStack in {PYTHON_VARIABLE}.",
        )
    return python


def ministack_env(data: Path, port: int, region: str, token: str) -> dict[str, str]:
    """What MiniStack is told. `token` comes back in its health report, so that we know whose answer it is."""
    return {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": OURS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": OURS,
        "MINISTACK_EDITION": token,
        "MINISTACK_REGION": region,
        "PERSIST_STATE": "1",
        "S3_DATA_DIR": str(data / "s3"),
        "S3_PERSIST": "1",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(data / "state"),
        "TMPDIR": str(data / "tmp"),
    }


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def await_health(child: subprocess.Popen[bytes], endpoint: str, token: str, data: Path) -> None:
    """Wait until the child itself answers: another emulator on the same port is not taken for it."""
    deadline = time.monotonic() + START_PATIENCE
    while edition(endpoint) != token:
        if child.poll() is not None or time.monotonic() > deadline:
            raise ConfigError(
                f"the embedded AWS did not start: {last_line(data / 'emulator.log')}",
                where=f"{endpoint}, {data}",
                remedy="Stop what is in the way, or choose another --port or --data.",
            )
        time.sleep(0.05)


def edition(endpoint: str) -> str:
    """What the emulator at `endpoint` calls itself, or nothing if none answers."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5) as answer:  # noqa: S310  # nosec B310
            return str(json.load(answer).get("edition", ""))
    except (OSError, ValueError, urllib.error.URLError):
        return ""


def last_line(log: Path) -> str:
    """The last thing the child said; indented lines only explain the one above them."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line and not line[0].isspace()]
    return lines[-1] if lines else "it said nothing"


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ask the child to write its state and go; closing its standard input would do as well."""
    child.terminate()
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
