"""Which entries of an archive are read, and under which name."""

from chalicelib.config.patterns import compiled


def wanted(path: str, match: str | None) -> bool:
    """Whether this entry is a file that `match`, an RE2 pattern, is found in; folders and what macOS adds never are."""
    *folders, name = path.split("/")
    if path.endswith("/") or "__MACOSX" in folders or name.startswith("._") or name == ".DS_Store":
        return False
    return match is None or compiled(match).search(path) is not None


def named(of: str | None, path: str) -> str:
    """The name of an entry; `of` is the entry that the archive itself is, if it is one."""
    return f"{of}/{path}" if of else path
