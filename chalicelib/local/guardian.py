"""Runs MiniStack in MiniStack's own virtual environment, for as long as whoever started it lives.

MiniStack writes its state (all but S3) when it is asked to stop, and only then. So it must not die with its
parent, nor outlive it. Its standard input is a pipe that only the parent holds: however the parent ends, `kill -9`
included, the pipe closes, and MiniStack is asked to stop, writes its state and goes.

This file runs under another interpreter, by its path: it imports nothing but the standard library and MiniStack.
"""

import fcntl
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

PATIENCE = 15.0  # seconds a killed parent's emulator gets to write its state; it took 0.3 when measured


def main() -> None:
    """`guardian.py FOLDER`: hold the folder, then be MiniStack until stopped."""
    folder = Path(sys.argv[1])
    with (folder / "lock").open("a") as lock:
        hold(lock.fileno(), folder)
        running = mark(folder)
        threading.Thread(target=stop_with_parent, daemon=True).start()
        runpy.run_path(str(Path(__file__).with_name("mends.py")))["mend"]()
        sys.argv = ["ministack"]
        try:
            runpy.run_module("ministack", run_name="__main__")
        finally:
            running.unlink()


def hold(lock: int, folder: Path) -> None:
    """Be the only emulator on `folder`; the kernel lets go of the lock when this process ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit(f"another emulator is running on {folder}")
            time.sleep(0.05)


def mark(folder: Path) -> Path:
    """The file that says MiniStack runs. Finding one left over means that the last had no time to write its state."""
    running, killed = folder / "running", folder / "killed"
    killed.unlink(missing_ok=True)
    if running.exists():
        running.rename(killed)
    running.touch()
    return running


def stop_with_parent() -> None:
    """Wait for the end of standard input, then ask this process to stop."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
