"""Known vulnerabilities in what requirements.txt pins, as pip-audit knows them.

python -m scripts.audit

Exit code 0: none are known, or nobody could be asked, which is said; 1: some are. An answer without findings means
something only if the service knows anything: so an old release with a well-known flaw is asked for first, and if that
has none either, nothing was audited (a mirror of packages, for one, answers without knowing of flaws).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = ROOT / "requirements.txt"
CANARY = "pyyaml==5.3"  # yaml.load of it runs code: CVE-2020-14343
COMMAND = (str(Path(sys.executable).with_name("pip-audit")),)
OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", "10")
PATIENCE = 120  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said: findings as lines to print, and packages it does not know."""

    findings: tuple[str, ...]
    unknown: tuple[str, ...]


def main(command: Sequence[str] = COMMAND, *, patience: float = PATIENCE) -> int:
    """Ask, print, and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "requirements.txt"
        canary.write_text(f"{CANARY}\n")
        known = ask(command, canary, patience)
    if known is None or not known.findings:
        print("Not audited: no service of advisories is reachable from here.")
        return 0
    found = ask(command, PINNED, patience)
    if found is None:
        print("Not audited: the service of advisories stopped answering.")
        return 0
    for line in (*found.findings, *(f"{name}: not known to the service, so not audited" for name in found.unknown)):
        print(line)
    if not found.findings:
        print("No vulnerability is known in what requirements.txt pins.")
    return 1 if found.findings else 0


def ask(command: Sequence[str], requirements: Path, patience: float) -> Answer | None:
    """What is known of these pins; None if there was no answer in time, or none that can be understood."""
    arguments = [*command, *OPTIONS, "--requirement", str(requirements)]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=patience)
        packages = json.loads(done.stdout)["dependencies"]
        return Answer(
            tuple(_line(package, flaw) for package in packages for flaw in package.get("vulns", ())),
            tuple(package["name"] for package in packages if "skip_reason" in package),
        )
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None


def _line(package: dict[str, str], flaw: dict[str, list[str]]) -> str:
    mended = ", ".join(flaw.get("fix_versions") or ()) or "no release yet"
    return f"{package['name']} {package['version']}: {flaw['id']}, mended in {mended}"


if __name__ == "__main__":
    sys.exit(main())
