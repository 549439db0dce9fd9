"""What every way into a customer's account has, however it is opened."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from chalicelib.config.names import NAME
from chalicelib.config.spec import Spec

ACCOUNT = r"^[0-9]{12}$"
REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
KEY = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"
ENDPOINT = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?/?")


class HttpProxy(Spec):
    """A proxy that all requests of a connection go through (F96). Its password is kept with the connection's keys."""

    host: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", description="Name or address, no scheme.")
    port: int | None = Field(None, ge=1, le=65535, description="Left out: 443, or 80 without https.")
    https: bool = Field(True, description="Speak TLS with the proxy itself.")
    user: str | None = Field(None, description="Its password is asked for, and kept with the connection's keys.")


class Way(Spec):
    """What a connection says beside its method."""

    name: str = Field(pattern=NAME, max_length=100, description="Letters, digits, `_`, `.` and `-`.")
    owner: str | None = Field(
        None, pattern=NAME, max_length=100, description="Only pipelines of this owner may use it; left out: any."
    )
    region: str = Field("us-east-1", pattern=REGION, description="The region of the customer's buckets (F15).")
    endpoint: str | None = Field(
        None,
        description="Another address of S3, such as a VPC endpoint's or an S3-compatible store's; goes before "
        "`region` (F15, F96).",
    )
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        "auto", description="Whether the bucket stands in the path or in the host's name; auto: as the endpoint needs."
    )
    use_fips_endpoint: bool = Field(False, description="Speak with the FIPS 140 endpoints of AWS.")
    use_dualstack_endpoint: bool = Field(False, description="Speak with the dual-stack (IPv6) endpoints of S3.")
    http_proxy: HttpProxy | None = Field(None, description="A proxy for all requests of this connection (F96).")
    requester_pays: bool = Field(False, description="We pay for requests and transfer, as the bucket demands.")
    bucket_owner: str | None = Field(
        None,
        pattern=r"^([0-9]{12}|any)$",
        description="Account that must own the buckets; left out: the role's account, where it is not ours. `any` "
        "switches the check off.",
    )
    buckets: tuple[str, ...] = Field((), description="Buckets that pipelines may read; empty: any that opens.")
    prefixes: tuple[str, ...] = Field((), description="Key prefixes that pipelines may read; empty: any (F17).")
    can_list: bool = Field(
        True, description="False: we were given no s3:ListBucket, so that nothing can be swept (F7)."
    )
    kms_keys: tuple[str, ...] = Field((), description="ARNs of the customer's keys that encrypt the objects (F16).")
    notify_by: Literal["sqs", "sns", "eventbridge", "none"] = Field(
        "sqs", description="How the bucket's events reach us; `tidegate policy` prints what that takes."
    )
    secret_store: Literal["secrets_manager", "parameter_store"] = Field(
        "secrets_manager", description="Where the secret `STACK/connections/NAME` lies, if the method needs one."
    )

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not _is_address(endpoint):
            raise ValueError("give http(s)://host or http(s)://host:port, without user, path or query")
        return endpoint if endpoint is None else endpoint.rstrip("/")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.endpoint is not None and (self.use_fips_endpoint or self.use_dualstack_endpoint):
            raise ValueError("endpoint goes before use_fips_endpoint and use_dualstack_endpoint: give one or the other")
        return self

    @field_validator("kms_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for number, key in enumerate(keys, 1):
            if not re.fullmatch(KEY, key):
                raise ValueError(
                    f"number {number} is no key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID; aliases are no resources)"
                )
        return keys

    @property
    def partition(self) -> str:
        """The ARN partition of the connection's region."""
        return (
            "aws-cn"
            if self.region.startswith("cn-")
            else ("aws-us-gov" if self.region.startswith("us-gov-") else "aws")
        )

    @property
    def account(self) -> str | None:
        """The account whose identity reads, where the document says it."""
        return None

    @property
    def needs_keys(self) -> bool:
        """Whether secrets must be kept for this connection."""
        return self.http_proxy is not None and self.http_proxy.user is not None

    def expected_owner(self, ours: str | None = None) -> str | None:
        """The account that must own the buckets; None: not known, or not to be checked. `ours`: our own account."""
        if self.bucket_owner == "any":
            return None
        return self.bucket_owner or (None if self.account == ours else self.account)

    def refusal(self, bucket: str, prefix: str, *, owner: str | None) -> str | None:
        """Why a pipeline of `owner` may not read `prefix` of `bucket` over this connection; None if it may (F17)."""
        if self.owner is not None and owner != self.owner:
            whose = f"is {owner}'s" if owner is not None else "has no owner"
            return f"connection {self.name} is for pipelines of {self.owner}, and this one {whose}"
        if self.buckets and bucket not in self.buckets:
            return f"connection {self.name} is for {', '.join(self.buckets)}, not for {bucket}"
        if self.prefixes and not prefix.startswith(self.prefixes):
            return f"connection {self.name} is for keys under {', '.join(self.prefixes)}, not for {prefix!r}"
        return None


def _is_address(url: str) -> bool:
    try:
        return ENDPOINT.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # no such IPv6 address, or no such port
        return False
