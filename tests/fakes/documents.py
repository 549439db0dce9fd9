"""Documents in memory, each written only over the version that its writer has read."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class FakeDocuments:
    """Versions are numbers. `before` holds what happens before the next writes, one each."""

    kept: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    before: list[Callable[[], None]] = field(default_factory=list)
    writes: int = 0

    def get(self, path: str) -> tuple[bytes, str] | None:
        return self.kept.get(path)

    def put(self, path: str, data: bytes, over: str | None) -> bool:
        if self.before:
            self.before.pop(0)()
        there = self.kept.get(path)
        if (there[1] if there else None) != over:
            return False
        self.writes += 1
        self.kept[path] = (data, f"v{self.writes}")
        return True
