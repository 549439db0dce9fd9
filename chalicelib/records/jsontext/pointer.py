"""JSON Pointers (RFC 6901)."""

from typing import Any

Path = tuple[str, ...]


def path(pointer: str) -> Path:
    """The steps of a pointer; none for the whole value."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def pointer(steps: Path) -> str:
    """The pointer with these steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def at(value: Any, steps: Path) -> Any:
    """What lies there; None if nothing does, just as for null."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and is_index(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def is_index(step: str) -> bool:
    """True for 0, 1, 2, …, which may mean an element of an array."""
    return step.isascii() and step.isdigit() and (step == "0" or step[0] != "0") and len(step) < 10
