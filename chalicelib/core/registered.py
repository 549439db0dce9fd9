"""Plain Parquet files as a catalogue of engines knows them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registered:
    """A table of the catalogue. Columns are pairs of name and type, in Athena's words."""

    database: str
    name: str
    columns: tuple[tuple[str, str], ...]
    keys: tuple[tuple[str, str], ...]  # of the partitions, in the order of the folders; they are no columns
    location: str  # URI without a trailing slash
