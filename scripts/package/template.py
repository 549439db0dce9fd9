"""The CloudFormation template: made by chalice in a clean copy of the project, judged by cfn-lint when expanded."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripts.package import PackageError

PROJECT_PARTS = ("app.py", "chalicelib", ".chalice")
REGION = "us-east-1"
"""chalice and the translator want one; nothing in the template depends on it."""


def copy_project(project: Path, target: Path) -> None:
    """What chalice packages, with no requirements: it would fetch them for this Python, not for the functions'."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", "deployments", "deployed")
    for part in PROJECT_PARTS:
        source = project / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=ignore)
        else:
            shutil.copy(source, target / part)
    (target / "requirements.txt").touch()


def package(project: Path, stage: str, target: Path) -> None:
    """`sam.json` and a `deployment.zip` without dependencies in `target`. Raises PackageError if chalice fails."""
    chalice = Path(sys.executable).with_name("chalice")
    command = [str(chalice), "package", "--stage", stage, "--merge-template", ".chalice/resources.json", str(target)]
    environ = os.environ | {"AWS_DEFAULT_REGION": REGION, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"chalice package failed:\n{done.stdout}{done.stderr}")


def lint(template: dict[str, Any]) -> list[str]:
    """Errors and warnings of cfn-lint on the template with SAM's short forms expanded: it sees little in them."""
    from cfnlint.api import lint_all  # type: ignore[import-untyped]  # takes seconds to import

    found = [match for match in lint_all(json.dumps(_expanded(template))) if not match.rule.id.startswith("I")]
    return [f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}" for match in found]


def handlers(template: dict[str, Any]) -> list[str]:
    """The names of the functions' handlers in app.py."""
    return [properties["Handler"].removeprefix("app.") for properties in _functions(template)]


def _functions(template: dict[str, Any]) -> list[dict[str, Any]]:
    resources = template["Resources"].values()
    return [resource["Properties"] for resource in resources if resource["Type"] == "AWS::Serverless::Function"]


class _NoManagedPolicies:
    """Stands where the translator would ask AWS for the names of managed policies; ours are written out."""

    def load(self) -> dict[str, str]:
        return {}


def _expanded(template: dict[str, Any]) -> dict[str, Any]:
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    from samtranslator.public.exceptions import InvalidDocumentException  # type: ignore[import-untyped]
    from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

    uploaded = copy.deepcopy(template)  # the translator writes into what it is given
    for properties in _functions(uploaded):
        properties["CodeUri"] = "s3://bucket/deployment.zip"  # as `aws cloudformation package` will do
    try:
        return dict(transform(uploaded, {}, _NoManagedPolicies()))
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise PackageError(f"SAM cannot expand the template: {causes}") from None
