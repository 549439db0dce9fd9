"""How to get into a customer's account."""

import re
from typing import Literal

from pydantic import Field, model_validator

from chalicelib.config.pipeline import NAME
from chalicelib.config.spec import Spec

ROLE = "[A-Za-z0-9_+=,.@/-]+"  # not \\w, which takes letters that AWS does not
CHAINED_SECONDS = 3600  # STS caps a role that is assumed from role credentials at one hour (F3, E26)


class AssumeRole(Spec):
    """A role that the customer made for us: assumed with an external id that Tidegate chose (F1, F2, F5)."""

    name: str = Field(pattern=NAME, max_length=100)
    auth_method: Literal["assume_role"] = "assume_role"
    role_arn: str | None = Field(None, pattern=rf"^arn:aws[a-z-]*:iam::[0-9]{{12}}:role/{ROLE}$", max_length=2048)
    account_id: str | None = Field(None, pattern=r"^[0-9]{12}$")
    role_name: str | None = Field(None, pattern=rf"^{ROLE}$", description="With its path, if the role has one.")
    arn_partition: str = Field("aws", pattern=r"^aws[a-z-]*$")
    session_name: str = Field(
        "tidegate", pattern=r"^[A-Za-z0-9_+=,.@-]{2,64}$", description="Shows in the customer's CloudTrail."
    )
    duration_in_seconds: int = Field(CHAINED_SECONDS, ge=900, le=CHAINED_SECONDS)
    region: str = Field("us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    buckets: tuple[str, ...] = Field((), description="Buckets that pipelines may read; empty: any that the role opens.")
    prefixes: tuple[str, ...] = Field((), description="Key prefixes that pipelines may read; empty: any (F17).")

    @model_validator(mode="after")
    def _one_spelling(self) -> "AssumeRole":
        parts = self.account_id is not None or self.role_name is not None
        if self.role_arn is not None and parts:
            raise ValueError("give role_arn, or account_id and role_name, not both")
        if self.role_arn is None and (self.account_id is None or self.role_name is None):
            raise ValueError("role_arn is required (or account_id and role_name)")
        return self

    @property
    def role(self) -> str:
        """The role's full ARN."""
        if self.role_arn is not None:
            return self.role_arn
        return f"arn:{self.arn_partition}:iam::{self.account_id}:role/{(self.role_name or '').lstrip('/')}"

    @property
    def customer(self) -> str:
        """The customer's twelve-digit account id."""
        match = re.search(r":(\d{12}):", self.role)
        assert match is not None, "both spellings were checked for an account id"
        return match.group(1)

    def refusal(self, bucket: str, prefix: str) -> str | None:
        """Why a pipeline may not read `prefix` of `bucket` over this connection; None if it may (F17)."""
        if self.buckets and bucket not in self.buckets:
            return f"connection {self.name} is for {', '.join(self.buckets)}, not for {bucket}"
        if self.prefixes and not prefix.startswith(self.prefixes):
            return f"connection {self.name} is for keys under {', '.join(self.prefixes)}, not for {prefix!r}"
        return None


Connection = AssumeRole
