"""Choices: how the first bytes of an input decide what is tried, and the rest is what it is tried on."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """An input, eaten from its start. Where it has ended, the first of everything is chosen."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """From 0 to `below` - 1, at most 255."""
        byte = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return byte % below

    def of(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.number(len(options))]

    def rest(self) -> bytes:
        """What nobody chose from."""
        return self._data[self._at :]
