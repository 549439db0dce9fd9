"""The dependencies as one zip, made for the functions' platform; kept until what it is made of changes."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.package import RUNTIME, PackageError, bundle
from scripts.package.runtime import compile_tree, runtime_python
from scripts.package.trim import is_shipped

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
NOT_SHIPPED = frozenset({"chalice"})
"""`chalice package` adds the part of itself that runs in a function; the rest, with pip in its wake, stays here."""

LARGE = 2**20
"""Libraries above this many bytes are stripped of symbols: zstandard alone falls from 11 MB to one."""


def roots(requirements: str) -> list[str]:
    """The requirements of a `requirements.in` that are shipped, without comments."""
    lines = (line.split("#")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line and line not in NOT_SHIPPED]


def build(project: Path, cache: Path) -> Path:
    """The zip of all dependencies. Raises PackageError if a wheel for the runtime cannot be had."""
    key = _key(project)
    archive = cache / f"vendor-{key}.zip"
    if not archive.exists():
        shutil.rmtree(cache, ignore_errors=True)
        folder = cache / "site-packages"
        folder.mkdir(parents=True)
        _install(project, folder)
        _trim(folder)
        _strip(folder)
        compile_tree(folder)
        unfinished = archive.with_suffix(".part")
        bundle.append(folder, unfinished)
        unfinished.rename(archive)
        shutil.rmtree(folder)
    return archive


def _key(project: Path) -> str:
    makers = (Path(__file__).with_name(f"{name}.py") for name in ("vendor", "trim", "runtime", "bundle"))
    sources = [project / "requirements.in", project / "requirements.txt", *makers]
    content = [path.read_bytes() for path in sources]
    tools = f"{runtime_python()} {shutil.which('strip')}".encode()
    return hashlib.sha256(b"\0".join([*content, tools])).hexdigest()[:16]


def _install(project: Path, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    target = ["--target", str(folder), "--only-binary", ":all:", "--implementation", "cp", "--python-version", RUNTIME]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    wanted = ["--constraint", str(project / "requirements.txt"), *roots((project / "requirements.in").read_text())]
    if subprocess.run([*pip, *target, *platforms, *wanted], check=False).returncode:
        raise PackageError("pip could not fetch wheels for the functions' platform; its own words are above")


def _trim(folder: Path) -> None:
    for path in list(folder.rglob("*")):
        if path.is_file() and not is_shipped(path.relative_to(folder).as_posix()):
            path.unlink()


def _strip(folder: Path) -> None:
    """Drop symbols; pyarrow's libraries hardly shrink and are left as they were published."""
    strip = shutil.which("strip")
    large = [
        path for path in sorted(folder.rglob("*.so")) if path.stat().st_size > LARGE and "pyarrow" not in path.parts
    ]
    if strip and large:
        subprocess.run([strip, "--strip-unneeded", *map(str, large)], check=True)
