"""A virtual environment for each peer, made when it is first wanted: what one of them pins, another pins otherwise."""

import shutil
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
PLACE = Path(__file__).parents[1] / "build" / "bench" / "venvs"
NAMES = tuple(sorted(file.stem for file in (PEERS / "requirements").glob("*.txt")))


def interpreter(peer: str) -> Path | None:
    """The peer's interpreter, or None if its environment is not there, or is of other versions."""
    ready = PLACE / peer / ".ready"
    made = ready.exists() and ready.read_text() == _requirements(peer).read_text()
    return PLACE / peer / "bin" / "python" if made else None


def make(peer: str) -> Path | None:
    """The same, made if need be; None, with a word, if that fails: the others can be compared all the same."""
    found = interpreter(peer)
    if found is not None:
        return found
    place = PLACE / peer
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", _requirements(peer)], check=False)
    if done.returncode:
        print(f"{peer} could not be installed and is left out", file=sys.stderr)
        return None
    (place / ".ready").write_text(_requirements(peer).read_text())
    return python


def version(peer: str) -> str:
    """What is pinned of the peer itself."""
    lines = _requirements(peer).read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{peer}=="))


def _requirements(peer: str) -> Path:
    return PEERS / "requirements" / f"{peer}.txt"
