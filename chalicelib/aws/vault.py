"""Vault: connections' keys, in Secrets Manager or in SSM's Parameter Store. Nothing of them is ever repeated (P9).

A secret's name follows from its connection's name, so that no document can point at another's.
"""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.errors import translated
from chalicelib.config.connection import Connection
from chalicelib.core.keys import Keys
from chalicelib.core.pasted import plain
from chalicelib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient

RECOVERY = 7  # days for which Secrets Manager keeps what was forgotten, the fewest it knows
FIELDS = ("access_key_id", "secret_access_key", "session_token", "expires_at", "proxy_password")
SIGNING = FIELDS[:3]
DESCRIPTION = "Keys of a Tidegate connection"


@dataclass(frozen=True, slots=True)
class AwsVault:
    """flows.ports.Vault over two stores; each connection names its own. Clients are made when they are needed.

    Raises AccessDenied if we may not, Throttled, SourceUnavailable.
    """

    secrets: Callable[[], "SecretsManagerClient"]
    parameters: Callable[[], "SSMClient"]
    stack: str = "tidegate"  # so that two of one account share no keys

    def get(self, connection: Connection) -> Keys | None:
        """What was kept for this connection, as it is now; None if nothing was.

        Raises ConfigError if somebody has put something else there.
        """
        with translated(self._where(connection)):
            text = self._parameter(connection) if _in_parameters(connection) else self._secret(connection)
        return None if text is None else _parsed(text, self._where(connection))

    def put(self, connection: Connection, keys: Keys) -> None:
        """Keep these keys instead of whatever was kept."""
        with translated(self._where(connection)):
            if _in_parameters(connection):
                self._put_parameter(connection, _text(keys))
            else:
                self._put_secret(connection, _text(keys))

    def forget(self, connection: Connection) -> None:
        """Delete what was kept, if anything was; Secrets Manager can bring it back for seven days."""
        with translated(self._where(connection)):
            if _in_parameters(connection):
                with _if_there("ParameterNotFound"):
                    self.parameters().delete_parameter(Name=self._name(connection))
            else:
                with _if_there("ResourceNotFoundException", "InvalidRequestException"):  # the second: is deleted
                    self.secrets().delete_secret(SecretId=self._name(connection), RecoveryWindowInDays=RECOVERY)

    def _name(self, connection: Connection) -> str:
        return f"{'/' if _in_parameters(connection) else ''}{self.stack}/connections/{connection.name}"

    def _where(self, connection: Connection) -> str:
        return f"{'parameter' if _in_parameters(connection) else 'secret'} {self._name(connection)}"

    def _secret(self, connection: Connection) -> str | None:
        with _if_there("ResourceNotFoundException", "InvalidRequestException"):
            return self.secrets().get_secret_value(SecretId=self._name(connection)).get("SecretString", "")
        return None

    def _parameter(self, connection: Connection) -> str | None:
        with _if_there("ParameterNotFound"):
            return self.parameters().get_parameter(Name=self._name(connection), WithDecryption=True)["Parameter"][
                "Value"
            ]
        return None

    def _put_secret(self, connection: Connection, text: str) -> None:
        name, client = self._name(connection), self.secrets()
        try:
            with _if_there("InvalidRequestException"):  # it does not wait for its deletion
                client.restore_secret(SecretId=name)
            client.put_secret_value(SecretId=name, SecretString=text)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=text, Description=DESCRIPTION)

    def _put_parameter(self, connection: Connection, text: str) -> None:
        # A session token may take more than the 4 KB of the standard tier.
        told: dict[str, Any] = {"Type": "SecureString", "Tier": "Intelligent-Tiering", "Description": DESCRIPTION}
        self.parameters().put_parameter(Name=self._name(connection), Value=text, Overwrite=True, **told)


def _in_parameters(connection: Connection) -> bool:
    return connection.secret_store == "parameter_store"  # noqa: S105 - a store's name


@contextmanager
def _if_there(*codes: str) -> "Iterator[None]":
    """Goes on if AWS says that there is nothing to do it to."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in codes:
            raise


def _text(keys: Keys) -> str:
    held = {name: getattr(keys, name) for name in FIELDS}
    held["expires_at"] = keys.expires_at and keys.expires_at.astimezone(UTC).isoformat()
    return json.dumps({name: value for name, value in held.items() if value})


def _parsed(text: str, where: str) -> Keys:
    try:
        held = json.loads(text)
        if isinstance(held, dict) and all(name in FIELDS and isinstance(held[name], str) for name in held):
            ends = _moment(held.pop("expires_at")) if "expires_at" in held else None
            # What no header can hold, such as a line's end, would be repeated by whoever fails to send it.
            signing = {name: plain(value, name, where=where) for name, value in held.items() if name in SIGNING}
            return Keys(**held | signing, expires_at=ends)
    except (ValueError, RecursionError, ConfigError):
        pass  # and forgotten, for it may repeat a part of the text
    remedy = f"Paste the keys again with `tidegate connection edit`, or store a JSON object of {', '.join(FIELDS)}"
    raise ConfigError("What is stored there are no keys of a connection", where=where, remedy=remedy)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
