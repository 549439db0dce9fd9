"""One embedded AWS a test session; on it, for each test module, a stack in an account of its own, and a customer."""

from collections.abc import Iterator
from itertools import count

import pytest

from chalicelib.local import emulator as embedded
from chalicelib.local.account import Account
from chalicelib.local.customer import Customer, notify, open_customer
from chalicelib.local.emulator import Emulator
from chalicelib.local.stack import Stack, provision
from tests import leaks

EXTERNAL_ID = "e" * 64
VISIBILITY = 2

numbers = count(1)


def fresh_account(emulator: Emulator) -> Account:
    """An account that no test has used."""
    return emulator.account(f"{next(numbers):012d}"[::-1])


def trust_in(account: Account, external_id: str = EXTERNAL_ID) -> dict[str, object]:
    """The trust policy that a customer pastes."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account.number}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def reading(bucket: str) -> dict[str, object]:
    """The least that a reader of `bucket` needs."""
    arn = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"{arn}/*"},
        ],
    }


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The embedded AWS. Fails, with the remedy, where it is not installed."""
    folder = tmp_path_factory.mktemp("emulator")
    with embedded.running(folder) as running:
        yield running
    leaks.search(folder)


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Stack:
    """Tidegate's stack from .chalice/resources.json, messages hidden for two seconds."""
    account = fresh_account(emulator)
    return provision(account, f"tide{account.number.rstrip('0')}", visibility=VISIBILITY)


@pytest.fixture(scope="module")
def customer(emulator: Emulator, stack: Stack) -> Customer:
    """A customer whose bucket tells the stack's arrivals queue, and whose role lets the stack's account read."""
    account = fresh_account(emulator)
    bucket = f"acme-{account.number}"
    made = open_customer(
        account, bucket, role="tidegate-reader", trust=trust_in(stack.account), permissions=reading(bucket)
    )
    notify(made, stack.queue_arn("arrivals"))
    return made
