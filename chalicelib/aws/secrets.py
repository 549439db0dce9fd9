"""Secrets that pipelines name, from Secrets Manager. Their values go nowhere but into the filter that asked (P9)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

PREFIX = "tidegate/"  # the functions may read nothing else


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by name, each fetched once a process."""

    client: "SecretsManagerClient"
    _known: dict[str, bytes] = field(default_factory=dict, repr=False)

    def __call__(self, name: str) -> bytes:
        """The secret `tidegate/<name>`. Raises ConfigError if there is none, AccessDenied if we may not read it."""
        if name not in self._known:
            with translated(f"secret {PREFIX}{name}"):
                found = self.client.get_secret_value(SecretId=PREFIX + name)
            self._known[name] = found["SecretString"].encode() if "SecretString" in found else found["SecretBinary"]
        return self._known[name]
