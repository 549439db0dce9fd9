"""The operator's catalogue, opened."""

import json
from collections.abc import Callable, Mapping

from pyiceberg.catalog import Catalog, load_catalog

from chalicelib.errors import ConfigError


def opened(
    known: Mapping[str, str | None], given: Mapping[str, str], secret: str | None, secrets: Callable[[str], bytes]
) -> Catalog:
    """The catalogue with the properties that Tidegate knows; over them those given, over all those of the secret.

    Raises ConfigError if the secret is not a JSON object of texts.
    """
    plain = {name: value for name, value in known.items() if value is not None}
    return load_catalog(
        "tidegate", **plain | dict(given) | ({} if secret is None else _object(secret, secrets(secret)))
    )


def _object(name: str, text: bytes) -> dict[str, str]:
    """The properties that are nobody's business: no error repeats them (P9)."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    raise ConfigError(
        "the catalogue's secret is not a JSON object of texts",
        where=f"secret tidegate/{name}",
        remedy='Store it like {"credential": "id:secret"}',
    )
