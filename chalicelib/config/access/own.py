"""Credentials that are there already where Tidegate runs."""

from typing import Literal

from pydantic import Field

from chalicelib.config.access.way import Way


class Default(Way):
    """Whatever Tidegate runs as: its functions' own roles, which a bucket's policy may name (F8)."""

    auth_method: Literal["default"] = "default"


class Profile(Way):
    """A profile of the AWS configuration, on a laptop; functions have none."""

    auth_method: Literal["profile"] = "profile"
    profile_name: str = Field("default", min_length=1, description="A profile of ~/.aws/config or ~/.aws/credentials.")


class Env(Way):
    """AWS_ACCESS_KEY_ID and its companions, on a laptop; a function's are those of its own role."""

    auth_method: Literal["env"] = "env"
