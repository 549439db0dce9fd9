"""How to get into a customer's account: one of several methods, told apart by `auth_method` (F9)."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from chalicelib.config.access.keys import Anonymous, Basic, Session
from chalicelib.config.access.own import Default, Env, Profile
from chalicelib.config.access.roles import AssumeRole
from chalicelib.errors import ConfigError

Connection = Annotated[
    AssumeRole | Session | Basic | Anonymous | Default | Profile | Env, Field(discriminator="auth_method")
]
Method = type[AssumeRole | Session | Basic | Anonymous | Default | Profile | Env]
METHODS: dict[str, Method] = {
    "assume_role": AssumeRole,
    "session": Session,
    "basic": Basic,
    "anonymous": Anonymous,
    "default": Default,
    "profile": Profile,
    "env": Env,
}
USUAL = "assume_role"
SECRET = ("access_key_id", "secret_access_key", "session_token", "aws_access_key_id", "aws_secret_access_key")


def parse_connection(document: Mapping[str, Any], *, where: str) -> Connection:
    """The document as a connection; without `auth_method` it is assume_role.

    Raises ConfigError that names every faulty key, and the method that a key of another one belongs to; it never
    repeats a value.
    """
    name = document.get("auth_method", USUAL)
    method = METHODS.get(name) if isinstance(name, str) else None
    if method is None:
        raise ConfigError(
            f"auth_method is not one of {', '.join(METHODS)}", where=where, remedy="Choose one; nothing was changed"
        )
    problems = [problem for key in document if (problem := _stranger(key, method)) is not None]
    if problems:
        raise ConfigError("; ".join(problems), where=where, remedy="Take these keys out; nothing was changed")
    return method.parse(document, where=where)


def _stranger(key: str, method: Method) -> str | None:
    """Why a key of another method does not belong here; None if it does, or belongs nowhere."""
    if key in SECRET:
        return f"{key} does not belong into a document: `tidegate connection create` and `edit` ask for it"
    if key in method.model_fields:
        return None
    owners = [name for name, other in METHODS.items() if key in other.model_fields]
    return f"{key} is a key of {' and '.join(owners)}, not of {_name(method)}" if owners else None


def _name(method: Method) -> str:
    return next(name for name, other in METHODS.items() if other is method)
