"""A Python of the functions' version on this machine, if there is one: it compiles, and tries the package out."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.package import RUNTIME


@cache
def runtime_python() -> str | None:
    """The path of a Python 3.13 that starts, or None. Asks PATH first, then pyenv's usual folder."""
    return next((path for path in _candidates() if _version(path) == RUNTIME), None)


def _candidates() -> Iterator[str]:
    found = shutil.which(f"python{RUNTIME}")
    if found:
        yield found
    for path in sorted(Path.home().glob(f".pyenv/versions/{RUNTIME}.*/bin/python{RUNTIME}")):
        yield str(path)


def _version(python: str) -> str | None:
    """None also where `python` is a shim that leads to nothing."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([python, "-S", "-c", ask], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def compile_tree(folder: Path) -> None:
    """Put bytecode beside the sources under `folder`, valid whatever their times; nothing without a runtime Python."""
    python = runtime_python()
    if python is None:
        return
    options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/var/task"]
    environ = os.environ | {"PYTHONHASHSEED": "0"}  # the order of a constant set is written into the bytecode
    subprocess.run([python, "-m", "compileall", *options, str(folder)], check=True, env=environ)
