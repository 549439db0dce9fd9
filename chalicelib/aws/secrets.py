"""Secrets that pipelines name, from Secrets Manager. Their values go nowhere but into the filter that asked (P9)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

PREFIX = "tidegate/"  # the functions may read nothing else
CONNECTIONS = "connections/"  # of a stack that is called tidegate (aws.vault)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by name, each fetched once a process."""

    client: "SecretsManagerClient"
    _known: dict[str, bytes] = field(default_factory=dict, repr=False)

    def __call__(self, name: str) -> bytes:
        """The secret `tidegate/<name>`.

        Raises ConfigError if there is none, or if it is a connection's; AccessDenied if we may not read it.
        """
        if name.startswith(CONNECTIONS):
            remedy = "Keep what a filter needs under another name"
            raise ConfigError("Only the connection may use its secret", where=f"secret {PREFIX}{name}", remedy=remedy)
        if name not in self._known:
            with translated(f"secret {PREFIX}{name}"):
                found = self.client.get_secret_value(SecretId=PREFIX + name)
            self._known[name] = found["SecretString"].encode() if "SecretString" in found else found["SecretBinary"]
        return self._known[name]
