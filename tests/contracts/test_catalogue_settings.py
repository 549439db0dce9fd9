"""What the operator says of the catalogue reaches it, secrets by way of Secrets Manager only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.errors import ConfigError
from chalicelib.local import emulator as embedded
from chalicelib.local.account import without_aws
from chalicelib.settings import Settings
from tests.contracts import seaweed

ASK = """
from chalicelib import wiring
tables = wiring.iceberg()
print(type(wiring.catalog()).__name__, wiring.catalog().list_namespaces(), tables.places_tables, tables.warehouse)
"""


@pytest.mark.parametrize("name", ["token", "credential", "s3.secret-access-key", "client.access-key-id"])
def test_a_secret_among_the_properties_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(ConfigError, match="TIDEGATE_CATALOG_SECRET") as caught:
        Settings.read({"TIDEGATE_CATALOG_PROPERTIES": json.dumps({name: "hush"})})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_properties_that_are_no_object_of_texts_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="TIDEGATE_CATALOG_PROPERTIES"):
        Settings.read({"TIDEGATE_CATALOG_PROPERTIES": text})


def test_a_rest_catalogue_with_signed_calls_is_a_matter_of_settings(tmp_path: Path) -> None:
    with embedded.running(tmp_path / "aws") as aws, seaweed.running(tmp_path / "seaweed") as rest:
        secret = {name: value for name, value in rest.properties.items() if name.startswith("client.")}
        plain = {name: rest.properties[name] for name in rest.properties if name.startswith(("rest.", "s3."))}
        secrets = aws.account().client("secretsmanager")
        secrets.create_secret(Name="tidegate/lakehouse", SecretString=json.dumps(secret))
        secrets.create_secret(Name="tidegate/no-object", SecretString="hush")
        environ = {
            **without_aws(os.environ),
            **aws.env(),
            "TIDEGATE_CATALOG": "rest",
            "TIDEGATE_CATALOG_URI": rest.catalogue,
            "TIDEGATE_CATALOG_WAREHOUSE": rest.properties["warehouse"],
            "TIDEGATE_CATALOG_PROPERTIES": json.dumps(plain),
            "TIDEGATE_CATALOG_SECRET": "lakehouse",
            "TIDEGATE_CATALOG_PLACES_TABLES": "true",
        }
        asked = ask(environ)
        assert asked.stdout == "RestCatalog [] False s3://tidegate-lake/warehouse\n", asked.stderr
        wrong = ask({**environ, "TIDEGATE_CATALOG_SECRET": "no-object"})
        assert wrong.returncode != 0
        assert "the catalogue's secret is not a JSON object" in wrong.stderr
        assert "hush" not in wrong.stderr


def ask(environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, check=False)
