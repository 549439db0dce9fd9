"""Wiring in tests: forgotten between them, but for AWS's models, which take 0.1 s a service to read."""

from contextlib import suppress

from botocore.session import Session

from chalicelib import wiring
from chalicelib.errors import ConfigError
from chalicelib.local.account import models

LOADER = models()


def session(access: str = "testing", secret: str = "testing", region: str = "us-east-1") -> Session:
    """A session for Sessions, with keys and a region of its own."""
    made = from_environment()
    made.set_credentials(access, secret)
    made.set_config_variable("region", region)
    return made


def from_environment() -> Session:
    """A session with the keys and the region that are set there."""
    made = Session()
    made.register_component("data_loader", LOADER)
    return made


def forget() -> None:
    """Neither clients nor settings are remembered."""
    for part in vars(wiring).values():
        if hasattr(part, "cache_clear"):
            part.cache_clear()


def quicken() -> None:
    """Let the next clients share the models that others have read."""
    with suppress(ConfigError):  # of settings that are wrong on purpose
        wiring.sessions().base.register_component("data_loader", LOADER)
