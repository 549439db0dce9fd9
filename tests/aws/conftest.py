"""An AWS that looks at the keys of each request, where the environment leads to it."""

from collections.abc import Iterator

import pytest

from tests.fakes.gate import Gate


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
    yield gate
    gate.close()
