"""An account inside the embedded AWS: its credentials, as values and as environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.loaders import create_loader
from botocore.session import Session

REGION = "us-east-1"
OURS = "111111111111"
CUSTOMERS = "222222222222"
SECRET = "local"  # noqa: S105 - the emulator checks no signature of a root

CONNECTIONS = Config(max_pool_connections=50)  # each poller holds one for as long as a long poll lasts


@dataclass(frozen=True, slots=True)
class Account:
    """One account: twelve digits, which the emulator also takes for its root's access key."""

    number: str
    endpoint: str
    region: str = REGION

    def env(self) -> dict[str, str]:
        """The standard variables that point boto3, the aws CLI and `tidegate` at this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.number,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """The boto3 client of `service` that acts as this account's root; threads may share it."""
        return make_client(self, service)


@cache
def make_client(account: Account, service: str) -> Any:
    """One client for each account and service: to make one takes time."""
    return client(account, service, account.number, SECRET)


def client(account: Account, service: str, access_key: str, secret_key: str, token: str | None = None) -> Any:
    """A client that acts with these keys where `account` is."""
    session = Session()
    session.register_component("data_loader", models())
    return session.create_client(
        service,
        region_name=account.region,
        endpoint_url=account.endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        config=CONNECTIONS,
    )


@cache
def models() -> Any:
    """The descriptions of AWS's services, shared by all clients: to read one takes a tenth of a second of CPU."""
    return create_loader()


def account_of(environ: Mapping[str, str]) -> Account:
    """The account that `environ` points at; the inverse of `Account.env`.

    Raises:
        KeyError: one of AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID is missing.
    """
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or REGION
    return Account(environ["AWS_ACCESS_KEY_ID"], environ["AWS_ENDPOINT_URL"], region)


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` less every AWS_ variable, so that no profile or endpoint leads a child to a real account."""
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}
