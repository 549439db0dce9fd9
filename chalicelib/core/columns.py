"""How the columns of a pipeline come to be known."""

from chalicelib.config.columns import Column


def merge(known: tuple[Column, ...], seen: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of a pipeline after an object with the columns `seen`: known ones keep place and type (W9)."""
    names = {column.name for column in known}
    return known + tuple(column for column in seen if column.name not in names)
