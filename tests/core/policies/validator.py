"""parliament, which knows AWS's actions, resources and condition keys, and none of our code."""

import json
import sys
import types
import warnings
from importlib.resources import files
from typing import Any

from chalicelib.core.policies.sheets import Place, Sheet


def _imported() -> Any:
    """The module. It asks for its files by way of `pkg_resources`, which setuptools does not bring any more."""
    stand_in = types.ModuleType("pkg_resources")
    stand_in.resource_filename = lambda package, name: str(files(package) / name)  # type: ignore[attr-defined]
    missing = sys.modules.setdefault("pkg_resources", stand_in) is stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves closing its files to the collector
            import parliament
    finally:
        if missing:
            del sys.modules["pkg_resources"]
    return parliament


PARLIAMENT = _imported()


def objections(document: dict[str, Any], *, resource: str | None = None) -> list[str]:
    """What it has against a policy. `resource`: what the policy belongs to, where statements do not repeat that."""
    statements = [_of_an_identity(statement, resource) for statement in document["Statement"]]
    found = PARLIAMENT.analyze_policy_string(
        json.dumps(document | {"Statement": statements}), ignore_private_auditors=True
    )
    return [f"{finding.issue}: {finding.detail}" for finding in found.findings]


def of_sheet(sheet: Sheet) -> list[str]:
    """What it has against a sheet that is a policy."""
    implied = sheet.target if sheet.place in (Place.ROLE_TRUST, Place.KEY_POLICY) else None
    return objections(sheet.document, resource=implied)


def _of_an_identity(statement: dict[str, Any], resource: str | None) -> dict[str, Any]:
    """It judges policies of identities; for others the principal is left out, and the resource written in."""
    rest = {key: value for key, value in statement.items() if key != "Principal"}
    return rest if resource is None else rest | {"Resource": resource}
