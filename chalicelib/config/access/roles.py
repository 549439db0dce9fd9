"""Roles that we assume: the customer's, straight or through somebody in between."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from chalicelib.config.access.way import ACCOUNT, REGION, Way
from chalicelib.config.spec import Spec

ROLE = "[A-Za-z0-9_+=,.@/-]+"  # not \\w, which takes letters that AWS does not
ROLE_ARN = rf"^arn:aws[a-z-]*:iam::[0-9]{{12}}:role/{ROLE}$"
A_ROLE = "arn:aws:iam::222222222222:role/reader"
USER_ARN = rf"^arn:aws[a-z-]*:iam::[0-9]{{12}}:user/{ROLE}$"
SESSION = r"^[A-Za-z0-9_+=,.@-]{2,64}$"
CHAINED_SECONDS = 3600  # STS caps a role that is assumed from role credentials at one hour (F3, E26)


class ThroughUser(Spec):
    """A user who may do nothing but assume the role; the connection's keys are this user's."""

    type: Literal["user"] = "user"
    user_arn: str = Field(
        pattern=USER_ARN,
        max_length=2048,
        description="The user whom the role's trust policy names.",
        examples=["arn:aws:iam::222222222222:user/tidegate"],
    )


class ThroughRole(Spec):
    """A role in between, which we assume first: the customer's trust policy names it, or one session of it."""

    type: Literal["role"] = "role"
    role_arn: str = Field(
        pattern=ROLE_ARN, max_length=2048, description="Usually a role of our own account.", examples=[A_ROLE]
    )
    session_name: str | None = Field(
        None, pattern=SESSION, description="Left out: the connection's. Part of the principal if `principal: session`."
    )
    principal: Literal["role", "session"] = Field(
        "role", description="Whether the customer's trust policy names the role, or its session by name (E27)."
    )


Through = Annotated[ThroughUser | ThroughRole, Field(discriminator="type")]


class AssumeRole(Way):
    """A role that the customer made for us: assumed with an external id that Tidegate chose (F1, F2, F5)."""

    auth_method: Literal["assume_role"] = "assume_role"
    role_arn: str | None = Field(
        None,
        pattern=ROLE_ARN,
        max_length=2048,
        description="The role, not a user's ARN; with its path, if it has one.",
        examples=[A_ROLE],
    )
    account_id: str | None = Field(None, pattern=ACCOUNT, description="Instead of `role_arn`, with `role_name` (F2).")
    role_name: str | None = Field(None, pattern=rf"^{ROLE}$", description="With its path, if the role has one.")
    arn_partition: str = Field("aws", pattern=r"^aws[a-z-]*$", description="aws, aws-cn or aws-us-gov.")
    session_name: str = Field("tidegate", pattern=SESSION, description="Shows in the customer's CloudTrail (F4).")
    duration_in_seconds: int = Field(
        CHAINED_SECONDS,
        ge=900,
        le=43200,
        description="How long each session lasts; over 3600 only through a user (F3).",
    )
    session_tags: dict[str, str] = Field({}, description="Tags of the session, for conditions on aws:PrincipalTag.")
    source_identity: str | None = Field(
        None, pattern=SESSION, description="Stays with the session through every further role, and in CloudTrail."
    )
    sts_region: str | None = Field(
        None, pattern=REGION, description="Ask this region's STS; left out: our own region's (E30)."
    )
    through: Through | None = Field(None, description="Who assumes the role; left out: our functions do.")

    @model_validator(mode="after")
    def _one_spelling(self) -> "AssumeRole":
        parts = self.account_id is not None or self.role_name is not None
        if self.role_arn is not None and parts:
            raise ValueError("give role_arn, or account_id and role_name, not both")
        if self.role_arn is None and (self.account_id is None or self.role_name is None):
            raise ValueError("role_arn is required (or account_id and role_name)")
        return self

    @model_validator(mode="after")
    def _chained_roles_last_an_hour(self) -> "AssumeRole":
        if self.duration_in_seconds > CHAINED_SECONDS and not isinstance(self.through, ThroughUser):
            raise ValueError(
                f"duration_in_seconds is {CHAINED_SECONDS} at most: AWS gives a role that is assumed from another "
                "role's credentials one hour, whatever the role allows"
            )
        return self

    @property
    def role(self) -> str:
        """The role's full ARN."""
        if self.role_arn is not None:
            return self.role_arn
        return f"arn:{self.arn_partition}:iam::{self.account_id}:role/{(self.role_name or '').lstrip('/')}"

    @property
    def partition(self) -> str:
        """The ARN partition of the role."""
        return self.role.split(":")[1]

    @property
    def account(self) -> str:
        """The account of the role: twelve digits."""
        match = re.search(r":(\d{12}):", self.role)
        assert match is not None, "both spellings were checked for an account id"
        return match.group(1)

    @property
    def needs_keys(self) -> bool:
        """Whether secrets must be kept for this connection."""
        return isinstance(self.through, ThroughUser) or super().needs_keys
