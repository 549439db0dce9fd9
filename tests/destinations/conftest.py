"""An Iceberg table in a folder, with a scripted catalogue."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.destinations.scripted import ScriptedCatalog
from tests.destinations.staged import Place, place, sql_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[ScriptedCatalog]:
    with sql_catalog(tmp_path, ScriptedCatalog) as scripted:
        assert isinstance(scripted, ScriptedCatalog)
        yield scripted


@pytest.fixture
def there(tmp_path: Path, catalog: ScriptedCatalog) -> Place:
    return place("iceberg", tmp_path, catalog)
