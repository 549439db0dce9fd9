"""Zip files whose bytes follow from their contents alone: sorted names, one date, fixed permissions."""

import zipfile
from pathlib import Path

OLDEST = (1980, 1, 1, 0, 0, 0)


def append(folder: Path, archive: Path) -> None:
    """Add all files under `folder` to the end of a zip, which is made if it is not there."""
    with zipfile.ZipFile(archive, "a") as opened:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o755 << 16  # Lambda's user must be able to read it, and the loader to map it
            opened.writestr(entry, path.read_bytes())
