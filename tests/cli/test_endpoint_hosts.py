"""Where a connection may lead is asked when it is made and when it is edited, and is the operator's to say."""

import json

import pytest

from chalicelib import wiring
from tests.cli.conftest import Run

METADATA = "http://169.254.169.254"


def test_a_connection_that_leads_astray_is_not_made(tidegate: Run) -> None:
    for endpoint in (METADATA, "http://127.0.0.1:9001", "https://store.example"):
        made = tidegate("connection", "create", "acme", "--auth-method", "anonymous", "--endpoint", endpoint)
        assert made.code == 2
        assert "TIDEGATE_ENDPOINT_HOSTS" in made.err
    assert tidegate("connection", "list", "--json").out == ""


def test_nobody_types_a_secret_for_a_connection_that_leads_astray(tidegate: Run) -> None:
    for way in (("--endpoint", METADATA), ("--proxy", "proxy.example:3128")):
        made = tidegate("connection", "create", "acme", "--auth-method", "basic", *way)
        assert "TIDEGATE_ENDPOINT_HOSTS" in made.err
        assert "secret_access_key" not in made.err


def test_a_connection_is_not_edited_to_lead_astray(tidegate: Run) -> None:
    tidegate("connection", "create", "acme", "--auth-method", "anonymous")
    assert tidegate("connection", "edit", "acme", "--endpoint", METADATA).code == 2
    assert json.loads(tidegate("connection", "show", "acme", "--json").out).get("endpoint") is None


def test_the_operator_lets_it_lead_to_a_store(tidegate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_ENDPOINT_HOSTS", "*.store.example")
    named = ("connection", "create", "acme", "--auth-method", "anonymous", "--endpoint", "https://eu.store.example")
    assert tidegate(*named).code == 0
    grant = wiring.connections().get("acme")
    assert grant is not None
    assert not wiring.sessions().network.is_plain(grant.connection)
