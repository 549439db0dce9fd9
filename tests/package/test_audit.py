"""`make audit`: findings fail it; nobody to ask does not, and is not taken for an audit."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import main

FLAW = {"id": "PYSEC-1", "fix_versions": ["6.0"], "aliases": [], "description": ""}
CLEAN = {"name": "boto3", "version": "1.0", "vulns": []}
FLAWED = {"name": "pyyaml", "version": "5.3", "vulns": [FLAW]}
UNKNOWN = {"name": "rich", "skip_reason": "not found"}


def auditor(folder: Path, canary: Any, pinned: Any, before: str = "") -> list[str]:
    """A command like pip-audit that gives these answers, and fails as it does when it found something."""
    answers = {"canary": canary, "pinned": pinned}
    program = folder / "auditor.py"
    program.write_text(
        f"import json, sys, time\n{before}\n"
        f"answers = json.loads({json.dumps(json.dumps(answers))})\n"
        "asked = open(sys.argv[sys.argv.index('--requirement') + 1]).read()\n"
        "answer = answers['canary' if asked == 'pyyaml==5.3\\n' else 'pinned']\n"
        "print(answer if isinstance(answer, str) else json.dumps({'dependencies': answer, 'fixes': []}))\n"
        "sys.exit('vulns' in str(answer) and 'PYSEC' in str(answer))\n"
    )
    return [sys.executable, str(program)]


@pytest.mark.parametrize(
    "canary, pinned, code, said",
    [
        ([FLAWED], [CLEAN], 0, "No vulnerability is known"),
        ([FLAWED], [CLEAN, UNKNOWN], 0, "rich: not known to the service, so not audited"),
        ([FLAWED], [CLEAN, FLAWED], 1, "pyyaml 5.3: PYSEC-1, mended in 6.0"),
        ([FLAWED], [{**FLAWED, "vulns": [{**FLAW, "fix_versions": []}]}], 1, "no release yet"),
        ([FLAWED], "Traceback", 0, "stopped answering"),
        ([UNKNOWN], [UNKNOWN], 0, "Not audited"),
        ([CLEAN], [CLEAN], 0, "Not audited"),
        ("", "", 0, "Not audited"),
        ("[]", "", 0, "Not audited"),
    ],
)
def test_only_findings_fail(
    canary: Any, pinned: Any, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(auditor(tmp_path, canary, pinned)) == code
    assert said in capsys.readouterr().out


def test_a_service_that_hangs_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(auditor(tmp_path, [], [], before="time.sleep(60)"), patience=0.5) == 0
    assert "Not audited" in capsys.readouterr().out


def test_an_auditor_that_is_not_installed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 0
    assert "Not audited" in capsys.readouterr().out
