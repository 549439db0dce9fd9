"""The columns of pipelines, as one attempt knows them."""

from dataclasses import dataclass, field

from chalicelib.config.columns import Column
from chalicelib.flows.ports import Columns


@dataclass(frozen=True, slots=True)
class Settled:
    """Columns read once, and again only where an object has others.

    They only ever grow: an object whose columns are all known finds its own among them, whatever was added since. A
    read for each object of a task would cost more CPU than to read a small object (docs/cost.md).
    """

    store: Columns
    known: dict[str, tuple[Column, ...]] = field(default_factory=dict)

    def columns(self, name: str) -> tuple[Column, ...]:
        """What was settled when it was first asked for, or since then by this attempt; asked again while nothing is."""
        if not self.known.get(name):
            self.known[name] = self.store.columns(name)
        return self.known[name]

    def settle(self, name: str, seen: tuple[Column, ...], *, grow: bool = True) -> tuple[Column, ...]:
        """See flows.ports.Columns."""
        self.known[name] = self.store.settle(name, seen, grow=grow)
        return self.known[name]
