"""Maintenance: what keeps an Iceberg table cheap to query, and its commits quick."""

from pydantic import Field

from chalicelib.config.spec import Spec

DAY = 24 * 60 * 60  # seconds
MIB = 1024 * 1024


class Maintenance(Spec):
    """How often, and how far (W16). Ages are seconds, sizes bytes."""

    enabled: bool = Field(True, description="Off: nothing happens on schedule; by hand it still can.")
    every: int = Field(3600, ge=60, description="Seconds between two runs.")
    target_file_size: int = Field(
        128 * MIB, ge=MIB, description="Bytes that compaction makes files of; those below three quarters are small."
    )
    min_files: int = Field(8, ge=2, description="Small files of one partition that are worth a compaction.")
    snapshot_age: int = Field(5 * DAY, ge=3600, description="Seconds that a snapshot stays readable.")
    keep_snapshots: int = Field(20, ge=1, description="The newest ones, which stay however old they are.")
    max_snapshots: int = Field(
        300, ge=1, description="Beyond this many they go before their age, but not in their first hour."
    )
    orphan_age: int = Field(3 * DAY, ge=DAY, description="Seconds before a file that no table names is looked at.")
