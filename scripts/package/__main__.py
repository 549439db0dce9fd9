"""`python -m scripts.package --stage dev`: vendor, copy, chalice, bundle, gate, lint, try out; in that order."""

import argparse
import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

from scripts.package import PackageError, bundle, gate, smoke, template, vendor
from scripts.package.runtime import compile_tree, runtime_python

PROJECT = Path(__file__).resolve().parents[2]
BUILD = PROJECT / "build"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 with a package in `build/<stage>`, or 1 with the reason and nothing there."""
    parser = argparse.ArgumentParser(prog="python -m scripts.package", description=__doc__)
    parser.add_argument("--stage", default="dev", choices=("dev", "prod"))
    stage = parser.parse_args(arguments).stage
    try:
        _make(stage, BUILD / stage)
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


def _make(stage: str, target: Path) -> None:
    key = _key(stage)
    approval = target / "approved"
    if not (approval.exists() and approval.read_text() == key):
        shutil.rmtree(target, ignore_errors=True)
        judged = _build(stage, BUILD / "work" / stage)
        _judge(judged)
        (judged / "approved").write_text(key)
        judged.rename(target)
    _tell(target / "deployment.zip")


def _key(stage: str) -> str:
    """Changes whenever something that the package is made of does."""
    folders = ("chalicelib", ".chalice", "scripts/package")
    files = [path for folder in folders for path in sorted((PROJECT / folder).rglob("*")) if path.is_file()]
    files += [PROJECT / name for name in ("app.py", "requirements.in", "requirements-dev.txt", "requirements.txt")]
    digest = hashlib.sha256(f"{stage} {runtime_python()}".encode())
    for path in files:
        if "__pycache__" not in path.parts:
            digest.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _build(stage: str, work: Path) -> Path:
    """The folder with both files, made in `work`."""
    dependencies = vendor.build(PROJECT, BUILD / "vendor")
    shutil.rmtree(work, ignore_errors=True)
    project, made, code = (work / name for name in ("project", "made", "code"))
    template.copy_project(PROJECT, project)
    template.package(project, stage, made)
    archive = made / "deployment.zip"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(code)
    compile_tree(code)
    shutil.copy(dependencies, archive)
    bundle.append(code, archive)
    return made


def _judge(made: Path) -> None:
    """Raises PackageError if this must not be shipped."""
    archive = made / "deployment.zip"
    sam: dict[str, Any] = json.loads((made / "sam.json").read_text())
    found = gate.problems(gate.read(archive))
    found += [f"template: {finding}" for finding in template.lint(sam)]
    if found:
        raise PackageError("this must not be shipped:\n" + "\n".join(f"  - {problem}" for problem in found))
    if not smoke.try_out(archive, template.handlers(sam)):
        print("package: no Python 3.13 here, so imports were not tried out and nothing was precompiled;")
        print("package: every cold start then takes twice the CPU (bench/bench_start.py)")


def _tell(archive: Path) -> None:
    entries = gate.read(archive)
    unzipped = sum(entry.size for entry in entries)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    print(f"package: {archive.relative_to(PROJECT)} and sam.json, {len(entries)} files")
    print(
        f"package: {archive.stat().st_size / gate.MIB:.1f} MiB, {unzipped / gate.MIB:.1f} MiB unzipped, sha256 {digest}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
