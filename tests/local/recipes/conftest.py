"""Our stack, the functions' roles in it, and a customer for each recipe, everything pasted as it is printed."""

from collections.abc import Iterator

import pytest

from chalicelib.local.emulator import Emulator
from chalicelib.local.stack import Stack, provision
from tests.local.conftest import VISIBILITY, fresh_account
from tests.local.recipes.examining import Surgery, opened
from tests.local.recipes.scenes import Scene, settled


@pytest.fixture(scope="package")
def ours(emulator: Emulator) -> Iterator[Stack]:
    """Our account; the environment leads AWS's clients to it."""
    stack = provision(fresh_account(emulator), "tidegate", visibility=VISIBILITY)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.account.env().items():
            patch.setenv(name, value)
        yield stack


@pytest.fixture(scope="package")
def surgery(ours: Stack) -> Surgery:
    """Our functions' roles, which examine. They are there before anybody can name them."""
    return opened(ours)


@pytest.fixture(scope="package")
def customers(ours: Stack, surgery: Surgery) -> tuple[Scene, ...]:
    """One for each recipe."""
    return settled(ours)
